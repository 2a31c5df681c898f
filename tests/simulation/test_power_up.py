"""A whole network from no supply at all: its own reset clears the cells, nobody else's."""

import re
from pathlib import Path

import numpy as np
import pytest

from codesign.circuit import testbench
from codesign.circuit.export import export_design
from codesign.simulation.sample import Job, deck
from codesign.simulation.setting import Options, set_up
from codesign.spice.ngspice import run_text
from codesign.spice.rawfile import Plot
from tests.trained import made_up_run

RAMP = "pwl(0 0 10u 1.8)"


def _from_nothing(text: str) -> str:
    """The deck of a sample with supplies that rise, no first guess and no reset from outside."""
    text = re.sub(r"^(v(?:cells|ff|bias) \S+ 0) \S+$", rf"\1 {RAMP}", text, flags=re.M)
    text = re.sub(r"^vrst rst 0 pwl\(.*\)$", "vrst rst 0 0", text, flags=re.M)
    kept = [line for line in text.splitlines() if not line.startswith((".ic ", ".nodeset "))]
    changed = "\n".join(kept).replace(".save ", ".save v(xnetwork.rst)\n.save ", 1)
    assert changed.count(RAMP) == 3
    assert "vrst rst 0 0" in changed
    return changed + "\n"


def _states(plot: Plot, job: Job) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
    shape = job.bench.shape
    vectors = [
        testbench.decision_vector(layer, unit)
        for layer in range(shape.layers)
        for unit in range(shape.state_dim)
    ]
    times = job.timing.sample_times_s()
    return np.array([np.interp(times, plot.scale, plot[v]) > 0.9 for v in vectors])


@pytest.mark.ngspice
def test_a_network_that_powers_up_computes_what_a_reset_one_does(tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "small", seed=4, bias="tree")
    export_design(run)
    setting = set_up(run, Options(clips=1))
    planned = setting.plan.sample(0)
    inputs = setting.inputs_units()[planned.clip]
    job = Job(setting.bench, planned, inputs, tmp_path, keep_waves=False)
    usual = run_text(setting.bench.ngspice, deck(job))
    powered = run_text(setting.bench.ngspice, _from_nothing(deck(job)))
    assert usual.status == "ok", usual.log
    assert powered.status == "ok", powered.log
    plot = powered.plots[0]
    reset = plot["v(xnetwork.rst)"]
    released = plot.scale[np.flatnonzero(reset > 0.9)[-1]]
    # Before the first window of the first frame, and long after the supply was there.
    opens = job.timing.window(0)[0] * job.timing.frame_s
    assert 0.5e-3 < released < opens
    low = [
        float(np.interp(released, plot.scale, plot[testbench.decision_vector(layer, unit)]))
        for layer in range(2)
        for unit in range(2)
    ]
    assert max(low) < 0.05
    assert (_states(plot, job) == _states(usual.plots[0], job)).all()
    assert _states(usual.plots[0], job).any()  # some state is high: there is something to lose
