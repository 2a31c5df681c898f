"""Device noise in ngspice samples: its law, its seeds, and a plan with it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from codesign.circuit.elements import Mosfet
from codesign.circuit.export import export_design
from codesign.device.bench import find_point
from codesign.device.noise import CHARGE_C
from codesign.flows import HardwareSection
from codesign.mapping.design import Shape
from codesign.runs import Run
from codesign.simulation.noise_sources import (
    STILL,
    NoiseLaw,
    currents_path,
    is_switch,
    noise_law,
    noise_lines,
)
from codesign.simulation.noisy import drop_currents, renew_currents, still_folder
from codesign.simulation.plan import Plan, Variation
from codesign.simulation.run import Options, simulate
from codesign.simulation.sample import sample_name, shard_path
from codesign.simulation.traces import failed, read_ends, read_traces, write_traces
from tests.trained import made_up_run

TICK_S = 2e-4
MIRROR = Mosfet("xblock.mout", "out", "line", "vss", "vss", "n", 1.2e-6, 1e-5, 8)
SOURCE = Mosfet("xblock.mup", "out", "line_p", "vdd_ff", "vdd_ff", "p", 1.2e-6, 1e-5, 8)
SWITCH = Mosfet("xblock.ms", "out", "stb", "out2", "vss", "n", 5e-7, 5e-7)


def _flat(white: float, flicker: float) -> NoiseLaw:
    ones = np.ones(1)
    return NoiseLaw(
        TICK_S, 1, white * ones, 1e-7 * ones, flicker * ones, 2 * ones, 1.0 * ones, 8 * ones
    )


def _samples(text: str) -> NDArray[np.float64]:
    words = text[text.index("pwl(") + 4 : text.rindex(")")].replace("\n+ ", " ").split()
    return np.array(words, dtype=np.float64).reshape(-1, 2)[:, 1]


def _one(law: NoiseLaw, currents_a: NDArray[np.float64], seed: int = 1) -> NDArray[np.float64]:
    return _samples(noise_lines(law, [MIRROR], [MIRROR], currents_a, seed))


@pytest.mark.ngspice
def test_a_mirror_is_as_noisy_as_its_shot_noise_says() -> None:
    """Samples of a white density S, a tick apart, have the variance S / (2 tick)."""
    law = noise_law(find_point(HardwareSection()), [MIRROR], 1)
    current = 1e-9
    white, flicker = law.densities(np.array([current]))
    assert white[0] / (2 * CHARGE_C * current) == pytest.approx(1.9, rel=0.15)
    assert flicker[0] > 0
    samples = _one(_flat(1.9, 0.0), np.full((1, 20001), current))
    expected = 1.9 * 2 * CHARGE_C * current / (2 * TICK_S)
    assert samples.var() == pytest.approx(expected, rel=0.05)


def test_noise_follows_the_current_of_the_moment() -> None:
    currents = np.repeat([[1e-10, 4e-10]], 10000, axis=1).reshape(1, -1)
    white = _one(_flat(1.9, 0.0), currents)
    assert white[10000:].std() / white[:10000].std() == pytest.approx(2, rel=0.05)
    flicker = _one(_flat(1e-12, 1e-9), currents)
    assert flicker[10000:].std() / flicker[:10000].std() == pytest.approx(4, rel=0.25)
    assert not _one(_flat(1.9, 1e-9), np.zeros((1, 100))).any()


def test_seeds_repeat_and_devices_differ() -> None:
    current = np.full((2, 50), 1e-9)
    law = NoiseLaw(TICK_S, 1, *(np.full(2, value) for value in (1.9, 1e-7, 1e-9, 2.0, 1.0, 8.0)))
    one = noise_lines(law, [MIRROR, SOURCE], [MIRROR, SOURCE], current, 7)
    assert one == noise_lines(law, [MIRROR, SOURCE], [MIRROR, SOURCE], current, 7)
    assert one != noise_lines(law, [MIRROR, SOURCE], [MIRROR, SOURCE], current, 8)
    other = noise_lines(law, [SOURCE, MIRROR], [SOURCE, MIRROR], current, 7)
    assert sorted(one.replace("inoise0", "inoise1").split("inoise1")) == sorted(
        other.replace("inoise0", "inoise1").split("inoise1")
    )


def test_sources_between_the_same_nodes_are_one() -> None:
    law = NoiseLaw(TICK_S, 1, *(np.full(2, value) for value in (1.9, 1e-7, 0.0, 2.0, 1.0, 8.0)))
    twin = Mosfet("xblock.mother", "out", "line2", "vss", "vss", "n", 1.2e-6, 1e-5, 8)
    current = np.full((2, 20000), 1e-9)
    text = noise_lines(law, [MIRROR, twin], [MIRROR, twin], current, 3)
    assert text.count("inoise") == 1
    alone = _one(_flat(1.9, 0.0), current[:1], 3)
    assert _samples(text).var() == pytest.approx(2 * alone.var(), rel=0.05)
    assert is_switch(SWITCH)
    assert not is_switch(MIRROR)


@pytest.mark.ngspice
def test_a_plan_with_noise(tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "small")
    export_design(run)
    said: list[str] = []
    options = Options(noise=2, clips=1, engine="ngspice", jobs=2, suppression=(), jitter=0)
    figures = simulate(run, options, say=said.append)
    assert figures["plan"] == "noise"
    assert figures["noise_samples_compared"] == figures["samples_ok"] == 2
    assert any("2 samples, each about" in text for text in said)
    # A candidate is the sum of some mirrors: white noise of picoamperes on a unit of 1 nA.
    assert 5e-4 < figures["noise_candidate_rms_units"] < 2e-2
    assert figures["noise_power_ratio_mean"] == pytest.approx(1, abs=0.02)
    table = _samples_of(run)
    assert table["noise_seed"].nunique() == 2
    assert table["margin_units"].nunique() == 2
    # The currents that noise followed are gone, and made again for a sample that is missing.
    folder = run.sim_dir("noise")
    still = folder / STILL
    assert not list(still.rglob("*.npy"))
    quiet = read_traces(shard_path(still, 0))
    shard_path(folder, 1).unlink()
    again = simulate(run, options)
    assert not list(still.rglob("*.npy"))
    remade = read_traces(shard_path(still, 0))
    assert quiet is not None
    assert remade is not None
    np.testing.assert_array_equal(remade.candidates_a, quiet.candidates_a)
    assert again["noise_candidate_rms_units"] == figures["noise_candidate_rms_units"]
    pd.testing.assert_frame_equal(_samples_of(run), table)
    plan = json.loads((run.sim_dir("noise") / "plan.json").read_text())
    assert plan["varied"]["repeats"] == 2


def test_currents_stay_as_long_as_a_sample_needs_them(tmp_path: Path) -> None:
    """Two runs without noise, 0 and 1, of two samples each: 0 and 1, 2 and 3."""
    varied = Variation(("typical",), repeats=2)
    plan = Plan("noise", "digest", 1, varied, (4, 7), ("a", "b"), (0, 1), 0, 4)
    place = still_folder(tmp_path)
    for index in (0, 1):
        _still(place, index, "ok")
        path = currents_path(place, sample_name(index))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    renew_currents(plan, tmp_path, [0, 3])
    assert read_ends(shard_path(place, 0)) == read_ends(shard_path(place, 1)) == ("ok", 1)
    drop_currents(replace(plan, start=2, stop=4), tmp_path)
    assert [path.stem for path in place.rglob("*.npy")] == ["sample-00000"]
    renew_currents(plan, tmp_path, [0, 1])
    assert read_ends(shard_path(place, 1)) == ("ok", 1)  # nothing waits for it
    renew_currents(plan, tmp_path, [0, 3])
    assert read_ends(shard_path(place, 0)) == ("ok", 1)  # its currents are there
    assert read_ends(shard_path(place, 1)) is None
    drop_currents(plan, tmp_path)
    assert not (place / "currents").exists()
    # A run without noise that failed has no currents; it is not tried again for that.
    _still(place, 1, "failed")
    renew_currents(plan, tmp_path, [2])
    assert read_ends(shard_path(place, 1)) == ("failed", 1)


def _still(place: Path, index: int, status: str) -> None:
    shape = Shape(inputs=2, state_dim=2, layers=1, classes=2)
    write_traces(shard_path(place, index), failed(index, shape, 3, status, "", "", 1.0))


def _samples_of(run: Run) -> pd.DataFrame:
    return pd.read_parquet(run.sim_dir("noise") / "noise_samples.parquet")
