"""ngspice's word on slopes: the margin with one device moved either way, in its exact options.

The simulator that judges everything else judges sensitivities too. It costs two runs per device, so
it is asked about few: the benchmark and the tests do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.circuit import testbench
from codesign.circuit.timing import Timing
from codesign.errors import EnvironmentMissing
from codesign.simulation.draws import Draws
from codesign.simulation.probe import Probe
from codesign.simulation.sample import Bench, flat_network_text, nominal_draws
from codesign.spice.ngspice import run_deck

Floats = NDArray[np.float64]
_RAW, _DECK = "out.raw", "deck.cir"


@dataclass(frozen=True)
class Confirmed:
    """Slopes of the margin with one device's threshold, units per volt."""

    device: str
    ngspice: float
    batched: float


def confirm_slopes(
    probe: Probe, bench: Bench, at: int, devices: Sequence[str], sigmas: float, work: Path
) -> list[Confirmed]:
    """Central differences over ``sigmas`` standard deviations either way, in both engines.

    ``work`` is an empty folder for decks. Raises EnvironmentMissing where ngspice fails.
    """
    index = {name: k for k, name in enumerate(probe.engine.instances)}
    sigma_v = probe.sigma()[:, 0]
    found = []
    for name in devices:
        device = index[name]
        step_v = sigmas * sigma_v[device]
        delvto_v = np.zeros((2, len(index)))
        delvto_v[:, device] = (-step_v, step_v)
        moved = probe.run(np.full(2, at), delvto_v, np.ones_like(delvto_v), np.arange(2))
        judged = []
        for value in (-step_v, step_v):
            draws = _one(bench, name, value)
            logits = ngspice_logits(bench, probe, at, draws, work)
            judged.append(float(probe.yardstick.margins_of(logits[None], probe.decision[[at]])[0]))
        batched = float(moved.margin_units[1] - moved.margin_units[0])
        found.append(
            Confirmed(name, (judged[1] - judged[0]) / (2 * step_v), batched / (2 * step_v))
        )
    return found


def _one(bench: Bench, name: str, delvto_v: float) -> Draws:
    """The nominal chip but for one threshold."""
    nominal = nominal_draws(bench.network.mosfets)
    moved = nominal.delvto_v.copy()
    moved[0, nominal.instances.index(name)] = delvto_v
    return replace(nominal, delvto_v=moved)


def ngspice_logits(bench: Bench, probe: Probe, at: int, draws: Draws, work: Path) -> Floats:
    """The logits at the sampling instants (frames, classes), units, of a chip with these draws.

    ``draws`` are in the order of the bench's network. Raises EnvironmentMissing where ngspice
    fails.
    """
    hw, shape = bench.hardware, bench.shape
    inputs = probe.inputs_units[at]
    timing = Timing(hw.frame_s, hw.edge_s, len(inputs), shape.layers)
    text = testbench.bench_text(
        hw, shape, timing, "one device moved", [str(bench.strobe_file)] * bool(bench.strobe_file),
        flat_network_text(bench, draws), testbench.EXACT_OPTIONS, bench.edges,
    )  # fmt: skip
    first, _, rest = text.partition("\n")
    stimulus = testbench.stimulus(inputs.tolist(), timing, hw.unit_current_a)
    (work / _DECK).write_text(
        f"{first}\n{bench.pdk_header}{rest}{stimulus}{testbench.control(_RAW)}", encoding="utf-8"
    )
    outcome = run_deck(bench.ngspice, work, _DECK, _RAW, bench.timeout_s)
    if outcome.status != "ok":
        raise EnvironmentMissing(
            f"ngspice ended with {outcome.status} ({outcome.message}); the deck is {work / _DECK}."
        )
    plot = outcome.plots[0]
    names = [testbench.logit_vector(k) for k in range(shape.classes)]
    logits = [np.interp(timing.sample_times_s(), plot.scale, plot[name]) for name in names]
    return np.asarray(np.stack(logits, axis=1) / hw.unit_current_a)
