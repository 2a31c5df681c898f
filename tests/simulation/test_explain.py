"""Roots judged in the waveforms of ngspice and of the batched engine, on cells that are slow."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from codesign.analysis.causes import CAUSES
from codesign.checkpoint import load_model, save_model
from codesign.circuit.export import export_design
from codesign.engine.native.library import find_compiler
from codesign.errors import EnvironmentMissing, InputError
from codesign.rules import LAST_FRAME
from codesign.runs import Run
from codesign.simulation.perturb import noisy_inputs
from codesign.simulation.plan import sample_seed
from codesign.simulation.run import simulate
from codesign.simulation.setting import Options, set_up
from codesign.twin.ideal import ideal_twin
from tests.trained import made_up_run

pytestmark = pytest.mark.ngspice

# States of a twentieth of a unit need milliseconds to reach their line.
SLOW_UNITS = 0.05


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = made_up_run(tmp_path_factory.mktemp("slow") / "run", clips=6, seed=18, frame_s=0.005)
    model = load_model(run)
    cells = dict(model.network.named_parameters())
    for name, value in cells.items():
        if name == "layers.1.cell.alpha":
            value.data[:] = SLOW_UNITS
    save_model(run, model)
    export_design(run)
    return run


@pytest.fixture(scope="module", params=["ngspice", "batched"])
def explained(run: Run, request: pytest.FixtureRequest) -> tuple[Path, dict[str, Any]]:
    if request.param == "batched":
        try:
            find_compiler()
        except EnvironmentMissing as error:
            pytest.skip(str(error))
    options = Options(clips=4, jobs=2, engine=request.param, judge=0, fresh=True)
    return run.sim_dir(), simulate(run, options)


def _roots(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "roots.parquet")


def test_a_slow_state_line_is_settling(explained: tuple[Path, dict[str, Any]]) -> None:
    """The cell has set, its line has not: seen in the waveform, not guessed from the samples."""
    folder, figures = explained
    roots = _roots(folder)
    late = roots[roots["why"].str.contains("output line is still charging")]
    assert len(late) > 0
    assert set(late["cause"]) == {"settling"}
    assert set(late["layer"]) == {1}
    assert (late["evidence"] == "waveform").all()
    part = late["chip_state_units"] / SLOW_UNITS
    assert ((part > 0) & (part < 0.5)).all()
    assert figures["root_causes"]["settling"] >= len(late)


def test_every_root_has_its_waveform(explained: tuple[Path, dict[str, Any]]) -> None:
    folder, figures = explained
    roots, waves = _roots(folder), pd.read_parquet(folder / "root_waves.parquet")
    assert figures["root_disagreements"] == figures["root_disagreements_with_waveform"]
    assert figures["root_disagreements"] == len(roots) == waves["root"].nunique()
    last = waves.groupby("root").last()
    # The waveform ends at the sampling instant, with the values that were compared.
    assert last["at"].to_numpy() == pytest.approx(0.95, abs=1e-5)
    for name in ("state", "candidate"):
        sampled = roots.set_index("root")[f"chip_{name}_units"]
        assert last[f"{name}_units"].to_numpy() == pytest.approx(sampled.to_numpy(), abs=2e-3)


def test_tables_and_sums_agree_on_causes(explained: tuple[Path, dict[str, Any]]) -> None:
    folder, figures = explained
    states, roots = pd.read_parquet(folder / "states.parquet"), _roots(folder)
    wrong = states[~states["agree"]]
    assert wrong["cause"].value_counts().to_dict() == figures["state_disagreement_causes"]
    assert set(wrong["cause"]) <= set(CAUSES)
    own = wrong[wrong["cause"] != "inherited"]
    keys = ["sample", "frame", "layer", "unit"]
    pd.testing.assert_frame_equal(
        own.sort_values(keys)[[*keys, "cause"]].reset_index(drop=True),
        roots[[*keys, "cause"]],
        check_dtype=False,
    )
    assert roots["states"].sum() == len(wrong)
    root_keys = ["sample", "root_frame", "root_layer", "root_unit"]
    pointed = set(map(tuple, wrong[root_keys].astype(int).to_numpy()))
    assert pointed == set(map(tuple, roots[keys].astype(int).to_numpy()))
    assert states.loc[states["agree"], "root_frame"].isna().all()
    samples = pd.read_parquet(folder / "samples.parquet")
    told = samples.loc[~samples["agree"].astype(bool), "explanation"]
    assert told.notna().all()


def test_suppression_of_the_batched_run(explained: tuple[Path, dict[str, Any]], run: Run) -> None:
    folder, figures = explained
    if figures["engine"] == "ngspice":
        assert "suppression_ratio_median" not in figures
        return
    stored = json.loads((folder / "summary.json").read_text())
    assert stored["suppression_ratio_median"] == figures["suppression_ratio_median"]
    pairs = pd.read_parquet(folder / "suppression.parquet")
    sigmas = [row["sigma_units"] for row in stored["suppression_by_sigma"]]
    assert sigmas == [0.01, 0.02, 0.05, 0.1, 0.2, 0.5]
    assert pairs.groupby("sigma_units").size().tolist() == [4 * 4] * 6
    # The noise that was meant arrives at the candidates of the first layer as in the twin.
    setting = set_up(run, Options(clips=4))
    inputs = setting.inputs_units()[list(setting.plan.clips)]
    seeds = [sample_seed(setting.plan.run_seed, k) for k in range(4)]
    noisy = np.stack([noisy_inputs(x, s, 0.2) for x, s in zip(inputs, seeds, strict=True)])
    twins = [ideal_twin(setting.yardstick.parameters, x, LAST_FRAME) for x in (inputs, noisy)]
    change = np.stack([b.candidates - a.candidates for a, b in zip(*twins, strict=True)])
    wanted = np.sqrt((change[:, 0] ** 2).mean(axis=-1)).ravel()
    first = pairs[(pairs["sigma_units"] == 0.2) & (pairs["layer"] == 0)]
    assert first["candidate_rms_units"].to_numpy() == pytest.approx(wanted, rel=0.02, abs=5e-3)
    assert wanted.max() > 0.1


def test_suppression_is_of_the_nominal_chip(run: Run) -> None:
    with pytest.raises(InputError, match="--suppression is measured on the nominal chip"):
        simulate(run, Options(chips=2, suppression=(0.1,)))
