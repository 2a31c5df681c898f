"""The public data sets that ``codesign data get`` fetches, and how they become a folder.

Everything happens in ``NAME.partial`` beside the folder to be: files arrive there, archives are
unpacked there, and one rename makes it NAME. So NAME is whole or absent, and an interrupted fetch
continues.
"""

import gzip
import shutil
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from codesign.errors import EnvironmentMissing, InputError
from codesign.files import cache_dir, read_json, write_json
from codesign.tasks.downloads import RemoteFile, fetch

SOURCE_FILE = "codesign-source.json"
TRUSTED_FILE = "downloads.json"
_MOST_UNPACKED = 8 << 30
OnProgress = Callable[[int, int | None, str], None]
"""(bytes so far, bytes in all if known, what is being done)."""


@dataclass(frozen=True)
class DataSet:
    """A data set: its files, and for an archive the folder inside that becomes the data set.

    expects: a pattern that something in the finished folder must match.
    """

    name: str
    title: str
    licence: str
    files: tuple[RemoteFile, ...]
    expects: str
    archive_root: str | None = None  # "" where an archive has no common folder
    unpacked_bytes: int = 0

    @property
    def size_bytes(self) -> int | None:
        """Bytes to fetch, where known."""
        sizes = [file.size_bytes for file in self.files]
        return None if None in sizes else sum(size or 0 for size in sizes)


_MNIST = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)


def _mnist(name: str, size: int, sha256: str) -> RemoteFile:
    return RemoteFile(name, tuple(base + name for base in _MNIST), size, sha256)


# Sizes and digests as TensorFlow Datasets, torchaudio and the pages of the data sets give them;
# those of the MNIST labels and test images, and of the text, were compared with real copies.
DATASETS = {
    data.name: data
    for data in (
        DataSet(
            name="speech_commands",
            title="Speech Commands v0.02: 35 words, 105829 clips of one second, 16 kHz",
            licence="CC BY 4.0, Pete Warden, Google (arXiv:1804.03209)",
            files=(
                RemoteFile(
                    "speech_commands_v0.02.tar.gz",
                    (
                        "https://storage.googleapis.com/download.tensorflow.org/data/"
                        "speech_commands_v0.02.tar.gz",
                        "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
                    ),
                    2_428_923_189,
                    "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
                ),
            ),
            expects="*/*.wav",
            archive_root="",
            unpacked_bytes=3_700_000_000,
        ),
        DataSet(
            name="fsdd",
            title="Free Spoken Digit Dataset v1.0.10: ten digits, 8 kHz",
            licence="CC BY-SA 4.0, Jakobovski et al.",
            files=(
                RemoteFile(  # made by the host on request, so without a size or a digest
                    "free-spoken-digit-dataset-1.0.10.tar.gz",
                    (
                        "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/"
                        "tags/v1.0.10.tar.gz",
                    ),
                ),
            ),
            expects="recordings/*.wav",
            archive_root="free-spoken-digit-dataset-1.0.10",
            unpacked_bytes=50_000_000,
        ),
        DataSet(
            name="mnist",
            title="MNIST: 70000 handwritten digits of 28 x 28 pixels",
            licence="CC BY-SA 3.0, LeCun, Cortes, Burges",
            files=(
                _mnist(
                    "train-images-idx3-ubyte.gz",
                    9_912_422,
                    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                ),
                _mnist(
                    "train-labels-idx1-ubyte.gz",
                    28_881,
                    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                ),
                _mnist(
                    "t10k-images-idx3-ubyte.gz",
                    1_648_877,
                    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                ),
                _mnist(
                    "t10k-labels-idx1-ubyte.gz",
                    4_542,
                    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                ),
            ),
            expects="train-images-idx3-ubyte.gz",
        ),
        DataSet(
            name="shakespeare",
            title="Tiny Shakespeare: 1115394 characters of plays",
            licence="public domain text; collected by Andrej Karpathy",
            files=(
                RemoteFile(
                    "input.txt",
                    (
                        "https://raw.githubusercontent.com/karpathy/char-rnn/"
                        "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/input.txt",
                    ),
                    1_115_394,
                    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
                ),
            ),
            expects="input.txt",
        ),
    )
}


