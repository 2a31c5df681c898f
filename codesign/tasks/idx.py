"""The idx format of MNIST: a magic number, big-endian sizes, then one byte per value.

Format as described on the data set's page (LeCun, Cortes, Burges): two zero bytes, a type (8 for
unsigned bytes), the number of dimensions, each dimension as a 32-bit integer, the values.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from codesign.errors import InputError

Bytes = NDArray[np.uint8]
_MOST = 1 << 31  # values of a file: a header from a stranger must not reserve all memory
_AGAIN = "copy or download it again ('codesign data get mnist')."


def find_idx(folder: Path, name: str) -> Path:
    """The idx file of that name, as it is or with ``.gz``. Raises InputError when there is none."""
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise InputError(
        f"{folder} holds neither {name} nor {name}.gz; give the folder of the four MNIST files "
        "with --data DIR, or fetch them with 'codesign data get mnist'."
    )


def read_idx(path: Path, dimensions: int) -> Bytes:
    """The values of a plain or gzip file, in their dimensions.

    Raises InputError when the file is no idx file of unsigned bytes, has another number of
    dimensions, is damaged, or holds fewer or more values than its header announces.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return _read(path, file, dimensions)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is a damaged gzip file ({error}); {_AGAIN}") from error
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error


def _read(path: Path, file: "IO[bytes] | gzip.GzipFile", dimensions: int) -> Bytes:
    magic = file.read(4)
    expected = bytes([0, 0, 8, dimensions])
    if magic != expected:
        raise InputError(
            f"{path} begins with {magic.hex() or 'nothing'}, but an idx file of {dimensions} "
            f"dimension{'s' * (dimensions > 1)} begins with {expected.hex()}; {_AGAIN}"
        )
    header = file.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise InputError(f"{path} ends within its header; {_AGAIN}")
    shape = struct.unpack(f">{dimensions}I", header)
    count = math.prod(shape)
    if not 0 < count <= _MOST:
        raise InputError(f"{path} announces {' x '.join(map(str, shape))} values; {_AGAIN}")
    values = file.read(count + 1)
    if len(values) != count:
        found = f"{len(values)}" if len(values) < count else "more"
        raise InputError(
            f"{path} announces {' x '.join(map(str, shape))} = {count} values and holds {found}; "
            f"it is truncated or damaged: {_AGAIN}"
        )
    return np.frombuffer(values, np.uint8).reshape(shape)
