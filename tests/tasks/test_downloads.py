"""Downloads against a local server: cut connections, changed and wrong content, no ranges."""

import hashlib
import socket
from pathlib import Path

import pytest

from codesign.errors import EnvironmentMissing, InputError
from codesign.tasks.downloads import RemoteFile, fetch
from tests.tasks.web import Site, serve

BODY = bytes(range(256)) * 2000
DIGEST = hashlib.sha256(BODY).hexdigest()


def _file(site: Site, **known: object) -> RemoteFile:
    known = {"size_bytes": len(BODY), "sha256": DIGEST, **known}
    return RemoteFile("f.bin", (site.url + "f.bin",), **known)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codesign.tasks.downloads._PAUSE_S", 0.0)


def _only_file(folder: Path) -> bytes:
    assert [path.name for path in folder.iterdir()] == ["f.bin"]
    return (folder / "f.bin").read_bytes()


def test_a_file_comes_whole_and_is_not_fetched_twice(tmp_path: Path) -> None:
    seen: list[int] = []
    with serve(Site({"f.bin": BODY})) as site:
        assert fetch(_file(site), tmp_path, seen.append) == DIGEST
        assert _only_file(tmp_path) == BODY
        assert seen == sorted(seen)
        assert seen[-1] == len(BODY)
        assert fetch(_file(site), tmp_path) == DIGEST
        assert site.asked == [("/f.bin", None)]


@pytest.mark.parametrize(
    ("chunked", "continued"),
    [(False, [100_000, 250_000]), (True, [65_536, 196_608])],  # chunked: whole blocks are kept
)
def test_cut_connections_are_continued(tmp_path: Path, chunked: bool, continued: list[int]) -> None:
    with serve(Site({"f.bin": BODY}, cuts=[100_000, 150_000], chunked=chunked)) as site:
        assert fetch(_file(site), tmp_path) == DIGEST
        ranges = [wanted for _, wanted in site.asked]
    assert _only_file(tmp_path) == BODY
    assert ranges == [None, *(f"bytes={start}-" for start in continued)]


def test_the_next_command_continues_where_the_last_ended(tmp_path: Path) -> None:
    with serve(Site({"f.bin": BODY}, cuts=[70_000, 0, 0, 0, 0])) as site:
        with pytest.raises(EnvironmentMissing, match=r"70000 bytes are kept"):
            fetch(_file(site), tmp_path)
        assert not (tmp_path / "f.bin").exists()
        assert fetch(_file(site), tmp_path) == DIGEST
        assert site.asked[-1] == ("/f.bin", "bytes=70000-")
    assert _only_file(tmp_path) == BODY


def test_a_server_without_ranges_sends_all_again(tmp_path: Path) -> None:
    with serve(Site({"f.bin": BODY}, ranges=False, cuts=[100_000])) as site:
        assert fetch(_file(site), tmp_path) == DIGEST
    assert _only_file(tmp_path) == BODY


def test_a_range_that_begins_earlier_is_put_in_its_place(tmp_path: Path) -> None:
    with serve(Site({"f.bin": BODY}, cuts=[100_000], overlap=777)) as site:
        assert fetch(_file(site), tmp_path) == DIGEST
    assert _only_file(tmp_path) == BODY


def test_a_file_that_changed_in_between_is_fetched_anew(tmp_path: Path) -> None:
    (tmp_path / "f.bin.part").write_bytes(b"old" * 1000)
    (tmp_path / "f.bin.part.version").write_text('"v0"')
    with serve(Site({"f.bin": BODY})) as site:
        assert fetch(_file(site, size_bytes=None, sha256=None), tmp_path) == DIGEST
    assert _only_file(tmp_path) == BODY


@pytest.mark.parametrize("tag", [None, 'W/"v1"'])
def test_pieces_that_do_not_fit_are_fetched_as_one(tmp_path: Path, tag: str | None) -> None:
    """Without a version to ask for, only the digest shows that the pieces are of two files."""
    (tmp_path / "f.bin.part").write_bytes(b"old" * 1000)
    with serve(Site({"f.bin": BODY}, tag=tag)) as site:
        assert fetch(_file(site), tmp_path) == DIGEST
        assert site.asked == [("/f.bin", "bytes=3000-"), ("/f.bin", None)]
    assert _only_file(tmp_path) == BODY


@pytest.mark.parametrize("more", [0, 5])
def test_a_part_that_is_whole_or_too_long(tmp_path: Path, more: int) -> None:
    (tmp_path / "f.bin.part").write_bytes(BODY + b"x" * more)
    with serve(Site({"f.bin": BODY})) as site:
        assert fetch(_file(site, size_bytes=None), tmp_path) == DIGEST
        assert len(site.asked) == (2 if more else 1)
    assert _only_file(tmp_path) == BODY


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (BODY[:-1] + b"!", "has the SHA-256 [0-9a-f]{64} instead of"),
        (BODY + b"more", "bytes instead of 512000"),
        (BODY[:-4], "has 511996 bytes instead of 512000"),
    ],
)
def test_wrong_content_is_removed_and_said(tmp_path: Path, body: bytes, said: str) -> None:
    with (
        serve(Site({"f.bin": body})) as site,
        pytest.raises(InputError, match=said) as caught,
    ):
        fetch(_file(site), tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) in str(caught.value)


def test_a_file_put_there_by_hand_is_checked(tmp_path: Path) -> None:
    file = RemoteFile("f.bin", ("http://127.0.0.1:9/f.bin",), len(BODY), DIGEST)
    (tmp_path / "f.bin").write_bytes(BODY)
    assert fetch(file, tmp_path) == DIGEST
    (tmp_path / "f.bin").write_bytes(BODY[1:])
    with pytest.raises(InputError, match="was removed"):
        fetch(file, tmp_path)


def test_a_mirror_takes_over(tmp_path: Path) -> None:
    with serve(Site({"f.bin": BODY})) as site:
        urls = (site.url + "gone", site.url + "f.bin")
        assert fetch(RemoteFile("f.bin", urls, len(BODY), DIGEST), tmp_path) == DIGEST
    assert _only_file(tmp_path) == BODY


def test_without_a_network_the_message_names_the_address_and_the_place(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/f.bin"
        with pytest.raises(EnvironmentMissing) as caught:
            fetch(RemoteFile("f.bin", (url,)), tmp_path / "d")
    assert url in str(caught.value)
    assert f"into {tmp_path / 'd'} as f.bin" in str(caught.value)


def test_a_page_that_is_not_there(tmp_path: Path) -> None:
    with serve(Site({})) as site, pytest.raises(EnvironmentMissing, match="answers 404 Not Found"):
        fetch(_file(site), tmp_path)
