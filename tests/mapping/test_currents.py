"""Currents of every node, from the twin's traces."""

import numpy as np
import pytest

from codesign.device.turns import TurnTable
from codesign.mapping.currents import USED_UNITS, node_currents, trimmed_turns
from codesign.rules import LAST_FRAME
from codesign.twin.ideal import ideal_twin
from tests.designs import SMALL, random_parameters

PARAMETERS = random_parameters(SMALL, 14)
INPUTS = np.random.default_rng(1).uniform(0, 4, (5, 6, SMALL.inputs))


def test_every_node_is_there_with_the_currents_of_the_twin() -> None:
    currents = node_currents(PARAMETERS, INPUTS)
    units = range(SMALL.state_dim)
    nodes = {f"u_{k}" for k in range(SMALL.inputs)} | {f"y_{k}" for k in range(SMALL.classes)}
    nodes |= {f"{name}_{k}" for name in ("x0", "x1", "x2", "c0", "c1", "h0", "h1", "v0", "v1")
              for k in units}  # fmt: skip
    assert set(currents) == nodes
    traces = ideal_twin(PARAMETERS, INPUTS, LAST_FRAME)
    for layer in range(SMALL.layers):
        for unit in units:
            candidates = np.stack([trace.candidates[layer, unit] for trace in traces])
            node = currents[f"c{layer}_{unit}"]
            assert node.largest_units == pytest.approx(candidates.max())
            assert node.mean_units == pytest.approx(candidates.mean())
            used = candidates[candidates > USED_UNITS]
            assert node.smallest_units == pytest.approx(used.min() if used.size else 0)
            state = currents[f"h{layer}_{unit}"]
            alpha = PARAMETERS[f"layers.{layer}.cell.alpha"][unit]
            assert state.largest_units in (0, pytest.approx(alpha))
    assert currents["y_0"].largest_units == pytest.approx(
        max(np.abs(trace.logits[:, 0]).max() for trace in traces)
    )


def test_a_sum_is_what_it_adds() -> None:
    currents = node_currents(PARAMETERS, INPUTS)
    for unit in range(SMALL.state_dim):
        parts = currents[f"x0_{unit}"].mean_units + currents[f"v0_{unit}"].mean_units
        assert currents[f"x1_{unit}"].mean_units == pytest.approx(parts)


def test_turns_are_trimmed_for_what_they_carry_but_not_those_of_candidates() -> None:
    currents = node_currents(PARAMETERS, INPUTS)
    table = TurnTable((0.01, 100.0), (1.05e-5, 1.01e-5))
    turns = trimmed_turns(currents, table)
    assert set(turns) <= {node for node in currents if node[0] in "xv"}
    for node, l_m in turns.items():
        assert l_m == table.length(currents[node].typical_units)
    silent = {node for node, current in currents.items() if current.largest_units == 0}
    assert not silent & set(turns)