def get_dataset(
    data: DataSet, parent: Path, on_progress: OnProgress = lambda *_: None
) -> tuple[Path, bool]:
    """(folder ``parent / data.name``, whether it was made now); one that is there is left alone.

    The folder says in ``codesign-source.json`` where each file came from and its SHA-256, and
    whether that was the published one.

    Raises InputError for a folder of that name that comes from elsewhere, a full disk or wrong
    content, EnvironmentMissing when the network does not give the files.
    """
    folder, work = parent / data.name, parent / f"{data.name}.partial"
    if folder.exists():
        if (folder / SOURCE_FILE).is_file():
            return folder, False
        raise InputError(
            f"{folder} exists and was not made by 'codesign data get'; give another folder with "
            "--out, or move it away."
        )
    _check_space(data, work)
    digests = _fetch_all(data, work, on_progress)
    content = work
    if data.archive_root is not None:
        on_progress(0, None, "unpacking")
        content = _unpack(work / data.files[0].name, work / "unpacked", data.archive_root)
    if not any(content.glob(data.expects)):
        raise InputError(
            f"{data.files[0].urls[0]} holds no {data.expects} and is not what it was; look into "
            f"{work}, and remove it to fetch it again."
        )
    _trust(data, digests)
    files = {file.name: _told(file, digests[file.name]) for file in data.files}
    source = {"name": data.name, "title": data.title, "licence": data.licence, "files": files}
    write_json(content / SOURCE_FILE, source)
    content.rename(folder)
    if content != work:
        shutil.rmtree(work)
    return folder, True


def _fetch_all(data: DataSet, work: Path, on_progress: OnProgress) -> dict[str, str]:
    """Fetch every file into ``work``; the SHA-256 of each by name."""
    trusted, done, digests = _trusted(), 0, {}
    for file in data.files:

        def show(count: int, before: int = done, name: str = file.name) -> None:
            on_progress(before + count, data.size_bytes, name)

        known = replace(file, sha256=file.sha256 or trusted.get(file.name))
        digests[file.name] = fetch(known, work, show)
        done += (work / file.name).stat().st_size
    return digests


def _told(file: RemoteFile, digest: str) -> dict[str, str]:
    checked = "published digest" if file.sha256 else "no digest is published: trusted as it came"
    return {"url": file.urls[0], "sha256": digest, "checked": checked}


def _trusted() -> dict[str, str]:
    """Digests of files whose publisher gives none, as they came the first time, by name."""
    path = cache_dir() / TRUSTED_FILE
    return dict(read_json(path, "digests of earlier downloads")) if path.is_file() else {}


def _trust(data: DataSet, digests: dict[str, str]) -> None:
    """Remember the digests that nobody publishes: the same file must come the next time."""
    news = {file.name: digests[file.name] for file in data.files if file.sha256 is None}
    if news:
        write_json(cache_dir() / TRUSTED_FILE, {**_trusted(), **news})


def _check_space(data: DataSet, work: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    have = sum(path.stat().st_size for path in work.iterdir() if path.is_file())
    needed = max(0, (data.size_bytes or 0) - have) + data.unpacked_bytes
    free = shutil.disk_usage(work).free
    if free < needed:
        raise InputError(
            f"{data.name} needs {needed / 1e9:.1f} GB in {work.parent} and {free / 1e9:.1f} GB are "
            "free; give another folder with --out."
        )


def _unpack(archive: Path, target: Path, root: str) -> Path:
    """Unpack a .tar.gz afresh into ``target``; the folder of its content.

    The tarfile module's data filter refuses absolute names, names that lead outside, links that
    do, and devices.
    """
    if not hasattr(tarfile, "data_filter"):
        raise EnvironmentMissing(
            "This Python unpacks archives without protection; update it to 3.11.4 or newer."
        )
    shutil.rmtree(target, ignore_errors=True)
    total = 0
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                total += member.size
                if total > _MOST_UNPACKED:
                    raise InputError(f"{archive} unpacks to more than 8 GB and is not unpacked.")
                tar.extract(member, target, filter="data")
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        archive.unlink()
        raise InputError(
            f"{archive} cannot be unpacked ({error}) and was removed; run the command again, which "
            "fetches it anew."
        ) from error
    content = target / root
    if not content.is_dir():
        raise InputError(f"{archive} has no folder {root}/ inside and is not what it was.")
    return content
