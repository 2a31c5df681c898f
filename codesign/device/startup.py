"""Does the reference start? A supply ramp from nothing, and what reset does meanwhile.

The deck is the reference with the line it feeds, in transient, from 0 V: no initial condition, no
first guess. What is read is the current in the end, and the supply and the current at the moment
reset is released.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.circuit.testbench import TRANSIENT_OPTIONS
from codesign.device.bench import ProcessPoint
from codesign.device.reference import INSTANCE, ReferenceSizes, bench
from codesign.errors import EnvironmentMissing
from codesign.spice.ngspice import run_text
from codesign.spice.rawfile import Plot

# What the power-on reset drives: the reset transistors of some tens of cells and their wiring.
RESET_LOAD_F = 1e-13
# Settling after the ramp, in units of what the reference current does to a picofarad in a volt.
_SETTLING_CV_S = 1e-12
_SETTLING = 20.0
_POINTS = 2000


@dataclass(frozen=True)
class StartUp:
    """A supply ramp of ``ramp_s``: ``current_a`` in the end and ``peak_a`` on the way.

    The end is the median of the last tenth: single steps of the solver are off by a percent.

    ``released_s`` is when reset falls for the last time, with the supply and the current of that
    moment; all three are None when reset never rose above half the supply or never fell.
    """

    ramp_s: float
    current_a: float
    peak_a: float
    released_s: float | None
    released_supply_v: float | None
    released_current_a: float | None


def start_up(point: ProcessPoint, sizes: ReferenceSizes, ramp_s: float) -> StartUp:
    """Ramp the supply of ``point`` up from 0 V in ``ramp_s`` and wait until all has settled.

    Raises EnvironmentMissing when ngspice does not finish.
    """
    plot = ramp(point, sizes, [(0.0, 0.0), (ramp_s, point.hardware.supply_v)])
    time_s, current_a = plot.scale, plot["i(vout)"]
    at = _released(time_s, plot["v(rst)"], plot["v(vdd)"])
    there = (None, None) if at is None else tuple(
        float(np.interp(at, time_s, plot[name])) for name in ("v(vdd)", "i(vout)")
    )  # fmt: skip
    return StartUp(ramp_s, settled(plot, "i(vout)"), float(current_a.max()), at, *there)


def ramp(point: ProcessPoint, sizes: ReferenceSizes, supply: list[tuple[float, float]]) -> Plot:
    """Waveforms of the reference on a supply of these (time, volts) corners, and some time after.

    Vectors: ``v(vdd)``, ``v(rst)``, ``i(vout)`` (the unit current), ``i(vtree)`` (what the
    reference draws). Raises EnvironmentMissing when ngspice does not finish.
    """
    hw = point.hardware
    settle_s = _SETTLING * _SETTLING_CV_S * hw.supply_v / hw.unit_current_a
    stop_s = supply[-1][0] + settle_s
    step_s = stop_s / _POINTS
    corners = " ".join(f"{time:.9g} {volts:.6g}" for time, volts in supply)
    saved = ("v(vdd)", "v(rst)", "i(vout)", "i(vtree)")
    deck = (
        f"* start-up of the reference\n{point.pdk.header(hw.corner)}{TRANSIENT_OPTIONS}\n"
        f".temp {hw.temperature_c:g}\n{point.library()}vdd vdd 0 pwl({corners})\n"
        f"{bench(point, sizes)}vclear clear 0 0\ncload rst 0 {RESET_LOAD_F:g}\n"
        + "".join(f".save {name}\n" for name in saved)
        + f".tran {step_s:.6g} {stop_s:.6g} 0 {5 * step_s:.6g}\n"
        ".control\nrun\nwrite out.raw\n.endc\n.end\n"
    )
    outcome = run_text(point.ngspice, deck)
    if outcome.status != "ok":
        raise EnvironmentMissing(
            f"The start-up of the reference ({INSTANCE}) could not be simulated "
            f"({outcome.status}: {outcome.message})."
        )
    return outcome.plots[0]


def settled(plot: Plot, vector: str) -> float:
    """A vector at the end of a transient: its median over the last tenth."""
    late = plot.scale >= 0.9 * plot.scale[-1]
    return float(np.median(plot[vector][late]))


def _released(
    time_s: NDArray[np.float64], reset_v: NDArray[np.float64], supply_v: NDArray[np.float64]
) -> float | None:
    """When reset was above half the supply for the last time, if it is below in the end."""
    # Below this no transistor conducts, and half of nothing is no level.
    high = np.flatnonzero((reset_v > supply_v / 2) & (supply_v > 0.3))
    if not len(high) or high[-1] == len(time_s) - 1:
        return None
    return float(time_s[high[-1]])
