"""Threshold jitter in real ngspice: .noise and the transient agree; who makes the noise."""

from pathlib import Path

import numpy as np
import pytest

from codesign.checkpoint import load_model, model_parameters
from codesign.circuit.elements import flatten
from codesign.circuit.export import export_design
from codesign.circuit.library import read_network
from codesign.device.bench import find_point
from codesign.mapping.exported import load_exported
from codesign.simulation.contributors import candidate_noise, state_noise
from codesign.simulation.jitter import TARGET, Subject
from codesign.simulation.noise_study import chosen_cells, line_rows, study_threshold
from tests.trained import made_up_run

pytestmark = pytest.mark.ngspice


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    run = made_up_run(tmp_path_factory.mktemp("run") / "small")
    export_design(run)
    exported = load_exported(run)
    point = find_point(exported.hardware)
    values = model_parameters(load_model(run))
    library = read_network(exported.folder, point.pdk.nmos, point.pdk.pmos)
    beta_hi, width = (
        float(values[f"layers.0.cell.{name}"][0]) * exported.hardware.unit_current_a
        for name in ("beta_hi", "width")
    )
    return Subject(library, exported.shape, point, 0, 0, "beta_hi", beta_hi, width)


def test_jitter_agrees_between_noise_analysis_and_transient(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path))
    study = study_threshold(subject, "middle", "this design", copies=8, trials=4)
    row = study.row
    assert 1 / TARGET < row["ratio"] < TARGET
    assert row["measured_low_a"] < row["measured_sigma_a"] < row["measured_high_a"]
    # The marginal candidate follows from static curves alone.
    assert row["predicted_threshold_a"] == pytest.approx(row["threshold_a"], rel=0.02)
    assert row["measured_sigma_a"] < 0.01 * row["threshold_a"]
    assert row["mismatch_sigma_a"] > 5 * row["measured_sigma_a"]
    assert 8 <= sum(tried["switched"] for tried in study.trials) <= 24
    shares = [item["share"] for item in study.contributors]
    assert sum(shares) == pytest.approx(1)
    assert shares == sorted(shares, reverse=True)
    again = study_threshold(subject, "middle", "this design", copies=8, trials=4)
    assert again == study


def test_a_state_is_as_noisy_as_its_current(subject: Subject) -> None:
    high, low = state_noise(subject, True), state_noise(subject, False)
    assert high.current_a > 1e-10 > 1e3 * low.current_a
    rows, _, totals = line_rows("state high", high, 1.0)
    _, _, quiet = line_rows("state low", low, 1.0)
    assert totals["rms_a"] > 50 * quiet["rms_a"]
    # The mirrors that set the state, and not the switch that stands on one of them.
    named = [row["device"].rsplit(".", 1)[-1] for row in rows[:5]]
    assert {"m4", "m5"} <= set(named)
    switch = next(row for row in rows if row["device"].endswith(".m3"))
    assert switch["share"] < 0.01


def test_a_candidate_has_the_noise_of_its_path(subject: Subject) -> None:
    elements = list(flatten(subject.library))
    inputs = np.full(subject.shape.inputs, 0.8)
    noise = candidate_noise(subject, elements, 0, 0, inputs)
    rows, _, totals = line_rows("candidate 0.0", noise, 1.0)
    assert noise.current_a > 0
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert not any("xcell" in row["device"] for row in rows)
    assert totals["rms_a"] > 0
    with pytest.raises(ValueError, match="depend on states"):
        candidate_noise(subject, elements, 1, 0, inputs)


def test_cells_from_the_smallest_to_the_largest_threshold() -> None:
    beta_hi = np.array([[0.5, 2.0], [1.0, 0.7]])
    assert chosen_cells(beta_hi, 3) == [
        ("smallest", 0, 0), ("middle", 1, 0), ("largest", 0, 1)
    ]  # fmt: skip
    assert len(chosen_cells(beta_hi, 10)) == 4
