"""Data sets from a local server: whole or absent, unpacked safely, what nobody vouches for kept."""

import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from codesign.cli.main import main
from codesign.errors import EnvironmentMissing, InputError
from codesign.files import read_json
from codesign.tasks import datasets
from codesign.tasks.datasets import DATASETS, SOURCE_FILE, DataSet, get_dataset
from codesign.tasks.downloads import RemoteFile, sha256_of
from tests.tasks.real import real_data
from tests.tasks.web import Site, serve


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("codesign.tasks.downloads._PAUSE_S", 0.0)


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(Site({"plain.txt": b"to be"})) as running:
        yield running


def _archive(members: dict[str, bytes], *extra: tarfile.TarInfo) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info in extra:
            tar.addfile(info)
    return packed.getvalue()


def _dataset(site: Site, name: str, root: str | None = None, **known: str) -> DataSet:
    return DataSet(
        name="set",
        title="a test",
        licence="none",
        files=(RemoteFile(name, (site.url + name,), **known),),  # type: ignore[arg-type]
        expects="*.txt" if root is None else "words/*.wav",
        archive_root=root,
    )


def test_a_file_becomes_a_folder_that_says_where_it_comes_from(site: Site, tmp_path: Path) -> None:
    digest = hashlib.sha256(b"to be").hexdigest()
    data = _dataset(site, "plain.txt", sha256=digest)
    folder, made = get_dataset(data, tmp_path)
    assert made
    assert (folder / "plain.txt").read_bytes() == b"to be"
    told = read_json(folder / SOURCE_FILE, "source")["files"]["plain.txt"]
    assert told == {
        "url": site.url + "plain.txt", "sha256": digest, "checked": "published digest",
    }  # fmt: skip
    assert not (tmp_path / "set.partial").exists()
    assert get_dataset(data, tmp_path) == (folder, False)
    assert len(site.asked) == 1


def test_an_archive_is_unpacked_and_goes(site: Site, tmp_path: Path) -> None:
    for root in ("", "top-1.0"):
        inside = f"{root}/" if root else "./"
        site.files["a.tar.gz"] = _archive({f"{inside}words/yes.wav": b"RIFF"})
        folder, _ = get_dataset(_dataset(site, "a.tar.gz", root), tmp_path / f"_{root}")
        assert (folder / "words" / "yes.wav").read_bytes() == b"RIFF"
        assert sorted(path.name for path in folder.iterdir()) == [SOURCE_FILE, "words"]
        (tmp_path / "cache" / "downloads.json").unlink()


def test_an_interrupted_fetch_leaves_no_folder_and_continues(site: Site, tmp_path: Path) -> None:
    site.files["a.tar.gz"] = _archive({"words/yes.wav": bytes(range(256)) * 50})
    site.cuts = [100, 0, 0, 0, 0]
    data = _dataset(site, "a.tar.gz", "")
    with pytest.raises(EnvironmentMissing, match="100 bytes are kept"):
        get_dataset(data, tmp_path)
    assert not (tmp_path / "set").exists()
    folder, _ = get_dataset(data, tmp_path)
    assert (folder / "words" / "yes.wav").stat().st_size == 12800
    assert site.asked[-1][1] == "bytes=100-"


