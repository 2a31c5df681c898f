"""Unit-device ratios: how far a weight of m / grid is from what it says, at real destinations.

The trims (one length per kind of copy) are those of the nominal point and stay as they are when the
temperature changes, as on a chip. The reference diode carries one unit current. The destination is
where such a weight puts its current: a node whose diode carries m / grid units, or the readout.
"""

import numpy as np
import pandas as pd

from codesign.device.bench import ProcessPoint
from codesign.device.calibrate import Calibration
from codesign.device.mirrors import MirrorCalibration
from codesign.device.sweeps.bench import model, rail
from codesign.device.sweeps.sweep import Sweep, at_temperature

SCHEMA = 1
TEMPERATURES_C = (-20.0, 27.0, 85.0)
# (kind, polarity of the copy, what its current flows into).
KINDS = (
    ("p_to_sum", "p", "n"), ("n_to_sum", "n", "level"), ("n_to_p", "n", "p"),
    ("p_to_readout", "p", "readout"), ("n_to_readout", "n", "readout"),
)  # fmt: skip
# Weights up to this many units.
LARGEST_UNITS = 4


def measure(calibration: Calibration) -> dict[str, Sweep]:
    """``unit_ratio``: temperature_c, kind, m, weight_units, gain, error (relative)."""
    nominal = calibration.point.hardware.temperature_c
    temperatures = sorted({*TEMPERATURES_C, nominal})
    table = pd.concat(
        [
            _measure(at_temperature(calibration.point, temperature), calibration.mirrors)
            for temperature in temperatures
        ],
        ignore_index=True,
    )
    return {"unit_ratio": Sweep(table, _figures(table, nominal))}


def _measure(point: ProcessPoint, mirrors: MirrorCalibration) -> pd.DataFrame:
    hw = point.hardware
    unit = f"w={hw.unit_w_m:.9g} l={hw.unit_l_m:.9g} m={hw.weight_grid}"
    body = (
        f"ip gp 0 {hw.unit_current_a:.9g}\nmrp gp gp vdd vdd {point.pdk.pmos} {unit}\n"
        f"in vdd gn {hw.unit_current_a:.9g}\nmrn gn gn 0 0 {point.pdk.nmos} {unit}\n"
    )
    counts = range(1, LARGEST_UNITS * hw.weight_grid + 1)
    for m in counts:
        body += (
            f"il{m} vdd l{m} {hw.unit_current_a * m / hw.weight_grid:.9g}\n"
            f"ml{m} l{m} l{m} 0 0 {point.pdk.nmos} {unit}\n"
        )
        for kind, polarity, into in KINDS:
            name, node = f"{kind}_{m}", f"d_{kind}_{m}"
            l_m = getattr(mirrors, kind).l_m
            body += (
                f"m{name} {node} g{polarity} {rail(polarity)} {rail(polarity)} "
                f"{model(point, polarity)} w={hw.unit_w_m:.9g} l={l_m:.9g} m={m}\n"
                f".save @m{name}[id]\n"
            )
            if into == "readout":
                body += f"v{name} {node} 0 {hw.readout_v:.6g}\n"
            elif into == "level":
                body += f"e{name} {node} 0 l{m} 0 1\n"
            else:
                ends = f"{node} {node} {rail(into)} {rail(into)}"
                body += f"ml{name} {ends} {model(point, into)} {unit}\n"
    body += ".control\nop\nwrite out.raw\n.endc\n"
    (plot,) = point.run_dc("unit-device ratios", body)
    rows = [
        {
            "temperature_c": hw.temperature_c,
            "kind": kind,
            "m": m,
            "weight_units": m / hw.weight_grid,
            "gain": abs(float(plot[f"@m{kind}_{m}[id]"][0].real))
            / hw.unit_current_a
            * hw.weight_grid
            / m,
        }
        for kind, _, _ in KINDS
        for m in counts
    ]
    table = pd.DataFrame(rows)
    table["error"] = table["gain"] - 1
    return table


def _figures(table: pd.DataFrame, nominal_c: float) -> dict[str, float]:
    at_nominal = table[table["temperature_c"] == nominal_c]
    over = table[table["temperature_c"].isin(TEMPERATURES_C)]
    figures = {
        "weight_error_rms_nominal": float(np.sqrt(np.mean(at_nominal["error"] ** 2))),
        "weight_error_worst_nominal": float(at_nominal["error"].abs().max()),
        "weight_error_worst_over_temperature": float(over["error"].abs().max()),
    }
    for kind, part in at_nominal.groupby("kind"):
        figures[f"weight_error_rms_nominal_{kind}"] = float(np.sqrt(np.mean(part["error"] ** 2)))
    for kind, part in over.groupby("kind"):
        figures[f"weight_error_worst_over_temperature_{kind}"] = float(part["error"].abs().max())
    return figures
