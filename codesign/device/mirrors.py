"""Mirrors: the length that makes each copy exact, and the ratio a length gives.

Unit devices in parallel make the ratio of a weight; what remains is the output conductance: the
copy's drain sits at another voltage than the diode's. One length per kind of copy (per pair of
diode and destination) takes that out. All ratios here are measured at the operating point of
the destination, at one unit current.

Bias currents need any value, not only multiples of a unit: they are ``m`` devices of a length
between one and three unit lengths, or as long as the models go.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.device.bench import ProcessPoint

LAYOUT_GRID_M = 5e-9
_TRIM_SPAN = np.linspace(0.94, 1.10, 17)
_RATIO_POINTS = 23
_LONGEST_BIAS = 3.0


@dataclass(frozen=True)
class Trim:
    """Length of one kind of copying device and the gain that remains with it."""

    l_m: float
    gain: float


@dataclass(frozen=True)
class RatioTable:
    """Output of one device (m = 1) against its length, in unit currents; decreasing."""

    l_m: tuple[float, ...]
    ratio: tuple[float, ...]

    def size(self, target_units: float) -> tuple[int, float, float]:
        """(m, length, expected ratio) of the mirror output that carries ``target_units``.

        The smallest m whose length stays within the table; lengths are on the layout grid.
        """
        lengths, ratios = np.asarray(self.l_m), np.asarray(self.ratio)
        m = max(1, math.ceil(target_units / ratios[0] - 1e-9))
        wanted = np.interp(target_units / m, ratios[::-1], lengths[::-1])
        l_m = round(float(wanted) / LAYOUT_GRID_M) * LAYOUT_GRID_M
        return m, l_m, m * float(np.interp(l_m, lengths, ratios))

    @property
    def smallest(self) -> float:
        """Smallest current in unit currents that one device within the table gives."""
        return self.ratio[-1]


@dataclass(frozen=True)
class MirrorCalibration:
    """Every mirror constant the mapper needs, measured at one process point.

    ``p_to_sum``: P line into a summing node (or an N line); ``n_to_sum``: N line into a summing
    node; ``n_to_p``: N line into a P diode; ``*_to_readout``: into the readout voltage;
    ``bias_p``: reference P line into a cell's N bias diode; ``bias_n``: reference N line into a
    cell's P bias diode.
    """

    p_to_sum: Trim
    n_to_sum: Trim
    n_to_p: Trim
    p_to_readout: Trim
    n_to_readout: Trim
    bias_p: RatioTable
    bias_n: RatioTable


def measure_mirrors(point: ProcessPoint) -> MirrorCalibration:
    """Measure all mirror constants in one operating point of ngspice."""
    hw = point.hardware
    trims = {
        "p_to_sum": ("p", f"{{d}} {{d}} 0 0 {point.pdk.nmos} {_unit(point)}"),
        "n_to_p": ("n", f"{{d}} {{d}} vdd vdd {point.pdk.pmos} {_unit(point)}"),
        "n_to_sum": ("n", None),
        "p_to_readout": ("p", None),
        "n_to_readout": ("n", None),
        "bias_p": ("p", f"{{d}} {{d}} 0 0 {point.pdk.nmos} {_cell(point)}"),
        "bias_n": ("n", f"{{d}} {{d}} vdd vdd {point.pdk.pmos} {_cell(point)}"),
    }
    body = (
        f"ip gp 0 {hw.unit_current_a:.9g}\nmrp gp gp vdd vdd {point.pdk.pmos} {_unit(point)}\n"
        f"in vdd gn {hw.unit_current_a:.9g}\nmrn gn gn 0 0 {point.pdk.nmos} {_unit(point)}\n"
    )
    vectors: list[str] = []
    lengths: dict[str, NDArray[np.float64]] = {}
    for kind, (polarity, load) in trims.items():
        is_bias = kind.startswith("bias")
        lengths[kind] = hw.unit_l_m * (bias_span(point) if is_bias else _TRIM_SPAN)
        for k, l_m in enumerate(lengths[kind]):
            name, drain = f"{kind}_{k}", f"d_{kind}_{k}"
            rail, model = ("vdd", point.pdk.pmos) if polarity == "p" else ("0", point.pdk.nmos)
            m = 1 if is_bias else hw.weight_grid
            body += (
                f"m{name} {drain} g{polarity} {rail} {rail} {model} "
                f"w={hw.unit_w_m:.6g} l={l_m:.6g} m={m}\n"
            )
            if load is not None:
                body += f"ml{name} {load.format(d=drain)}\n"
            elif kind == "n_to_sum":
                body += f"e{name} {drain} 0 gn 0 1\n"
            else:
                body += f"v{name} {drain} 0 {hw.readout_v:.6g}\n"
            vectors.append(f"@m{name}[id]")
    # A `write` with a long list of vectors drops some silently; without a list it writes all
    # that were saved.
    saves = "".join(f".save {vector}\n" for vector in vectors)
    body += f"{saves}.control\nop\nwrite out.raw\n.endc\n"
    (plot,) = point.run_dc("mirror gains", body)
    ratios = {
        kind: np.array([abs(plot[f"@m{kind}_{k}[id]"][0]) for k in range(len(lengths[kind]))])
        / hw.unit_current_a
        for kind in trims
    }
    return MirrorCalibration(
        p_to_sum=_trim(lengths["p_to_sum"], ratios["p_to_sum"]),
        n_to_sum=_trim(lengths["n_to_sum"], ratios["n_to_sum"]),
        n_to_p=_trim(lengths["n_to_p"], ratios["n_to_p"]),
        p_to_readout=_trim(lengths["p_to_readout"], ratios["p_to_readout"]),
        n_to_readout=_trim(lengths["n_to_readout"], ratios["n_to_readout"]),
        bias_p=_table(lengths["bias_p"], ratios["bias_p"]),
        bias_n=_table(lengths["bias_n"], ratios["bias_n"]),
    )


def longest_bias(unit_l_m: float, l_max_m: float) -> float:
    """The longest bias mirror in unit lengths, where channels are ``l_max_m`` at most."""
    return min(_LONGEST_BIAS, l_max_m / unit_l_m)


def bias_span(point: ProcessPoint) -> NDArray[np.float64]:
    """Lengths of bias mirrors that are measured, in unit lengths."""
    longest = longest_bias(point.hardware.unit_l_m, point.pdk.limits.l_max_m)
    return np.asarray(np.geomspace(1.0, longest, _RATIO_POINTS))


def _unit(point: ProcessPoint) -> str:
    hw = point.hardware
    return f"w={hw.unit_w_m:.6g} l={hw.unit_l_m:.6g} m={hw.weight_grid}"


def _cell(point: ProcessPoint) -> str:
    return f"w={point.hardware.cell_w_m:.6g} l={point.hardware.cell_l_m:.6g}"


def _trim(lengths: NDArray[np.float64], ratios: NDArray[np.float64]) -> Trim:
    wanted = float(np.interp(1.0, ratios[::-1], lengths[::-1]))
    l_m = round(wanted / LAYOUT_GRID_M) * LAYOUT_GRID_M
    return Trim(l_m, float(np.interp(l_m, lengths, ratios)))


def _table(lengths: NDArray[np.float64], ratios: NDArray[np.float64]) -> RatioTable:
    return RatioTable(tuple(map(float, lengths)), tuple(map(float, ratios)))
