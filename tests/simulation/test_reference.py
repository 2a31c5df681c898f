"""Whom the transistors are compared with: other twins, the same samples."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from codesign.analysis.prediction import Prediction, count_prediction
from codesign.circuit.export import export_design
from codesign.cli.main import main
from codesign.files import read_json
from codesign.runs import Run
from codesign.simulation.run import Options, simulate
from tests.trained import made_up_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = made_up_run(tmp_path_factory.mktemp("run") / "small")
    export_design(run)
    return run


def _states(run: Run, plan: str) -> pd.DataFrame:
    return pd.read_parquet(run.sim_dir(plan) / "states.parquet")


def _rms(table: pd.DataFrame) -> float:
    agree = table[table["agree"]]
    error = agree["chip_candidate_units"] - agree["twin_candidate_units"]
    return float(np.sqrt((error**2).mean()))


def _simulate(run: Run, **options: Any) -> dict[str, Any]:
    return simulate(run, Options(jobs=1, engine="ngspice", **options))


@pytest.mark.ngspice
def test_the_same_samples_against_another_twin(run: Run) -> None:
    """Samples are kept, tables and summary are of the twin asked for last."""
    ideal = _simulate(run, twin="ideal")
    before = _states(run, "nominal")
    shards = {p: p.stat().st_mtime_ns for p in (run.sim_dir() / "shards").iterdir()}
    in_time = _simulate(run, twin="substepped")
    table = _states(run, "nominal")
    assert {p: p.stat().st_mtime_ns for p in shards} == shards
    np.testing.assert_array_equal(table["chip_candidate_units"], before["chip_candidate_units"])
    assert _rms(table) < 0.5 * _rms(before)
    assert ideal["twin"] == "ideal"
    assert "ideal_disagreements" not in ideal
    written = read_json(run.sim_dir() / "summary.json", "the summary")
    assert written["twin"] == in_time["twin"] == "substepped"
    assert written["ideal_disagreements"] == int((~before["agree"]).sum())
    left = in_time["ideal_disagreements"] - in_time["ideal_disagreements_predicted"]
    assert left + in_time["false_alarms"] == int((~table["agree"]).sum())
    again = _simulate(run, twin="ideal")
    assert "ideal_disagreements" not in again
    pd.testing.assert_frame_equal(_states(run, "nominal"), before)


@pytest.mark.ngspice
def test_each_chip_with_its_own_twin(run: Run) -> None:
    rms = {}
    for twin in ("ideal", "calibrated"):
        figures = _simulate(run, twin=twin, chips=2)
        assert figures["samples_ok"] == 2
        table = _states(run, "mc")
        rms[twin] = _rms(table)
        one, other = (
            part["twin_candidate_units"].to_numpy() for _, part in table.groupby("sample")
        )
        assert np.array_equal(one, other) == (twin == "ideal")
    assert rms["calibrated"] < 0.5 * rms["ideal"]


@pytest.mark.ngspice
def test_corners_have_the_ideal_twin_alone(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", str(run.path), "--corners", "--twin", "calibrated"]) == 2
    assert "--twin and --corners do not go together" in capsys.readouterr().err


def test_an_unknown_twin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", str(tmp_path), "--twin", "evil"]) == 2
    assert "'evil' is not one of 'ideal', 'calibrated', 'substepped'" in capsys.readouterr().err


def test_prediction_counts() -> None:
    ideal = np.array([0, 0, 0, 1, 1], bool)
    twin = np.array([0, 1, 1, 0, 1], bool)
    real = np.array([0, 1, 0, 0, 0], bool)
    found = count_prediction(ideal, twin, real)
    assert found == Prediction(states=5, disagreements=3, predicted=2, false_alarms=1)
    assert found.wrong == int((twin != real).sum())
    assert (found + found).figures() == {
        "ideal_disagreements": 6, "ideal_disagreements_predicted": 4, "false_alarms": 2,
    }  # fmt: skip
