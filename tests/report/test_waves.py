"""Thinning of waveforms: fewer points, same truth."""

import base64
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign.report import waves
from codesign.report.load import load_run
from codesign.report.rundata import Simulation
from codesign.report.thresholds import cell_thresholds, distances
from tests.report.fake_run import Fake, make_run


def irregular(rng: np.random.Generator, points: int) -> tuple[waves.Floats, waves.Floats]:
    time = np.concatenate([[0.0], np.cumsum(rng.uniform(0.01, 2.0, points))])
    return time, rng.normal(size=points + 1)


@given(st.integers(0, 10**6), st.integers(2, 400), st.integers(1, 60))
def test_no_extreme_is_lost(seed: int, points: int, bins: int) -> None:
    time, value = irregular(np.random.default_rng(seed), points)
    kept = waves.envelope(time, value, bins)
    assert kept.shape == (2 * bins,)
    assert kept.max() == value.max()
    assert kept.min() == value.min()
    edges = np.linspace(time[0], time[-1], bins + 1)
    for n in range(bins):
        inside = value[(time >= edges[n]) & (time <= edges[n + 1])]
        if len(inside):
            assert kept[2 * n : 2 * n + 2].min() <= inside.min()
            assert kept[2 * n : 2 * n + 2].max() >= inside.max()


def test_a_glitch_shorter_than_a_bin_is_drawn() -> None:
    time = np.linspace(0, 1, 100_001)
    value = np.where(np.abs(time - 0.31337) < 1e-5, 5.0, 1.0)
    assert waves.envelope(time, value, 50).max() == 5.0


def test_a_slope_is_drawn_as_it_is() -> None:
    time = np.linspace(0, 1, 1001)
    for value in (time, 1 - time):
        kept = waves.envelope(time, value, 10)
        ends = np.repeat(np.linspace(0, 1, 11), 2)[1:-1]
        np.testing.assert_allclose(kept, np.interp(ends, time, value), atol=1e-12)


@given(st.integers(0, 10**6), st.integers(2, 400), st.integers(1, 60))
def test_bin_means_keep_the_energy(seed: int, points: int, bins: int) -> None:
    time, value = irregular(np.random.default_rng(seed), points)
    _, means = waves.bin_means(time, value, bins)
    energy = means.sum() * (time[-1] - time[0]) / bins
    assert energy == pytest.approx(np.trapezoid(value, time), abs=1e-9 * points)


def test_a_constant_keeps_its_mean() -> None:
    time, _ = irregular(np.random.default_rng(1), 50)
    np.testing.assert_allclose(waves.bin_means(time, np.full(51, 3.5), 7)[1], 3.5)


def test_encoding_comes_back() -> None:
    value = np.array([1e-9, -2e-9, 5e-9, np.nan])
    low, high, packed = waves.encode(value)
    codes = np.frombuffer(base64.b64decode(packed), dtype="<u2")
    decoded = low + codes / 65535 * (high - low)
    np.testing.assert_allclose(decoded[:3], value[:3], atol=(high - low) / 65535)
    assert decoded[3] == low
    assert waves.encode(np.array([np.nan, np.nan]))[:2] == [0.0, 0.0]


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    run = make_run(tmp_path_factory.mktemp("waves") / "run")
    found = load_run(run).simulation
    assert found is not None
    return found


def test_clips_that_differ_come_first(simulation: Simulation) -> None:
    order = waves.clip_order(simulation)
    assert order[:2] == [2, 5]  # the one that differs, then the near-tie
    assert sorted(order) == [0, 1, 2, 3, 4, 5, 6]  # 7 failed and has no waveforms
    wrong = simulation.states[~simulation.states["agree"]].groupby("sample").size()
    rest = [int(wrong.get(sample, 0)) for sample in order[2:]]
    assert rest == sorted(rest, reverse=True)


def test_the_page_stays_within_its_budget(
    simulation: Simulation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = load_run(make_run(tmp_path / "run"))
    assert data.simulation is not None
    whole = waves.embed(data, data.simulation, {})
    assert len(whole["clips"]) == whole["available"] == 7
    monkeypatch.setattr(waves, "BUDGET_BYTES", 60_000)
    some = waves.embed(data, data.simulation, {})
    assert 1 <= len(some["clips"]) < 7
    assert [clip["sample"] for clip in some["clips"]] == [
        clip["sample"] for clip in whole["clips"][: len(some["clips"])]
    ]
    monkeypatch.setattr(waves, "BUDGET_BYTES", 1)
    assert len(waves.embed(data, data.simulation, {})["clips"]) == 1


def test_wide_networks_show_the_units_that_disagree(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waves, "MAX_CELLS", 3)
    clip = waves.read_clip(simulation, 2)
    clip.states.loc[:, "agree"] = True
    worst = (clip.states["layer"] == 1) & (clip.states["unit"] == 3)
    clip.states.loc[worst, "agree"] = False
    shown = waves.units_to_show(clip)
    assert len(shown) == 3
    assert (1, 3) in shown


def test_thresholds_come_from_the_mapping_table(tmp_path: Path) -> None:
    data = load_run(make_run(tmp_path / "run", fake=Fake(units=3, layers=2)))
    thresholds = cell_thresholds(data.design)
    assert sorted(thresholds) == [(layer, unit) for layer in range(2) for unit in range(3)]
    assert data.design is not None
    table = data.design.mapping.set_index(["parameter", "index"])["software_value"]
    high, low = thresholds[(1, 2)]
    assert high == table["layers.1.cell.beta_hi", "2"]
    assert low == pytest.approx(high - table["layers.1.cell.width", "2"])
    assert data.simulation is not None
    gaps = distances(data.simulation.states, thresholds)
    row = data.simulation.states.iloc[0]
    pair = thresholds[(int(row.layer), int(row.unit))]
    assert abs(gaps.iloc[0]) == pytest.approx(
        min(abs(row.twin_candidate_units - level) for level in pair)
    )
    assert cell_thresholds(None) == {}
