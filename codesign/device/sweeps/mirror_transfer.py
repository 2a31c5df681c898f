"""Mirror transfer: what an untrimmed copy carries against its input and its drain voltage.

A diode of the unit device (the grid's number in parallel) or of the cell mirror carries the input;
a copy of the same size has its drain at a swept voltage. What the copy carries beyond its input is
its output conductance, what it lacks at small voltages is the end of saturation.
"""

import numpy as np
import pandas as pd

from codesign.device.calibrate import Calibration
from codesign.device.sweeps.bench import (
    POLARITIES,
    device_size,
    driven_diode,
    log_span,
    model,
    rail,
    vector,
)
from codesign.device.sweeps.sweep import Sweep

SCHEMA = 1
CURRENTS_A = tuple(float(i) for i in np.geomspace(5e-11, 2e-8, 14))
_DRAIN_STEP_V = 0.05
_SATURATED = 0.95


def measure(calibration: Calibration) -> dict[str, Sweep]:
    """``mirror_transfer``: polarity, device, input_a, drain_v (magnitude), output_a, gain."""
    point = calibration.point
    supply = point.hardware.supply_v
    body = "vx lni 0 0\nvd across 0 0\n"
    for polarity in POLARITIES:
        for device in ("unit", "cell"):
            name, size = f"{polarity}{device}", device_size(point.hardware, device)
            body += driven_diode(point, f"g{name}", polarity, size, "exp(v(lni))")
            drain = "across 0 1" if polarity == "n" else "across 0 -1"
            body += (
                f"ed{name} d{name} {rail(polarity)} {drain}\nvd{name} d{name} e{name} 0\n"
                f"mo{name} e{name} g{name} {rail(polarity)} {rail(polarity)} "
                f"{model(point, polarity)} {size}\n.save @mg{name}[id] i(vd{name})\n"
            )
    drains = np.arange(0, supply + 1e-9, _DRAIN_STEP_V)
    body += (
        f".control\ndc vd 0 {drains[-1] + _DRAIN_STEP_V / 4:.9g} {_DRAIN_STEP_V} "
        f"{log_span('vx', CURRENTS_A)}\nwrite out.raw\n.endc\n"
    )
    (plot,) = point.run_dc("mirror transfer", body)
    parts = []
    for polarity in POLARITIES:
        for device in ("unit", "cell"):
            name = f"{polarity}{device}"
            given, carried = np.abs(vector(plot, f"@mg{name}[id]")), vector(plot, f"i(vd{name})")
            carried = carried if polarity == "n" else -carried
            parts.append(
                pd.DataFrame(
                    {
                        "polarity": polarity,
                        "device": device,
                        "input_a": given,
                        "drain_v": np.tile(drains, len(CURRENTS_A)),
                        "output_a": carried,
                        "gain": carried / given,
                    }
                )
            )
    table = pd.concat(parts, ignore_index=True)
    return {"mirror_transfer": Sweep(table, _figures(table, supply))}


def _figures(table: pd.DataFrame, supply_v: float) -> dict[str, float]:
    figures: dict[str, float] = {}
    for (polarity, device), part in table.groupby(["polarity", "device"]):
        grid = part["gain"].to_numpy().reshape(len(CURRENTS_A), -1)
        drains = part["drain_v"].to_numpy()[: grid.shape[1]]
        near = int(np.argmin(np.abs(np.asarray(CURRENTS_A) - 1e-9)))
        low, high = (int(np.argmin(np.abs(drains - v))) for v in (0.4, supply_v - 0.2))
        slope = (grid[near, high] - grid[near, low]) / (drains[high] - drains[low])
        name = f"{'nmos' if polarity == 'n' else 'pmos'}_{device}"
        figures[f"{name}_output_conductance_percent_per_v"] = float(
            100 * slope / grid[near, (low + high) // 2]
        )
        middle = grid[:, (low + high) // 2]
        reached = grid >= _SATURATED * middle[:, None]
        figures[f"{name}_saturation_v"] = float(drains[reached.argmax(axis=1)].max())
    return figures
