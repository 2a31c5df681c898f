"""Line currents: the trimmed gain of each kind of copy over the whole range of a line's current.

Here source and destination carry the same current, from far below to far above the unit current, so
the table says where copies stop being copies: leakage below, headroom and strong inversion above.
``device.range`` reads the supported range from it.
"""

import numpy as np
import pandas as pd

from codesign.device.calibrate import Calibration
from codesign.device.sweeps.bench import device_size, driven_diode, log_span, model, rail, vector
from codesign.device.sweeps.sweep import Sweep

SCHEMA = 1
# (kind, polarity of the copy, what its current flows into).
KINDS = (
    ("p_to_sum", "p", "n"), ("n_to_sum", "n", "level"), ("n_to_p", "n", "p"),
    ("p_to_readout", "p", "readout"), ("n_to_readout", "n", "readout"),
)  # fmt: skip
CURRENTS_A = tuple(float(i) for i in np.geomspace(1e-12, 1e-6, 73))


def measure(calibration: Calibration) -> dict[str, Sweep]:
    """``current_range``: input_a, gain of each kind, and the |Vgs| of both unit and cell diodes."""
    point, mirrors, hw = calibration.point, calibration.mirrors, calibration.point.hardware
    unit = device_size(hw, "unit")
    body = "vx lni 0 0\n"
    for polarity in ("n", "p"):
        for device in ("unit", "cell"):
            size = device_size(hw, device)
            body += driven_diode(point, f"{device}{polarity}", polarity, size, "exp(v(lni))")
            body += f".save v({device}{polarity}) @m{device}{polarity}[id]\n"
    for kind, polarity, into in KINDS:
        node = f"d_{kind}"
        body += (
            f"m{kind} {node} unit{polarity} {rail(polarity)} {rail(polarity)} "
            f"{model(point, polarity)} w={hw.unit_w_m:.9g} l={getattr(mirrors, kind).l_m:.9g} "
            f"m={hw.weight_grid}\n.save @m{kind}[id]\n"
        )
        if into == "readout":
            body += f"v{kind} {node} 0 {hw.readout_v:.6g}\n"
        elif into == "level":
            body += f"e{kind} {node} 0 unitn 0 1\n"
        else:
            body += (
                f"ml{kind} {node} {node} {rail(into)} {rail(into)} {model(point, into)} {unit}\n"
            )
    body += f".control\ndc {log_span('vx', CURRENTS_A)}\nwrite out.raw\n.endc\n"
    (plot,) = point.run_dc("line currents", body)
    table = pd.DataFrame({"input_a": np.asarray(CURRENTS_A)})
    for kind, polarity, _ in KINDS:
        given = np.abs(vector(plot, f"@munit{polarity}[id]"))
        table[f"{kind}_gain"] = np.abs(vector(plot, f"@m{kind}[id]")) / given
    for device in ("unit", "cell"):
        table[f"{device}_nmos_gate_v"] = vector(plot, f"v({device}n)")
        table[f"{device}_pmos_gate_v"] = hw.supply_v - vector(plot, f"v({device}p)")
    return {"current_range": Sweep(table, {})}
