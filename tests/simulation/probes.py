"""The small circuit with devices on paper, as chips are probed: no simulator, no PDK's models."""

from typing import Any

import numpy as np

from codesign.analysis.yardstick import Yardstick
from codesign.circuit.elements import Mosfet
from codesign.circuit.timing import Timing
from codesign.pdk.adapter import MismatchLaw, load_adapter
from codesign.rules import LAST_FRAME
from codesign.simulation.plan import Plan, Variation
from codesign.simulation.probe import Probe
from tests.designs import SMALL, random_parameters
from tests.engine.circuits import engine_on_paper, random_inputs, small

FRAMES = 3


def law(scale: float = 1.0) -> MismatchLaw:
    """gf180mcu's mismatch, its constants ``scale`` times as large."""
    given = load_adapter("gf180mcu").mismatch.model_dump()
    for name in ("nmos", "pmos"):
        constants = {key: scale * given[name][key] for key in given[name] if key != "slope_factor"}
        given[name] |= constants
    return MismatchLaw.model_validate(given)


def small_probe(chips: int = 4, clips: int = 2, scale: float = 1.0, seed: int = 14) -> Probe:
    """The strobed circuit; the decision is the nominal chip's own."""
    circuit = small("strobed")
    engine: Any = engine_on_paper(circuit)
    hw = circuit.hardware
    named = {e.name: e for e in circuit.elements if isinstance(e, Mosfet)}
    yardstick = Yardstick(
        shape=SMALL,
        parameters=random_parameters(SMALL, seed),
        rule=LAST_FRAME,
        near_tie_units=0.1,
        unit_current_a=hw.unit_current_a,
        timing=Timing(hw.frame_s, hw.edge_s, FRAMES, SMALL.layers),
    )
    plan = Plan(
        "mc", "paper", 0, Variation(("typical",), chips), tuple(range(clips)),
        tuple(f"clip-{k}" for k in range(clips)), (0,) * clips, 0, chips * clips,
    )  # fmt: skip
    probe = Probe(
        engine, tuple(named[name] for name in engine.instances), law(scale), plan, yardstick,
        random_inputs(FRAMES, clips), np.zeros(clips, np.int64), 1,
    )  # fmt: skip
    compared = probe.nominal(np.arange(clips)).compared_units
    return Probe(**{**probe.__dict__, "decision": compared.argmax(axis=1)})
