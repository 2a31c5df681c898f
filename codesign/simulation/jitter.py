"""Threshold jitter of one cell: predicted from ``.noise``, measured in a transient with noise.

Predicted: the densities of ``.noise`` near the threshold, weighed by how the decision node sums
current over its window (``simulation.decision_node``). Measured: copies of the cell, each with
noise of its own, tried at candidates around the threshold; the spread of the normal distribution
that fits how often they switch. The first uses ngspice's own small-signal noise and the cell's
static curves, the second sources in ngspice's transient: they share the models alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.circuit.cellnoise import AC_HZ, BAND, forced_text, free_text
from codesign.circuit.elements import Library
from codesign.circuit.trialbench import (
    Cell,
    Edge,
    Trial,
    copied,
    cut_cell,
    trial_of,
)
from codesign.device.bench import DC_OPTIONS, ProcessPoint
from codesign.errors import EnvironmentMissing
from codesign.mapping.design import Shape
from codesign.simulation.decision_node import (
    DecisionNode,
    bandwidth_hz,
    hann,
    weighed_variance,
)
from codesign.spice.ngspice import run_text
from codesign.spice.rawfile import Plot

Floats = NDArray[np.float64]

# Predicted over measured, or the reverse, may be at most this.
TARGET = 1.5

# Voltages of v0, parts of the supply: dense where cells turn.
_PARTS = np.concatenate(
    [np.linspace(0, 0.2, 9)[:-1], np.linspace(0.2, 0.7, 21)[:-1], np.linspace(0.7, 1.0, 13)]
)
# Samples of noise in a window: it weighs them almost as it weighs noise of any frequency.
_TICKS = 5
# Parts of the width away from the threshold.
_TOWARDS = (0.03, 0.06, 0.12, 0.25, 0.4)


@dataclass(frozen=True)
class Subject:
    """One threshold of one cell of a design, at a process point. ``beta_hi_a`` and ``width_a`` as
    programmed, amperes."""

    library: Library
    shape: Shape
    point: ProcessPoint
    layer: int
    unit: int
    edge: Edge
    beta_hi_a: float
    width_a: float

    @property
    def nominal_a(self) -> float:
        return self.beta_hi_a - (self.width_a if self.edge == "beta_lo" else 0.0)

    @property
    def cell(self) -> Cell:
        return cut_cell(self.library, self.point.hardware, self.shape, self.layer, self.unit)

    @property
    def trial(self) -> Trial:
        return trial_of(self.point.hardware, self.shape, self.layer, self.edge)

    @property
    def models(self) -> dict[str, str]:
        return {"n": self.point.pdk.nmos, "p": self.point.pdk.pmos}

    def run(self, text: str, control: str) -> tuple[Plot, ...]:
        """Run a bench; EnvironmentMissing when ngspice cannot."""
        point, (first, _, rest) = self.point, text.partition("\n")
        header = point.pdk.header(point.hardware.corner)
        deck = f"{first}\n{header}{rest}.control\n{control}\n.endc\n.end\n"
        outcome = run_text(point.ngspice, deck, timeout_s=3600)
        if outcome.status != "ok":
            raise EnvironmentMissing(
                f"The noise of cell {self.layer}.{self.unit} could not be measured in ngspice "
                f"({outcome.status}: {outcome.message})."
            )
        return outcome.plots


@dataclass(frozen=True)
class Spectrum:
    """Noise near a threshold: ``density`` (A^2/Hz) of a current into v0 that stands for all noise,
    and of each device its white and flicker parts, by name; the devices' currents (A) and gm (S),
    in the order of the cell, and how much of a change of the candidate reaches v0 (``gain``)."""

    frequency_hz: Floats
    density: Floats
    white: dict[str, Floats]
    flicker: dict[str, Floats]
    currents_a: Floats
    gm_s: Floats
    gain: float


@dataclass(frozen=True)
class Prediction:
    """What ``.noise`` says: the candidate at which the cell switches and its sigma, amperes.

    ``sigma_a`` is of noise sampled as the transient's is, ``full_a`` of noise without such a limit,
    ``hann_a`` that with the weight of a fold; ``bandwidth_hz`` is that of the weight found.
    """

    threshold_a: float
    sigma_a: float
    hann_a: float
    full_a: float
    bandwidth_hz: float
    lowest_hz: float
    times_s: Floats
    weight: Floats
    spectrum: Spectrum


def spectrum(subject: Subject, candidate_a: float, high: bool) -> Spectrum | None:
    """``.noise`` of a looking cell at ``candidate_a``, in its high or low state; None where it has
    no such state."""
    cell, hw = subject.cell, subject.point.hardware
    body = free_text(cell, hw, subject.models, candidate_a, True, high)
    first, _, rest = body.partition("\n")
    text = f"{first}\n{DC_OPTIONS}.temp {hw.temperature_c:g}\n{rest}"
    devices = copied(cell, 0)[0]
    v0 = f"v(k0.{cell.v0})"
    saves = "".join(f".save @{d.name}[{what}]\n" for d in devices for what in ("id", "gm"))
    saves += f".save {v0}\n"
    (point,) = subject.run(text + saves, "op\nwrite out.raw")
    if (float(point[v0][0]) > hw.supply_v / 2) != high:
        return None
    control = "set sqrnoise\nset appendwrite\n" + "".join(
        f"noise {v0} {source} {BAND} 1\nsetplot noise{2 * k + 1}\nwrite out.raw\n"
        for k, source in enumerate(("iv0", "i.k0.candidate"))
    )
    own, through = subject.run(text, control)
    scale = own["inoise_spectrum"] / own["onoise_spectrum"]
    flicker = {d.name: own[f"onoise.{d.name}.1overf"] * scale for d in devices}
    white = {d.name: own[f"onoise.{d.name}"] * scale - flicker[d.name] for d in devices}
    # How much current reaches v0 of what the candidate changes by.
    gain = float(np.sqrt(own["inoise_spectrum"][0] / through["inoise_spectrum"][0]))
    currents, gm = (
        np.array([abs(float(point[f"@{d.name}[{what}]"][0])) for d in devices])
        for what in ("id", "gm")
    )
    return Spectrum(own.scale, own["inoise_spectrum"], white, flicker, currents, gm, gain)


def decision_node(subject: Subject, candidate_a: float) -> DecisionNode:
    """What flows into v0 and what charges it, held at many voltages."""
    hw = subject.point.hardware
    volts = _PARTS * hw.supply_v
    currents, charging = [], np.zeros(len(volts))
    for looks in (True, False):
        body = forced_text(subject.cell, hw, subject.models, candidate_a, looks, volts.tolist())
        first, _, rest = body.partition("\n")
        control = f"set appendwrite\nop\nwrite out.raw\nac lin 1 {AC_HZ:g} {AC_HZ:g}\nwrite out.raw"
        text = f"{first}\n{DC_OPTIONS}.temp {hw.temperature_c:g}\n{rest}"
        still, moved = subject.run(text, control)
        names = [f"i(vforce{k})" for k in range(len(volts))]
        currents.append(np.array([float(still[name][0]) for name in names]))
        if looks:
            admittance = -np.array([moved.complex(name)[0] for name in names])
            charging = admittance.imag / (2 * np.pi * AC_HZ)
    return DecisionNode(volts, currents[0], currents[1], charging, candidate_a)


def predict(subject: Subject, lowest_hz: float) -> Prediction:
    """Sigma of the threshold from ``.noise``, in the band from ``lowest_hz``."""
    node = decision_node(subject, subject.nominal_a)
    window_s, high = subject.trial.window_s, subject.edge == "beta_lo"
    times, weight, marginal_a = node.weight(window_s, high)
    found = _near(subject, marginal_a, high)
    shapes = ((times, weight), hann(window_s), (times, weight))
    ticks = (tick_of(subject.trial), 0.0, 0.0)
    parts = [
        np.sqrt(weighed_variance(found.frequency_hz, found.density, *shape, lowest_hz, tick_s))
        for shape, tick_s in zip(shapes, ticks, strict=True)
    ]
    sampled, folded, full = (float(part) / found.gain for part in parts)
    return Prediction(
        marginal_a, sampled, folded, full,
        bandwidth_hz(times, weight), lowest_hz, times, weight, found,
    )  # fmt: skip


def _near(subject: Subject, marginal_a: float, high: bool) -> Spectrum:
    """Noise a little on the side on which the cell holds, as near as it has an operating point."""
    for part in _TOWARDS:
        side = part * subject.width_a * (1 if high else -1)
        found = spectrum(subject, marginal_a + side, high)
        if found is not None:
            return found
    raise EnvironmentMissing(
        f"Cell {subject.layer}.{subject.unit} has no state near {marginal_a * 1e9:.4g} nA: its "
        "noise near the threshold cannot be found."
    )


def tick_of(trial: Trial) -> float:
    """Time between samples of the noise in a trial."""
    return trial.window_s / _TICKS


def record_s(subject: Subject, trials: int) -> float:
    """How long a copy is simulated: what sets the lowest frequency its noise has."""
    return trials * subject.trial.period_s
