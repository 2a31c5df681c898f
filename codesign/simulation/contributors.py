"""Who makes the noise: ``.noise`` at operating points of a cell at rest and of a candidate's path.

The noise of a line is given as a current: what, flowing into the line, would move it as much. So
it is the noise of every current copied from that line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.circuit.cellnoise import BAND, free_text
from codesign.circuit.cone import Element, cone
from codesign.circuit.elements import Mosfet
from codesign.circuit.flat import FlatNetwork, flat_text
from codesign.circuit.network import SUPPLIES, strobe_ports
from codesign.circuit.spice_text import comment
from codesign.circuit.trialbench import copied
from codesign.device.bench import DC_OPTIONS
from codesign.mapping.names import relu_instance
from codesign.simulation.jitter import Subject
from codesign.spice.rawfile import Plot

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LineNoise:
    """Densities (A^2/Hz) of a line's noise, by device, and what the line carries (ampere)."""

    frequency_hz: Floats
    white: Mapping[str, Floats]
    flicker: Mapping[str, Floats]
    current_a: float

    @property
    def density(self) -> Floats:
        return np.asarray(sum(self.white.values()) + sum(self.flicker.values()))


def state_noise(subject: Subject, high: bool) -> LineNoise:
    """The state of a cell that holds, in one of its states, its candidate amid its window."""
    hw, cell = subject.point.hardware, subject.cell
    candidate_a = subject.beta_hi_a - subject.width_a / 2
    body = free_text(cell, hw, subject.models, candidate_a, False, high)
    diode = next(d for d in copied(cell, 0)[0] if d.name.endswith(".m4"))
    return _line(subject, body, diode, [d.name for d in copied(cell, 0)[0]])


def candidate_noise(
    subject: Subject, elements: Sequence[Element], layer: int, unit: int, inputs_units: Floats
) -> LineNoise:
    """The candidate of a unit of the first layer, from the inputs (channels,) of one frame on.

    ``elements`` is the flat network. Later layers depend on states, which an operating point does
    not have.
    """
    if layer:
        raise ValueError("the candidates of later layers depend on states")
    hw, shape = subject.point.hardware, subject.shape
    relu = relu_instance(f"layers.{layer}.candidate", unit)
    diode = next(e for e in elements if isinstance(e, Mosfet) and e.name == relu)
    strobes = [port for pair in strobe_ports(hw, shape) for port in pair]
    known = {*SUPPLIES, "vss", "0", "rst", *strobes}
    kept = cone(elements, [diode.drain], known, set())
    network = FlatNetwork(
        ("vss",),
        tuple(e for e in kept if isinstance(e, Mosfet)),
        tuple(e for e in kept if not isinstance(e, Mosfet)),
    ).at("k0", ["0"])
    lines = [comment(f"candidate {layer}.{unit}")]
    zero = np.zeros(len(network.mosfets))
    text = flat_text(network, subject.models, zero, zero + 1)
    lines += [f"v{name} k0.{name} 0 {hw.supply_v:g}" for name in SUPPLIES]
    lines.append(text)
    lines.append(f"iref k0.ref_p 0 {hw.unit_current_a:.9g}")
    lines += [
        f"iu_{k} k0.u_{k}_p 0 {value * hw.unit_current_a:.9g}"
        for k, value in enumerate(inputs_units.tolist())
    ]
    placed = next(d for d in network.mosfets if d.name == f"m.k0.{relu}")
    return _line(subject, "\n".join(lines) + "\n", placed, [d.name for d in network.mosfets])


def _line(subject: Subject, body: str, diode: Mosfet, names: Sequence[str]) -> LineNoise:
    hw, line = subject.point.hardware, diode.drain
    first, _, rest = body.partition("\n")
    text = f"{first}\n{DC_OPTIONS}.temp {hw.temperature_c:g}\n{rest}iline 0 {line} dc 0 ac 1\n"
    (point,) = subject.run(text + f".save @{diode.name}[id]\n", "op\nwrite out.raw")
    control = f"set sqrnoise\nnoise v({line}) iline {BAND} 1\nsetplot noise1\nwrite out.raw"
    (plot,) = subject.run(text, control)
    scale = plot["inoise_spectrum"] / plot["onoise_spectrum"]
    flicker = {name: _part(plot, f"{name}.1overf", scale) for name in names}
    white = {name: _part(plot, name, scale) - flicker[name] for name in names}
    return LineNoise(plot.scale, white, flicker, abs(float(point[f"@{diode.name}[id]"][0])))


def _part(plot: Plot, name: str, scale: Floats) -> Floats:
    return np.asarray(plot[f"onoise.{name}"] * scale, dtype=np.float64)


def contributor_rows(
    condition: str, frequency_hz: Floats, white: Mapping[str, Floats],
    flicker: Mapping[str, Floats], gain2: Floats, f: Floats,
) -> list[dict[str, Any]]:  # fmt: skip
    """One row per device, the largest first: rms (ampere) of its white and flicker noise and its
    share of the variance, with densities weighed by ``gain2`` (n,) at frequencies ``f`` (n,)."""

    def variance(density: Floats) -> float:
        log = np.interp(np.log(f), np.log(frequency_hz), np.log(np.maximum(density, 1e-60)))
        # 1/f goes on below the lowest frequency that was asked of ngspice.
        below = np.minimum(0.0, np.log(f) - np.log(frequency_hz[0]))
        slope = np.log(max(density[1], 1e-60) / max(density[0], 1e-60))
        slope /= np.log(frequency_hz[1] / frequency_hz[0])
        return float(np.trapezoid(np.exp(log + slope * below) * gain2, f))

    rows = []
    for name in white:
        parts = variance(white[name]), variance(flicker[name])
        rows.append(
            {
                "condition": condition,
                "device": name.split(".", 2)[2],
                "white_rms_a": parts[0] ** 0.5,
                "flicker_rms_a": parts[1] ** 0.5,
                "rms_a": sum(parts) ** 0.5,
                "variance_a2": sum(parts),
            }
        )
    total = sum(row["variance_a2"] for row in rows)
    for row in rows:
        row["share"] = row.pop("variance_a2") / total if total else 0.0
    return sorted(rows, key=lambda row: -row["share"])
