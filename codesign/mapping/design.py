"""The design: the network as hardware, one row per learned parameter.

``mapping.csv`` holds the rows, ``design.json`` everything else that later stages read.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from codesign.device.mirrors import MirrorCalibration
from codesign.device.reference import ReferenceSizes
from codesign.errors import InputError
from codesign.files import write_text
from codesign.flows import HardwareSection

Role = Literal["weight", "bias", "threshold", "width", "gain"]


@dataclass(frozen=True)
class Row:
    """One learned parameter and the one device that carries it.

    ``m`` is 0 and ``device`` is ``"none"`` for a weight of zero, which is no connection.
    ``expected_value`` is what the device is expected to realise, in units; ``bias_current_a``
    is the current of a bias mirror, None for weights.
    """

    parameter: str
    index: tuple[int, ...]
    software_value: float
    instance: str
    role: Role
    device: Literal["pmos", "nmos", "none"]
    w_m: float
    l_m: float
    m: int
    bias_current_a: float | None
    expected_value: float
    relative_error: float
    note: str = ""


@dataclass(frozen=True)
class HoldBias:
    """The hold current of one strobed cell: not learned, derived from its threshold and width."""

    layer: int
    unit: int
    l_m: float
    m: int
    bias_current_a: float


@dataclass(frozen=True)
class Unrepresentable:
    """A parameter the hardware cannot carry as it is, and why."""

    parameter: str
    software_value: float
    realised_value: float
    reason: str


@dataclass(frozen=True)
class Shape:
    """Dimensions of the network."""

    inputs: int
    state_dim: int
    layers: int
    classes: int


@dataclass(frozen=True)
class Design:
    """Everything the circuit is built from.

    ``turns``: lengths (m) of the turns from N to P lines that are trimmed for their current, by
    node (``x0_3``); a turn that is not listed has ``mirrors.n_to_p``.
    """

    shape: Shape
    hardware: HardwareSection
    mirrors: MirrorCalibration
    rows: tuple[Row, ...]
    holds: tuple[HoldBias, ...]
    unrepresentable: tuple[Unrepresentable, ...]
    # Sizes of the on-chip reference; None where hardware.bias is "ideal".
    reference: ReferenceSizes | None = None
    turns: Mapping[str, float] = field(default_factory=dict)

    def turn_length_m(self, node: str) -> float:
        """Length of the copying device of the turn that makes the P line of ``node``."""
        return self.turns.get(node, self.mirrors.n_to_p.l_m)

    def by_parameter(self) -> dict[str, dict[tuple[int, ...], Row]]:
        """Rows by parameter path, then by index."""
        table: dict[str, dict[tuple[int, ...], Row]] = {}
        for row in self.rows:
            table.setdefault(row.parameter, {})[row.index] = row
        return table

    def realised(self) -> dict[str, NDArray[np.float64]]:
        """Parameter arrays as the hardware is meant to carry them (on the grid, in range)."""
        changed = {item.parameter: item.realised_value for item in self.unrepresentable}
        arrays: dict[str, NDArray[np.float64]] = {}
        for parameter, rows in self.by_parameter().items():
            shape = tuple(int(n) + 1 for n in np.max(list(rows), axis=0))
            arrays[parameter] = np.zeros(shape)
            for index, row in rows.items():
                name = f"{parameter}[{','.join(map(str, index))}]"
                arrays[parameter][index] = changed.get(name, row.software_value)
        return arrays


def write_mapping(path: Path, rows: tuple[Row, ...]) -> None:
    """Write ``mapping.csv``; numbers keep all their digits."""
    text = io.StringIO()
    names = [column.name for column in fields(Row)]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        record: dict[str, Any] = asdict(row)
        record["index"] = " ".join(map(str, row.index))
        for key, value in record.items():
            if isinstance(value, float):
                record[key] = f"{value:.9g}"
        writer.writerow(record)
    write_text(path, text.getvalue())


def count_mapping(path: Path) -> int:
    """Rows of a mapping.csv."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return sum(1 for _ in csv.DictReader(file))
    except OSError as error:
        raise InputError(
            f"Cannot read {path}: {error.strerror}; make the design with 'codesign export-netlist'."
        ) from error


def expected_values(path: Path) -> dict[str, NDArray[np.float64]]:
    """Parameter arrays as the devices of a mapping.csv are expected to realise them, in units.

    Raises InputError when the file cannot be read.
    """
    found: dict[str, dict[tuple[int, ...], float]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                index = tuple(int(k) for k in row["index"].split())
                found.setdefault(row["parameter"], {})[index] = float(row["expected_value"])
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"Cannot read {path} ({error}); make the design with 'codesign export-netlist'."
        ) from error
    arrays = {}
    for parameter, values in found.items():
        array = np.full(tuple(int(n) + 1 for n in np.max(list(values), axis=0)), np.nan)
        for index, value in values.items():
            array[index] = value
        arrays[parameter] = array
    return arrays
