"""Node capacitances, the time constant of a line by current, and the tail of a discharge.

A line is a diode with its readers. Its charge moves as C dv/dt = I_in - I, and as the diode's
current is exponential in v, a small step settles with tau = C n V_T / I. When the input ends, the
line falls as I(t) = Q / (t + tau), Q = C n V_T: not exponentially but as 1/t, and what it still
carries late depends on the line alone, not on what it carried. ``node_capacitance`` is from
small-signal currents at the terminals, ``time_constant`` and ``discharge`` from transients; the
capacitance of the one is compared with that of the other.
"""

import numpy as np
import pandas as pd

from codesign.device.bench import ProcessPoint
from codesign.device.calibrate import Calibration
from codesign.device.capacitance import measure_capacitances
from codesign.device.geometry import Geometry
from codesign.device.sweeps.bench import POLARITIES, Floats, model, rail, vector
from codesign.device.sweeps.sweep import Sweep
from codesign.spice.rawfile import Plot

SCHEMA = 3
CURRENTS_A = (5e-11, 2e-10, 1e-9, 5e-9)
# Readers of a typical line, in unit devices: eight weights of half a unit on a grid of eight.
READERS = 32
_STEP = 0.02
_HIGHEST_V = 1.0
_POINTS = 120
_SIGNAL_V = 0.5
_SLOPE_V = 0.04
_KELVIN = 273.15
_K_OVER_Q = 8.617333e-5


def measure(calibration: Calibration) -> dict[str, Sweep]:
    """``node_capacitance``, ``time_constant`` and ``discharge``."""
    point = calibration.point
    capacitance = _capacitances(point)
    times, tails, figures = [], [], {}
    for polarity in POLARITIES:
        for current in CURRENTS_A:
            row, tail = _line(point, polarity, current, capacitance)
            times.append(row)
            tails.append(tail)
    table = pd.DataFrame(times)
    for polarity in POLARITIES:
        part = table[table["polarity"] == polarity]
        near = part.iloc[int(np.argmin(np.abs(part["current_a"] - point.hardware.unit_current_a)))]
        name = "nmos" if polarity == "n" else "pmos"
        figures[f"{name}_line_tau_s"] = float(near["tau_s"])
        figures[f"{name}_line_capacitance_f"] = float(near["capacitance_f"])
        figures[f"{name}_line_tail_charge_c"] = float(near["tail_charge_c"])
    return {
        "node_capacitance": Sweep(capacitance, {}),
        "time_constant": Sweep(table, figures),
        "discharge": Sweep(pd.concat(tails, ignore_index=True), {}),
    }


