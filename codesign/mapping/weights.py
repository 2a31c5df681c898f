"""Weights and biases: what device carries each, in one of three strategies (``hardware.weights``).

``unit``: ``m`` unit devices of the grid, their length trimmed for the kind of destination; any
other value is rounded, and said. ``continuous`` and ``single``: a device sized for the very value,
by look-up and measurement (``codesign.device.widths``); only what is below the smallest device
cannot be carried, and is said.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from codesign.device.copies import Kind
from codesign.device.mirrors import MirrorCalibration, Trim
from codesign.device.widths import Sized
from codesign.flows import HardwareSection
from codesign.mapping.design import Row, Unrepresentable
from codesign.mapping.names import instance_name, label

_GRID_TOLERANCE = 1e-4

Problems = list[Unrepresentable]


class Weigher(Protocol):
    """Where sizes of continuous weights come from: a characterised process, or a test's law."""

    def floor(self, kind: Kind) -> float:
        """Smallest ratio a device of this kind has."""

    def size(self, targets: Sequence[tuple[Kind, float]]) -> list[Sized]:
        """A device for each ratio."""


def map_weights(
    parameters: Mapping[str, NDArray[np.float64]],
    hardware: HardwareSection,
    mirrors: MirrorCalibration,
    weigher: Weigher | None,
) -> tuple[list[Row], Problems]:
    """Rows of all weights and biases, and what cannot be carried as learned.

    ``weigher`` sizes devices of the strategies other than ``unit``; raises ValueError without it.
    """
    every = [
        (parameter, index, float(values[index]))
        for parameter, values in parameters.items()
        if parameter.endswith((".weight", ".bias"))
        for index in np.ndindex(values.shape)
    ]
    if hardware.weights == "unit":
        return _units(every, hardware, mirrors)
    if weigher is None:
        raise ValueError(f"hardware.weights = '{hardware.weights}' needs measured widths")
    return _continuous(every, weigher)


def kind_of(parameter: str, value: float) -> Kind:
    """What kind of copy carries a weight: its polarity and where its current goes."""
    if parameter.startswith("readout."):
        return "p_to_readout" if value >= 0 else "n_to_readout"
    return "p_to_sum" if value >= 0 else "n_to_sum"


Entry = tuple[str, tuple[int, ...], float]


def _units(
    every: Iterable[Entry], hardware: HardwareSection, mirrors: MirrorCalibration
) -> tuple[list[Row], Problems]:
    rows, problems, grid = [], [], hardware.weight_grid
    for parameter, index, value in every:
        m = round(abs(value) * grid)
        realised = (1.0 if value >= 0 else -1.0) * m / grid
        if abs(abs(value) * grid - m) > _GRID_TOLERANCE:
            reason = (
                f"below half of the smallest ratio 1/{grid}: no device"
                if m == 0
                else f"not a multiple of 1/{grid}: rounded"
            )
            problems.append(Unrepresentable(label(parameter, index), value, realised, reason))
        trim: Trim = getattr(mirrors, kind_of(parameter, value))
        size = (hardware.unit_w_m, trim.l_m, m) if m else (0.0, 0.0, 0)
        rows.append(_row(parameter, index, value, size, realised * trim.gain))
    return rows, problems


def _continuous(every: Iterable[Entry], weigher: Weigher) -> tuple[list[Row], Problems]:
    rows, problems = [], []
    kept: dict[tuple[str, tuple[int, ...]], tuple[Kind, float]] = {}
    entries = list(every)
    for parameter, index, value in entries:
        kind = kind_of(parameter, value)
        floor, wanted = weigher.floor(kind), abs(value)
        if 0 < wanted < floor:
            carried = floor if wanted >= floor / 2 else 0.0
            action = "smallest device used" if carried else "nearer to none: no device"
            reason = f"below the smallest ratio {floor:.4f}: {action}"
            realised = carried if value > 0 else -carried
            problems.append(Unrepresentable(label(parameter, index), value, realised, reason))
            wanted = carried
        if wanted:
            kept[parameter, index] = (kind, wanted)
    targets = list(dict.fromkeys(kept.values()))
    sized = dict(zip(targets, weigher.size(targets), strict=True))
    for parameter, index, value in entries:
        target = kept.get((parameter, index))
        if target is None:
            rows.append(_row(parameter, index, value, (0.0, 0.0, 0), 0.0))
            continue
        device = sized[target]
        size = (device.size.w_m, device.size.l_m, device.size.m)
        expected = device.gain if value > 0 else -device.gain
        rows.append(_row(parameter, index, value, size, expected))
    return rows, problems


def _row(
    parameter: str,
    index: tuple[int, ...],
    value: float,
    size: tuple[float, float, int],
    expected: float,
) -> Row:
    w_m, l_m, m = size
    return Row(
        parameter=parameter,
        index=index,
        software_value=value,
        instance=instance_name(parameter, index),
        role="bias" if parameter.endswith(".bias") else "weight",
        device="none" if m == 0 else "pmos" if value > 0 else "nmos",
        w_m=w_m,
        l_m=l_m,
        m=m,
        bias_current_a=None,
        expected_value=expected,
        relative_error=0.0 if value == 0 else expected / value - 1,
        note="" if m else "zero: no connection",
    )
