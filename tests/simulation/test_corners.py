"""Points of a process in real ngspice: a hot fast one and a cold slow one of a small network."""

import json
from pathlib import Path

import pandas as pd
import pytest

from codesign.circuit.export import export_design
from codesign.errors import InputError
from codesign.runs import Run
from codesign.simulation.corners import CornerOptions, simulate_corners
from codesign.simulation.points import (
    CONDITIONS,
    CornerPlan,
    Selection,
    corner_points,
    nominal_index,
)
from tests.simulation.fakes import stamps
from tests.trained import made_up_run

POINTS = corner_points(1.8)
HOT = Selection(("ff",), (1.1,), (85.0,))
COLD = Selection(("ss",), (0.9,), (-20.0,))


def _plan(conditions: tuple[str, ...] = CONDITIONS) -> CornerPlan:
    return CornerPlan("digest", 7, (3, 1), ("c", "a"), (1, 0), POINTS, conditions, POINTS)


def test_there_are_45_points_and_the_middle_one_is_the_designs_own() -> None:
    assert len(POINTS) == len({point.text() for point in POINTS}) == 45
    nominal = POINTS[nominal_index()]
    assert (nominal.corner, nominal.supply_v, nominal.temperature_c) == ("typical", 1.8, 27.0)
    assert {point.supply_v for point in POINTS} == {1.62, 1.8, 1.98}


def test_a_samples_number_does_not_depend_on_what_is_wanted() -> None:
    numbers = [n for c in CONDITIONS for p in POINTS for n in _plan().samples(c, p).tolist()]
    assert numbers == list(range(3 * 45 * 2))
    assert _plan(("tree_nominal",)).samples("tree_nominal", POINTS[3]).tolist() == [186, 187]
    planned = _plan().sample(187)
    assert (planned.clip, planned.clip_id, planned.label) == (1, "a", 0)
    assert _plan().rows("tree_nominal", POINTS[3])["clip_id"].tolist() == ["c", "a"]


def test_a_selection_is_of_points_that_exist() -> None:
    assert [point.text() for point in HOT.of(POINTS)] == ["ff 1.98 V 85 C"]
    assert len(Selection(corners=("ss", "ff")).of(POINTS)) == 18
    with pytest.raises(InputError, match=r"--temperature 30: .* -20, 27, 85"):
        Selection(temperatures_c=(30.0,)).of(POINTS)
    with pytest.raises(InputError, match=r"--corner slow: .*typical, ss"):
        Selection(corners=("slow",)).of(POINTS)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two points, one call each, of a design with an ideal reference."""
    run = made_up_run(tmp_path_factory.mktemp("my corners") / "small", seed=4)
    export_design(run)
    for selection in (HOT, COLD):
        simulate_corners(run, CornerOptions(1, "both", selection, jobs=2))
    return run


def _points(run: Run) -> pd.DataFrame:
    return pd.read_parquet(run.sim_dir("corners") / "points.parquet")


@pytest.mark.ngspice
def test_both_points_are_there_under_every_condition(simulated: Run) -> None:
    points = _points(simulated)
    assert sorted(points["condition"].unique()) == sorted(CONDITIONS)
    assert set(points["corner"]) == {"ff", "ss"}
    assert len(points) == 6
    assert (points["clips_ok"] == 1).all()
    samples = pd.read_parquet(simulated.sim_dir("corners") / "samples.parquet")
    assert (samples["status"] == "ok").all()
    summary = json.loads((simulated.sim_dir("corners") / "summary.json").read_text())
    assert summary["pvt_points_total"] == 45
    assert summary["pvt_points"] == summary["pvt_tree_nominal_points"] == 2
    assert summary["pvt_failures"] == []


@pytest.mark.ngspice
def test_the_chip_follows_its_reference(simulated: Run) -> None:
    rows = _points(simulated).to_dict("records")
    points = {(row["corner"], row["condition"]): row for row in rows}
    for corner, low, high in (("ff", 1.1e-9, 1.6e-9), ("ss", 0.5e-9, 0.9e-9)):
        tree = points[corner, "tree_tracking"]
        assert low < tree["reference_current_a"] < high
        assert tree["unit_current_a"] == tree["reference_current_a"]
        assert points[corner, "tree_nominal"]["unit_current_a"] == 1e-9
        # The network's own power scales with the unit current; the reference adds to bias only.
        ideal = points[corner, "ideal"]
        scale = tree["reference_current_a"] / 1e-9
        for block in ("cells", "feedforward"):
            name = f"mean_power_{block}_w"
            assert tree[name] == pytest.approx(scale * ideal[name], rel=0.05)
        own_w = tree["reference_supply_current_a"] * tree["supply_v"]
        assert tree["mean_power_bias_w"] == pytest.approx(
            scale * ideal["mean_power_bias_w"] + own_w, rel=0.05
        )
        # States are sums of the same mirrors: in units of what feeds them they agree.
        assert tree["states_differing"] == ideal["states_differing"]
        assert tree["alpha_error_rms"] == pytest.approx(abs(scale - 1), abs=0.05)
        assert abs(ideal["beta_hi_error_worst"]) < 0.12
        assert ideal["cells_bistable"] == 4


@pytest.mark.ngspice
def test_what_is_finished_is_kept_and_another_design_is_not(simulated: Run) -> None:
    shards = simulated.sim_dir("corners") / "shards"
    before = stamps(shards)
    simulate_corners(simulated, CornerOptions(1, "ideal", HOT, jobs=1))
    assert stamps(shards) == before
    assert len(_points(simulated)) == 6
    network = simulated.design_dir / "network.cir"
    text = network.read_text()
    try:
        network.write_text(text + "* edited by hand\n")
        simulate_corners(simulated, CornerOptions(1, "ideal", COLD, jobs=1))
        assert len(_points(simulated)) == 1
    finally:
        network.write_text(text)


@pytest.mark.ngspice
def test_a_failed_sample_is_listed_and_its_point_does_not_count(tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "small")
    export_design(run)
    figures = simulate_corners(run, CornerOptions(1, "ideal", HOT, jobs=1, timeout_s=0.01))
    assert figures["samples_failed"] == figures["pvt_points_failed"] == 1
    (failure,) = figures["pvt_failures"]
    assert failure["status"] == "timeout"
    assert failure["corner"] == "ff"
    assert figures["pvt_points_all_votes_kept"] == 0
    assert figures["pvt_state_agreement"] is None
