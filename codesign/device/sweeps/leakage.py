"""Leakage: what a device carries that should carry nothing, and how much of it is the simulator's.

The gate is at its source, the drain is swept. The current is measured with two values of gmin, the
conductance the simulator puts across junctions; what is proportional to gmin is shown apart and is
no property of the process.
"""

import numpy as np
import pandas as pd

from codesign.device.bench import ProcessPoint
from codesign.device.calibrate import Calibration
from codesign.device.sweeps.bench import POLARITIES, device_size, model, rail, vector
from codesign.device.sweeps.sweep import Sweep, at_temperature
from codesign.device.sweeps.unit_ratio import TEMPERATURES_C
from codesign.flows import HardwareSection

SCHEMA = 1
# ngspice's value in this package's transients; and one ten times that, to find its part.
GMIN_S = 1e-15
_DEVICES = ("unit", "cell", "switch")
_DRAIN_STEP_V = 0.1


def measure(calibration: Calibration) -> dict[str, Sweep]:
    """``leakage``: temperature_c, polarity, device, drain_v, leakage_a, gmin_a (at 1e-15 S)."""
    nominal = calibration.point.hardware.temperature_c
    table = pd.concat(
        [
            _measure(at_temperature(calibration.point, temperature))
            for temperature in sorted({*TEMPERATURES_C, nominal})
        ],
        ignore_index=True,
    )
    figures = {}
    at_supply = table[table["drain_v"] == table["drain_v"].max()]
    for (temperature, polarity, device), part in at_supply.groupby(
        ["temperature_c", "polarity", "device"]
    ):
        name = f"leakage_{'nmos' if polarity == 'n' else 'pmos'}_{device}_{temperature:g}c_a"
        figures[name.replace("-", "minus_")] = float(part["leakage_a"].iloc[0])
    figures["leakage_gmin_a"] = float(at_supply["gmin_a"].max())
    return {"leakage": Sweep(table, figures)}


def _measure(point: ProcessPoint) -> pd.DataFrame:
    names = [(polarity, device) for polarity in POLARITIES for device in _DEVICES]
    body = "vd across 0 0\n"
    for polarity, device in names:
        name, source = f"{polarity}{device}", rail(polarity)
        body += (
            f"ed{name} e{name} {source} across 0 {1 if polarity == 'n' else -1}\n"
            f"vd{name} e{name} d{name} 0\n"
            f"m{name} d{name} {source} {source} {source} {model(point, polarity)} "
            f"{_size(point.hardware, device)}\n.save i(vd{name})\n"
        )
    sweep = f"dc vd 0 {point.hardware.supply_v + _DRAIN_STEP_V / 4:.9g} {_DRAIN_STEP_V}"
    body += (
        f".control\nset appendwrite\noption gmin={GMIN_S:g}\n{sweep}\nwrite out.raw\n"
        f"option gmin={10 * GMIN_S:g}\n{sweep}\nwrite out.raw\n.endc\n"
    )
    small, large = point.run_dc("leakage", body)
    parts = []
    for polarity, device in names:
        sign = 1 if polarity == "n" else -1
        first, second = (sign * vector(plot, f"i(vd{polarity}{device})") for plot in (small, large))
        gmin = (second - first) / 9
        parts.append(
            pd.DataFrame(
                {
                    "temperature_c": point.hardware.temperature_c,
                    "polarity": polarity,
                    "device": device,
                    "drain_v": np.round(np.asarray(small.scale, float), 6),
                    "leakage_a": first - gmin,
                    "gmin_a": gmin,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _size(hardware: HardwareSection, device: str) -> str:
    if device == "switch":
        return f"w={hardware.switch_w_m:.9g} l={hardware.switch_l_m:.9g} m=1"
    return device_size(hardware, device)