def _link(name: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


@pytest.mark.parametrize(
    "body",
    [
        _archive({"words/yes.wav": b"x", "../escaped.txt": b"x"}),
        _archive({"words/yes.wav": b"x", "words/../../../escaped.txt": b"x"}),
        _archive({"words/yes.wav": b"x"}, _link("words/link", "/etc/passwd")),
        _archive({"words/yes.wav": b"x"}, _link("words/link", "../../../escaped.txt")),
    ],
)
def test_an_archive_that_reaches_outside_is_refused(
    site: Site, tmp_path: Path, body: bytes
) -> None:
    site.files["a.tar.gz"] = body
    with pytest.raises(InputError, match="cannot be unpacked"):
        get_dataset(_dataset(site, "a.tar.gz", ""), tmp_path / "in" / "side")
    assert not list(tmp_path.rglob("escaped.txt"))
    assert not (tmp_path / "in" / "side" / "set").exists()


@pytest.mark.parametrize(
    "body",
    [b"no archive at all", _archive({"words/a.wav": b"x" * 9999})[:-20]],
    ids=["no archive", "cut short"],  # the archive holds the time: not a name workers agree on
)
def test_a_damaged_archive_is_removed(site: Site, tmp_path: Path, body: bytes) -> None:
    site.files["a.tar.gz"] = body
    data = _dataset(site, "a.tar.gz", "")
    with pytest.raises(InputError, match="cannot be unpacked"):
        get_dataset(data, tmp_path)
    site.files["a.tar.gz"] = _archive({"words/yes.wav": b"RIFF"})
    site.tag = '"v2"'
    assert get_dataset(data, tmp_path)[1]


def test_an_archive_of_something_else(site: Site, tmp_path: Path) -> None:
    site.files["a.tar.gz"] = _archive({"other/yes.wav": b"x"})
    with pytest.raises(InputError, match=r"holds no words/\*\.wav"):
        get_dataset(_dataset(site, "a.tar.gz", ""), tmp_path / "one")
    with pytest.raises(InputError, match="has no folder top/"):
        get_dataset(_dataset(site, "a.tar.gz", "top"), tmp_path / "two")


def test_an_archive_that_unpacks_to_too_much(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "_MOST_UNPACKED", 1000)
    site.files["a.tar.gz"] = _archive({"words/yes.wav": bytes(1001)})
    with pytest.raises(InputError, match="unpacks to more than"):
        get_dataset(_dataset(site, "a.tar.gz", ""), tmp_path)


def test_what_nobody_vouches_for_must_come_again_the_same(site: Site, tmp_path: Path) -> None:
    data = _dataset(site, "plain.txt")
    folder, _ = get_dataset(data, tmp_path / "one")
    told = read_json(folder / SOURCE_FILE, "source")["files"]["plain.txt"]
    assert told["checked"] == "no digest is published: trusted as it came"
    assert get_dataset(data, tmp_path / "two")[1]
    site.files["plain.txt"], site.tag = b"not to be", '"v2"'
    with pytest.raises(InputError, match="has the SHA-256"):
        get_dataset(data, tmp_path / "three")


def test_a_folder_from_elsewhere_is_left_alone(site: Site, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    with pytest.raises(InputError, match="was not made by 'codesign data get'"):
        get_dataset(_dataset(site, "plain.txt"), tmp_path)
    assert site.asked == []


def test_a_disk_that_is_too_small_is_said_before(site: Site, tmp_path: Path) -> None:
    data = replace(_dataset(site, "plain.txt"), unpacked_bytes=1 << 60)
    with pytest.raises(InputError, match=r"needs 1152921504\.6 GB"):
        get_dataset(data, tmp_path)
    assert site.asked == []


def test_the_command(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(DATASETS, "set", _dataset(site, "plain.txt"))
    assert main(["data", "get", "set", "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == str(tmp_path / "out" / "set")
    assert "no digest is published" in printed.err
    assert main(["data", "get", "set", "--out", str(tmp_path / "out")]) == 0
    assert "is there already" in capsys.readouterr().err
    assert main(["data", "get", "minst"]) == 2
    assert "Did you mean 'mnist'?" in capsys.readouterr().err
    site.files.clear()
    assert main(["data", "get", "set", "--out", str(tmp_path / "new")]) == 3
    assert main(["data", "list"]) == 0
    assert "speech_commands" in capsys.readouterr().out


def test_every_data_set_can_be_checked_or_says_so() -> None:
    for data in DATASETS.values():
        for file in data.files:
            assert all(
                url.startswith(("https://", "http://download.tensorflow")) for url in file.urls
            )
            assert (file.sha256 is None) == (file.size_bytes is None)
            assert file.sha256 is None or len(file.sha256) == 64


def test_the_digests_are_those_of_real_copies() -> None:
    mnist, text = real_data("mnist"), real_data("tinyshakespeare")
    for file in DATASETS["mnist"].files[1:]:  # the training images there are packed anew
        assert sha256_of(mnist / file.name) == file.sha256
    assert sha256_of(text / "input.txt") == DATASETS["shakespeare"].files[0].sha256
