"""Mismatch sensitivities by finite differences in ngspice, and the spread they predict.

``mirror_sensitivity``: how the logarithm of a copy's current follows its threshold shift and its
mobility, by current. ``cell_sensitivity``: the same for the thresholds and the gain of one cell,
for each of its transistors and its bias diodes. Sigmas are first order under the PDK's law: the
root of the summed squares of sensitivity times the device's own sigma. The bias mirrors (PMOS from
the reference line) and the turn of the candidate are not in it.
"""

import math
import re

import numpy as np
import pandas as pd

from codesign.device.bench import ProcessPoint
from codesign.device.calibrate import Calibration
from codesign.device.cell_loops import Alteration, Loop, measure_loops
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
SHIFT_V = 1e-3
FACTOR = 1.01
# A cell in the middle of what networks use: (beta_hi, width, alpha) in units.
CELL_TARGET = (1.0, 0.5, 1.0)
_CHUNK = 12
_NAMES = {"n": "nmos", "p": "pmos"}


def measure(calibration: Calibration) -> dict[str, Sweep]:
    """``mirror_sensitivity`` and ``cell_sensitivity``."""
    return {
        "mirror_sensitivity": _mirrors(calibration.point),
        "cell_sensitivity": _cells(calibration),
    }


def _mirrors(point: ProcessPoint) -> Sweep:
    hw, law = point.hardware, point.pdk.mismatch
    changes = {
        "up": f"delvto={SHIFT_V:g}", "down": f"delvto={-SHIFT_V:g}",
        "more": f"mulu0={FACTOR:.9g}", "less": f"mulu0={1 / FACTOR:.9g}",
    }  # fmt: skip
    body = f"vx lni 0 0\nvmid mid 0 {hw.supply_v / 2:.6g}\n"
    for polarity in POLARITIES:
        for device in ("unit", "cell"):
            name, size = f"{polarity}{device}", device_size(hw, device)
            body += driven_diode(point, name, polarity, size, "exp(v(lni))")
            body += f".save @m{name}[id]\n"
            for change, text in changes.items():
                body += (
                    f"m{name}{change} mid {name} {rail(polarity)} {rail(polarity)} "
                    f"{model(point, polarity)} {size} {text}\n.save @m{name}{change}[id]\n"
                )
    body += f".control\ndc {log_span('vx', CURRENTS_A)}\nwrite out.raw\n.endc\n"
    (plot,) = point.run_dc("mirror sensitivities", body)
    parts, figures = [], {}
    sizes = {
        "unit": (hw.unit_w_m, hw.unit_l_m, hw.weight_grid),
        "cell": (hw.cell_w_m, hw.cell_l_m, 1),
    }
    for polarity in POLARITIES:
        for device, drawn in sizes.items():
            name = f"{polarity}{device}"
            current = {c: np.abs(vector(plot, f"@m{name}{c}[id]")) for c in changes}
            by_shift = np.log(current["up"] / current["down"]) / (2 * SHIFT_V)
            by_mobility = np.log(current["more"] / current["less"]) / (2 * math.log(FACTOR))
            sigma_vth = law.sigma_vth_v(_NAMES[polarity], *drawn)
            sigma_k = law.sigma_k(_NAMES[polarity], *drawn)
            pair = math.sqrt(2) * np.hypot(by_shift * sigma_vth, by_mobility * sigma_k)
            parts.append(
                pd.DataFrame(
                    {
                        "polarity": polarity,
                        "device": device,
                        "current_a": np.abs(vector(plot, f"@m{name}[id]")),
                        "dlni_ddelvto_per_v": by_shift,
                        "dlni_dlnmulu0": by_mobility,
                        "sigma_vth_v": sigma_vth,
                        "sigma_mulu0": sigma_k,
                        "pair_sigma": pair,
                    }
                )
            )
            near = int(np.argmin(np.abs(np.asarray(CURRENTS_A) - hw.unit_current_a)))
            figures[f"{_NAMES[polarity]}_{device}_pair_sigma"] = float(pair[near])
            figures[f"{_NAMES[polarity]}_{device}_gm_over_i_per_v"] = float(abs(by_shift[near]))
    return Sweep(pd.concat(parts, ignore_index=True), figures)


def cell_devices(point: ProcessPoint) -> dict[str, tuple[str, tuple[float, float, int]]]:
    """Polarity and (w, l, m) of each transistor of the cell and its bias diodes, by name."""
    hw = point.hardware
    sizes = {
        "u": (hw.unit_w_m, hw.unit_l_m, int(hw.weight_grid)),
        "c": (hw.cell_w_m, hw.cell_l_m, 1),
        "s": (hw.switch_w_m, hw.switch_l_m, 1),
    }
    library = point.library()
    start = library.index(f".subckt bmru_{hw.cell} ")
    block = library[start : library.index(f".ends bmru_{hw.cell}", start)]
    devices = {}
    for line in re.findall(r"(?m)^m\S+ .*$", block):
        words = line.split()
        kind = re.search(r"w=\{w(.)\}", line)
        assert kind is not None  # the library's own dialect
        devices[words[0]] = ("n" if words[5] == point.pdk.nmos else "p", sizes[kind[1]])
    for name in ("mthr", "mwid", "mgain"):
        devices[name] = ("n", sizes["c"])
    if hw.cell == "strobed":
        devices["mhold"] = ("p", sizes["c"])
    return devices


def _cells(calibration: Calibration) -> Sweep:
    point, law = calibration.point, calibration.point.pdk.mismatch
    devices = cell_devices(point)
    bias = calibration.cell_map.program(*CELL_TARGET)
    changes = [
        Alteration(name, delvto_v=shift, mulu0=factor)
        for name in devices
        for shift, factor in ((SHIFT_V, 1.0), (-SHIFT_V, 1.0), (0.0, FACTOR), (0.0, 1 / FACTOR))
    ]
    loops: list[Loop] = []
    for start in range(0, len(changes), _CHUNK):
        chunk = changes[start : start + _CHUNK]
        loops += measure_loops(point, calibration.mirrors, [bias] * len(chunk), altered=chunk)
    values = np.array([(lo.beta_hi_a, lo.beta_hi_a - lo.beta_lo_a, lo.alpha_a) for lo in loops])
    values = values.reshape(len(devices), 4, 3)
    by_shift = np.log(values[:, 0] / values[:, 1]) / (2 * SHIFT_V)
    by_mobility = np.log(values[:, 2] / values[:, 3]) / (2 * math.log(FACTOR))
    rows, variances = [], np.zeros(3)
    for k, (name, (polarity, size)) in enumerate(devices.items()):
        sigma_vth = law.sigma_vth_v(_NAMES[polarity], *size)
        sigma_k = law.sigma_k(_NAMES[polarity], *size)
        parts = np.hypot(by_shift[k] * sigma_vth, by_mobility[k] * sigma_k)
        variances += parts**2
        row: dict[str, object] = {"device": name, "polarity": polarity}
        for q, quantity in enumerate(("beta_hi", "width", "alpha")):
            row[f"dln_{quantity}_ddelvto_per_v"] = by_shift[k, q]
            row[f"dln_{quantity}_dlnmulu0"] = by_mobility[k, q]
            row[f"{quantity}_sigma"] = parts[q]
        rows.append(row)
    figures = {
        f"cell_{name}_sigma": float(np.sqrt(variances[q]))
        for q, name in enumerate(("beta_hi", "width", "alpha"))
    }
    return Sweep(pd.DataFrame(rows), figures)
