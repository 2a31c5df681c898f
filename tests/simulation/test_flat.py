"""The flat deck of a chip in ngspice: without deviations it is the exported netlist."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codesign.circuit.export import export_design
from codesign.mapping.names import instance_name
from codesign.simulation.draws import Draws
from codesign.simulation.plan import chip_seed
from codesign.simulation.sample import Job, deck, flat_network_text, run_sample, shard_path
from codesign.simulation.setting import Options, Setting, set_up
from codesign.simulation.traces import Traces, read_traces
from tests.trained import made_up_run

pytestmark = pytest.mark.ngspice


@pytest.fixture(scope="module", params=["strobed", "async"])
def setting(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Setting:
    run = made_up_run(tmp_path_factory.mktemp("run") / "small", cell=request.param)
    export_design(run)
    return set_up(run, Options(clips=1, chips=2))


def _simulate(
    setting: Setting, folder: Path, monkeypatch: pytest.MonkeyPatch, draws: Draws | None
) -> Traces:
    """Chip 0 of the plan with other draws than its own, or the hierarchical deck."""
    planned = setting.plan.sample(0)
    if draws is None:
        planned = replace(planned, chip=None, chip_seed=None)
    else:
        monkeypatch.setattr("codesign.simulation.sample.draw_mismatch", lambda *_: draws)
    for name in ("shards", "logs", "work"):
        (folder / name).mkdir(parents=True)
    job = Job(setting.bench, planned, setting.inputs_units()[planned.clip], folder, False)
    status = run_sample(job)
    traces = read_traces(shard_path(folder, 0))
    assert traces is not None
    assert status == "ok", traces.message
    return traces


def _no_draws(setting: Setting) -> Draws:
    names = tuple(device.name for device in setting.bench.network.mosfets)
    return Draws(names, np.zeros((1, len(names))), np.ones((1, len(names))))


def test_without_deviations_it_is_the_hierarchical_deck(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _simulate(setting, tmp_path / "hierarchical", monkeypatch, None)
    flat = _simulate(setting, tmp_path / "flat", monkeypatch, _no_draws(setting))
    unit_a = setting.exported.hardware.unit_current_a
    for name in ("candidates_a", "states_a", "logits_a"):
        np.testing.assert_allclose(
            getattr(flat, name), getattr(whole, name), rtol=1e-3, atol=1e-3 * unit_a
        )
    np.testing.assert_allclose(flat.power_w, whole.power_w, rtol=1e-3)


def test_a_draw_moves_what_it_should(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bias of one logit, a P device: 10 % more mobility move that logit by a tenth of it,
    delvto = 10 mV by a good tenth (weak inversion: about 10 / (1.3 x 26)), other logits not."""
    with setting.exported.mapping_file.open(encoding="utf-8") as file:
        rows = {row["instance"]: row for row in csv.DictReader(file)}
    wanted = instance_name("readout.bias", (1,))
    bias = float(rows[wanted]["software_value"])
    assert abs(bias) >= 0.1
    plain = _simulate(setting, tmp_path / "plain", monkeypatch, _no_draws(setting))
    for kind, value in (("mulu0", 1.1), ("delvto_v", 0.01)):
        draws = _no_draws(setting)
        getattr(draws, kind)[0, draws.instances.index(wanted)] = value
        moved = _simulate(setting, tmp_path / kind, monkeypatch, draws)
        shift = (moved.logits_a - plain.logits_a)[0] / setting.exported.hardware.unit_current_a
        np.testing.assert_allclose(shift[:, 0], 0, atol=2e-3)
        if kind == "mulu0":
            np.testing.assert_allclose(shift[:, 1], 0.1 * bias, rtol=0.05)
        else:
            assert rows[wanted]["device"] == "pmos"
            assert (shift[:, 1] / bias > 0.1).all()
        np.testing.assert_allclose(moved.candidates_a, plain.candidates_a, rtol=2e-3, atol=1e-12)


def test_the_deck_of_a_chip_is_its_seed(setting: Setting) -> None:
    inputs = setting.inputs_units()[setting.plan.clips[0]]
    decks = []
    for index in (0, 1):
        planned = setting.plan.sample(index)
        assert planned.chip_seed == chip_seed(setting.plan.run_seed, index)
        decks.append(deck(Job(setting.bench, planned, inputs, Path(), False)))
    assert decks[0] != decks[1]
    assert "delvto=" in decks[0]
    text = flat_network_text(setting.bench, _no_draws(setting))
    devices = [line for line in text.splitlines() if line.startswith("m.xnetwork.")]
    facts = setting.exported.facts
    # The strobe generator is counted, but it stands outside the network.
    outside = facts["blocks"].get("strobe", {"transistors": 0})["transistors"]
    assert len(devices) == facts["transistors"] - outside
