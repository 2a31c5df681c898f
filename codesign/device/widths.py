"""Continuous weights: the W, L and m that make any ratio, by look-up and then by measurement.

Width is not weight: below threshold the current per micrometre depends on the width, and how much
it does depends on the temperature. Two ways to any ratio follow, and both are measured rather than
computed:

    continuous  m devices of the unit width, as few as can, of one length between the unit length
                and ``LONGEST`` of it; only below the ratio of one such device is it narrower
    single      one device as wide as it takes at the unit length; a weight below the narrowest
                such device has that width and a longer channel

No device is narrower than ``NARROWEST_M``, where widths behave unpredictably. A table of gains over
(W, L), measured for each destination, gives a first size; then the very devices of a design are
measured and their lengths corrected, until what is left is the layout grid.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from codesign.device.bench import ProcessPoint
from codesign.device.cache import cached
from codesign.device.copies import Copy, Kind, Size, measure_copies
from codesign.device.mirrors import LAYOUT_GRID_M

Style = Literal["continuous", "single"]

NARROWEST_M = 1e-6
# Longer channels than this (in unit lengths) drift by more than 1 % over temperature.
LONGEST = 2.0
# A single device wider than this is drawn as several.
WIDEST_M = 4e-5
WEIGHT_KINDS: tuple[Kind, ...] = ("p_to_sum", "n_to_sum", "p_to_readout", "n_to_readout")

_WIDTHS_M = np.array([1.0, 1.1, 1.2, 1.5, 2.0, 3.0, 4.5, 6.5, 10.0, 16.0, 25.0, 40.0]) * 1e-6
_LENGTHS = np.array([0.97, 1.0, 1.03, 1.1, 1.25, 1.5, 1.75, 2.0])
_ROUNDS = 2


@dataclass(frozen=True)
class WidthTable:
    """Gain of one device (m = 1): ``gain[i][j]`` at width ``w_m[i]`` and length ``l_m[j]``.

    Between the points ln(gain L / W) is linear in ln W and in ln L.
    """

    w_m: tuple[float, ...]
    l_m: tuple[float, ...]
    gain: tuple[tuple[float, ...], ...]

    def at(self, w_m: float, l_m: float) -> float:
        """Gain of a device inside the table."""
        w, length = np.asarray(self.w_m), np.asarray(self.l_m)
        flat = np.log(np.asarray(self.gain) * length[None, :] / w[:, None])
        along = [np.interp(math.log(l_m), np.log(length), row) for row in flat]
        return math.exp(np.interp(math.log(w_m), np.log(w), along)) * w_m / l_m

    def length(self, w_m: float, gain: float) -> float:
        """Length at which a device of this width has this gain; the table's end where none has."""
        gains = [self.at(w_m, length) for length in self.l_m]
        wanted = np.interp(math.log(gain), np.log(gains[::-1]), np.log(self.l_m[::-1]))
        return math.exp(float(wanted))

    def width(self, l_m: float, gain: float) -> float:
        """Width at which a device of this length has this gain; the table's end where none has."""
        gains = [self.at(width, l_m) for width in self.w_m]
        return math.exp(float(np.interp(math.log(gain), np.log(gains), np.log(self.w_m))))


@dataclass(frozen=True)
class Sized:
    """The device of one weight and the gain measured with it."""

    size: Size
    gain: float


@dataclass(frozen=True)
class Widths:
    """Tables of all kinds of weights at one process point."""

    tables: Mapping[Kind, WidthTable]
    unit_w_m: float
    unit_l_m: float

    def floor(self, kind: Kind) -> float:
        """Smallest gain a device has: the narrowest and longest."""
        table = self.tables[kind]
        return table.at(NARROWEST_M, LONGEST * self.unit_l_m)

    @property
    def smallest(self) -> float:
        """Smallest gain that every kind of weight reaches."""
        return max(self.floor(kind) for kind in WEIGHT_KINDS)

    def first_size(self, kind: Kind, gain: float, style: Style) -> Size:
        """Size of a copy of this gain by look-up, on the layout grid."""
        table, longest = self.tables[kind], LONGEST * self.unit_l_m
        if style == "single":
            return self._one_wide(table, gain)
        m = max(1, math.ceil(gain / table.at(self.unit_w_m, self.unit_l_m) - 1e-3))
        width = self.unit_w_m
        if gain / m < table.at(width, longest):
            # A step of the grid narrower, so that the length has room to take what is left.
            width = max(NARROWEST_M, snap(table.width(longest, gain / m) - LAYOUT_GRID_M))
        return Size(width, snap(table.length(width, gain / m)), m)

    def _one_wide(self, table: WidthTable, gain: float) -> Size:
        m = math.ceil(gain / table.at(WIDEST_M, self.unit_l_m) - 1e-9)
        # The width takes the coarse step, the length what the layout grid leaves of it.
        width = snap(max(NARROWEST_M, table.width(self.unit_l_m, gain / m)))
        return Size(width, snap(table.length(width, gain / m)), m)