def _capacitances(point: ProcessPoint) -> pd.DataFrame:
    hw = point.hardware
    sizes = {
        "unit": (hw.unit_w_m, hw.unit_l_m),
        "cell": (hw.cell_w_m, hw.cell_l_m),
        "switch": (hw.switch_w_m, hw.switch_l_m),
    }
    high = min(_HIGHEST_V, hw.supply_v)
    parts = []
    for polarity in POLARITIES:
        geometries = [Geometry(polarity, *size) for size in sizes.values()]
        span = ([0.0] * len(geometries), [high] * len(geometries))
        measured = measure_capacitances(point, geometries, *span)
        for device, capacitance in zip(sizes, measured, strict=True):
            gates = np.linspace(0.2, 0.8 * high, 13)
            parts.append(
                pd.DataFrame(
                    {
                        "polarity": polarity,
                        "device": device,
                        "gate_v": gates,
                        "gate_f": 1e-15 * np.polynomial.Polynomial(capacitance.gate)(gates),
                        "drain_f": 1e-15 * capacitance.drain,
                        "gate_drain_f": 1e-15 * capacitance.gate_drain,
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def _line(
    point: ProcessPoint, polarity: str, current_a: float, capacitance: pd.DataFrame
) -> tuple[dict[str, float | str], pd.DataFrame]:
    """One line: two transients, a small step up and the end of its current."""
    # A first guess of tau decides how long to look; a signal's gate voltage is about this.
    signal_v = _SIGNAL_V if polarity == "n" else point.hardware.supply_v - _SIGNAL_V
    sketch = _small_signal(point, polarity, signal_v, capacitance) * _SLOPE_V / current_a
    step = _transient(point, polarity, current_a, sketch, f"{1 + _STEP}")
    tau = _settling(step)
    fall = _transient(point, polarity, current_a, 40 * tau, "0", fine=tau / 10)
    gate, current = vector(step, "v(x)"), _current(step)
    # n V_T at this current: how far the line's voltage moves per logarithm of current.
    slope_v = abs(float((gate[-1] - gate[0]) / np.log(current[-1] / current[0])))
    time, falling = np.asarray(fall.scale, float), _current(fall)
    start = _start(40 * tau)
    # Late enough to be a tail, and not yet at what a hot device leaks.
    late = np.linspace(10 * tau, 40 * tau, 20)
    carried = np.interp(start + late, time, falling)
    # I = Q / (t + tau'): the inverse of the current is a straight line whose slope is 1 / Q.
    charge = 1 / float(np.polyfit(late, 1 / carried, 1)[0])
    row: dict[str, float | str] = {
        "polarity": polarity,
        "readers": READERS,
        "current_a": current_a,
        "tau_s": tau,
        "slope_v": slope_v,
        "slope_factor": slope_v / (_K_OVER_Q * (point.hardware.temperature_c + _KELVIN)),
        "capacitance_f": tau * current_a / slope_v,
        "small_signal_f": _small_signal(point, polarity, float(gate[0]), capacitance),
        "tail_charge_c": charge,
        "charge_c": tau * current_a,
    }
    shown = np.geomspace(tau / 20, 390 * tau, _POINTS)
    tail = pd.DataFrame(
        {
            "polarity": polarity,
            "start_a": current_a,
            "time_s": shown,
            "current_a": np.interp(start + shown, time, falling),
            "one_over_t_a": charge / (shown + charge / current_a),
        }
    )
    return row, tail


def _small_signal(
    point: ProcessPoint, polarity: str, gate_v: float, capacitance: pd.DataFrame
) -> float:
    """The same line's capacitance from the table: gates of diode and readers, the diode's drain."""
    chosen = (capacitance["polarity"] == polarity) & (capacitance["device"] == "unit")
    unit = capacitance[chosen]
    drive = gate_v if polarity == "n" else point.hardware.supply_v - gate_v
    gate = float(np.interp(drive, unit["gate_v"], unit["gate_f"]))
    grid = point.hardware.weight_grid
    return (grid + READERS) * gate + grid * float(unit["drain_f"].iloc[0])


def _start(scale_s: float) -> float:
    return 0.1 * scale_s


def _transient(
    point: ProcessPoint,
    polarity: str,
    current_a: float,
    scale_s: float,
    factor: str,
    fine: float | None = None,
) -> Plot:
    """The line after its current steps to ``factor`` times itself, for ten times ``scale_s``."""
    hw = point.hardware
    size = f"w={hw.unit_w_m:.9g} l={hw.unit_l_m:.9g}"
    ends = "vdd x" if polarity == "n" else "x 0"
    kind, source = model(point, polarity), rail(polarity)
    start, end = _start(scale_s), 10 * scale_s
    edge = (fine or scale_s) / 100
    after = float(factor) * current_a
    body = (
        f"ix {ends} pwl(0 {current_a:.9g} {start:.9g} {current_a:.9g} {start + edge:.9g} "
        f"{after:.9g})\nmx x x {source} {source} {kind} {size} m={hw.weight_grid}\n"
        f"vmid mid 0 {hw.supply_v / 2:.6g}\n"
        f"mread mid x {source} {source} {kind} {size} m={READERS}\n.save v(x) @mx[id]\n"
        f".options method=gear\n.control\n"
        f"tran {scale_s / 200:.9g} {end:.9g} 0 {scale_s / 100:.9g}\nwrite out.raw\n.endc\n"
    )
    (plot,) = point.run_dc("time constants", body)
    return plot


def _current(plot: Plot) -> Floats:
    return np.abs(vector(plot, "@mx[id]"))


def _settling(plot: Plot) -> float:
    """Time constant of a small step: the slope of the logarithm of what is missing."""
    time, current = np.asarray(plot.scale, float), _current(plot)
    missing = (current[-1] - current) / (current[-1] - current[0])
    inside = (missing < 0.7) & (missing > 0.1)
    slope = np.polyfit(time[inside], np.log(missing[inside]), 1)[0]
    return float(-1 / slope)
