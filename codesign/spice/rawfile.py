"""ngspice raw files: several plots, real or complex, binary or ASCII.

A raw file is a sequence of plots. Each has a text header (``Plotname:``, ``Flags:``,
``No. Variables:``, ``No. Points:``, ``Variables:``) and then ``Binary:`` followed by
little-endian doubles, point by point, or ``Values:`` followed by text. A complex value is two
doubles; in a complex plot every variable is complex, the scale included.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class RawFileError(Exception):
    """The file is not a complete ngspice raw file; the message says where it breaks."""


@dataclass(frozen=True)
class Variable:
    """One column of a plot: name in lower case, as written by ngspice, and its type."""

    name: str
    kind: str


@dataclass(frozen=True)
class Plot:
    """One analysis: ``values`` has shape (points, variables), float64 or complex128."""

    title: str
    name: str
    variables: tuple[Variable, ...]
    values: NDArray[np.float64] | NDArray[np.complex128]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(variable.name for variable in self.variables)

    @property
    def scale(self) -> NDArray[np.float64]:
        """The swept quantity: time, frequency or the source that was swept."""
        return np.asarray(self.values[:, 0].real, dtype=np.float64)

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """Real part of a column; raises KeyError naming the missing vector."""
        try:
            column = self.names.index(name.lower())
        except ValueError:
            raise KeyError(f"no vector '{name}' in plot '{self.name}'") from None
        return np.asarray(self.values[:, column].real, dtype=np.float64)

    def complex(self, name: str) -> NDArray[np.complex128]:
        """A column with its imaginary part (AC analyses)."""
        return np.asarray(self.values[:, self.names.index(name.lower())], dtype=np.complex128)


def read_raw(path: Path) -> list[Plot]:
    """All plots of a raw file, in order. Raises RawFileError when it is cut short or malformed."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RawFileError(f"{path}: {error.strerror}") from error
    plots: list[Plot] = []
    position = 0
    while data[position:].strip():
        plot, position = _read_plot(data, position, path)
        plots.append(plot)
    if not plots:
        raise RawFileError(f"{path} holds no plot")
    return plots


def _read_plot(data: bytes, position: int, path: Path) -> tuple[Plot, int]:
    header: dict[str, str] = {}
    variables: list[Variable] = []
    in_variables = False
    while True:
        end = data.find(b"\n", position)
        if end < 0:
            raise RawFileError(f"{path}: the header ends at byte {len(data)} without its values")
        line = data[position:end].decode("utf-8", errors="replace").rstrip("\r")
        position = end + 1
        key, colon, value = line.partition(":")
        if colon and key.strip() in ("Binary", "Values"):
            binary = key.strip() == "Binary"
            break
        if in_variables and line[:1] in ("\t", " "):
            fields = line.split()
            if len(fields) < 3:
                raise RawFileError(f"{path}: cannot read the variable line {line!r}")
            variables.append(Variable(_plain_name(fields[1]), fields[2]))
            continue
        in_variables = colon != "" and key.strip() == "Variables"
        if colon:
            header[key.strip()] = value.strip()
    try:
        columns, points = int(header["No. Variables"]), int(header["No. Points"])
    except (KeyError, ValueError) as error:
        raise RawFileError(
            f"{path}: the header lacks its numbers of variables or points"
        ) from error
    if columns != len(variables):
        raise RawFileError(f"{path}: {columns} variables announced, {len(variables)} named")
    is_complex = "complex" in header.get("Flags", "")
    read = _read_binary if binary else _read_ascii
    values, position = read(data, position, (points, columns), is_complex, path)
    plot = Plot(header.get("Title", ""), header.get("Plotname", ""), tuple(variables), values)
    return plot, position


def _plain_name(written: str) -> str:
    """``i(@m1[id])`` is how a saved device parameter comes back when nothing is named in write."""
    name = written.lower()
    wrapped = name[1:3] == "(@" and name.endswith(")")
    return name[2:-1] if wrapped else name


def _read_binary(
    data: bytes, position: int, shape: tuple[int, int], is_complex: bool, path: Path
) -> tuple[NDArray[np.float64] | NDArray[np.complex128], int]:
    dtype = np.dtype("<c16" if is_complex else "<f8")
    count = shape[0] * shape[1]
    end = position + count * dtype.itemsize
    if end > len(data):
        raise RawFileError(
            f"{path} is cut short: {end - position} bytes of values announced, "
            f"{len(data) - position} present"
        )
    return np.frombuffer(data, dtype, count, position).reshape(shape), end


def _read_ascii(
    data: bytes, position: int, shape: tuple[int, int], is_complex: bool, path: Path
) -> tuple[NDArray[np.float64] | NDArray[np.complex128], int]:
    points, columns = shape
    values = np.empty(shape, np.complex128)
    for point in range(points):
        for column in range(columns):
            line, position = _next_line(data, position, path)
            fields = line.split()
            if column == 0:
                if not fields or fields[0] != str(point):
                    raise RawFileError(f"{path}: point {point} expected, found {line!r}")
                fields = fields[1:]
            try:
                real, _, imaginary = fields[0].partition(",")
                number = complex(float(real), float(imaginary or 0))
            except (ValueError, IndexError) as error:
                raise RawFileError(f"{path}: cannot read the value {line!r}") from error
            values[point, column] = number
    return (values if is_complex else values.real.copy()), position


def _next_line(data: bytes, position: int, path: Path) -> tuple[str, int]:
    while True:
        end = data.find(b"\n", position)
        if end < 0:
            raise RawFileError(f"{path} is cut short inside its values")
        line = data[position:end].decode("ascii", errors="replace")
        position = end + 1
        if line.strip():
            return line, position