def snap(length_m: float) -> float:
    """The nearest point of the layout grid."""
    return round(round(length_m / LAYOUT_GRID_M) * LAYOUT_GRID_M, 12)


def measure_widths(point: ProcessPoint) -> Widths:
    """Measure the tables of all kinds in one operating point of ngspice.

    Raises EnvironmentMissing when ngspice cannot measure them.
    """
    hw = point.hardware
    widths = np.unique(np.append(_WIDTHS_M, hw.unit_w_m).round(9))
    lengths = _LENGTHS * hw.unit_l_m
    places = [(kind, w, length) for kind in WEIGHT_KINDS for w in widths for length in lengths]
    gains = measure_copies(
        point, [Copy(kind, Size(float(w), float(length))) for kind, w, length in places]
    ).reshape(len(WEIGHT_KINDS), len(widths), len(lengths))
    return Widths(
        {
            kind: _table(widths, lengths, gain)
            for kind, gain in zip(WEIGHT_KINDS, gains, strict=True)
        },
        hw.unit_w_m,
        hw.unit_l_m,
    )


def measured_widths(point: ProcessPoint) -> Widths:
    """The tables of a process point, measured or remembered."""
    return cached("widths", point.key(), lambda: measure_widths(point), asdict, widths_of)


def program_weights(
    point: ProcessPoint, widths: Widths, targets: Sequence[tuple[Kind, float]], style: Style
) -> list[Sized]:
    """Devices for copies of these gains, and the gains measured with them.

    A target below the kind's floor gets the smallest device. The gains returned are those of the
    devices returned, so their distance from the targets is a measurement.
    """
    sizes = [widths.first_size(kind, max(gain, widths.floor(kind)), style)
             for kind, gain in targets]  # fmt: skip
    if not sizes:
        return []
    gains = _measure(point, targets, sizes)
    for _ in range(_ROUNDS):
        corrected = [
            _corrected(size, gain, wanted, widths)
            for size, gain, (_, wanted) in zip(sizes, gains, targets, strict=True)
        ]
        if corrected == sizes:
            break
        sizes, gains = corrected, _measure(point, targets, corrected)
    return [Sized(size, float(gain)) for size, gain in zip(sizes, gains, strict=True)]


def _measure(
    point: ProcessPoint, targets: Sequence[tuple[Kind, float]], sizes: Sequence[Size]
) -> NDArray[np.float64]:
    copies = [Copy(kind, size) for (kind, _), size in zip(targets, sizes, strict=True)]
    return measure_copies(point, copies)


def _corrected(size: Size, gain: float, wanted: float, widths: Widths) -> Size:
    """Gain falls as 1/L, nearly: a step of the length takes out what is missing."""
    length = min(size.l_m * gain / wanted, LONGEST * widths.unit_l_m)
    return Size(size.w_m, snap(length), size.m)


def _table(
    widths: NDArray[np.float64], lengths: NDArray[np.float64], gain: NDArray[np.float64]
) -> WidthTable:
    rows = tuple(tuple(map(float, row)) for row in gain)
    return WidthTable(tuple(map(float, widths)), tuple(map(float, lengths)), rows)


@dataclass(frozen=True)
class MeasuredWeigher:
    """Sizes for weights at a process point: measured once for a set of targets and remembered."""

    point: ProcessPoint
    widths: Widths
    style: Style

    @classmethod
    def at(cls, point: ProcessPoint) -> "MeasuredWeigher | None":
        """The weigher that ``hardware.weights`` asks for; None where weights are unit devices."""
        style = point.hardware.weights
        if style == "unit":
            return None
        return cls(point, measured_widths(point), style)

    def floor(self, kind: Kind) -> float:
        """Smallest ratio a device of this kind has."""
        return self.widths.floor(kind)

    def size(self, targets: Sequence[tuple[Kind, float]]) -> list[Sized]:
        """A device for each ratio, as measured."""
        facts = [self.point.key(), self.style, _WIDTHS_M.tolist(), LONGEST, list(targets)]
        key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
        return cached(
            "weights",
            key,
            lambda: program_weights(self.point, self.widths, targets, self.style),
            lambda sized: {"sized": [asdict(item) for item in sized]},
            lambda stored: [Sized(Size(**item["size"]), item["gain"]) for item in stored["sized"]],
        )


def widths_of(stored: Mapping[str, Any]) -> Widths:
    """Tables as ``dataclasses.asdict`` left them."""
    tables = {
        kind: WidthTable(
            tuple(table["w_m"]), tuple(table["l_m"]), tuple(tuple(row) for row in table["gain"])
        )
        for kind, table in stored["tables"].items()
    }
    return Widths(tables, stored["unit_w_m"], stored["unit_l_m"])
