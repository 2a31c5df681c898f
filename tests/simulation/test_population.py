"""The tables of a population together, and the names the documentation promises."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from codesign.analysis.yardstick import Yardstick
from codesign.analysis.yields import DEFAULT_SPECS, QUANTITIES, Spec
from codesign.circuit.timing import Timing
from codesign.mapping.design import Shape
from codesign.rules import MEAN_LOGIT
from codesign.simulation.plan import Plan, Variation
from codesign.simulation.population import decision_logits, write_population
from codesign.simulation.traces import failed, join
from tests.analysis.populations import samples
from tests.designs import random_parameters

DOCS = Path(__file__).parents[2] / "docs" / "montecarlo.md"
MARGINS: list[tuple[float | None, ...]] = [(3.0, 2.0), (3.1, -1.0), (2.9, None), (3.0, 2.1)]


def written(folder: Path, specs: tuple[Spec, ...] = DEFAULT_SPECS) -> dict[str, object]:
    return write_population(folder, samples(MARGINS, (3.0, 2.0)), 100, 2, specs)


def test_every_sample_is_accounted_for(tmp_path: Path) -> None:
    figures = written(tmp_path)
    chips, lost = (pd.read_parquet(tmp_path / f"{k}.parquet") for k in ("chips", "votes_lost"))
    spread = pd.read_parquet(tmp_path / "spread.parquet")
    assert chips["samples"].sum() == spread["pairs"].sum() == 8
    assert spread["votes_kept"].sum() + len(lost) == 8
    assert figures["failures"] == {"timeout": 1}
    assert (figures["yield_count"], figures["yield_chips"]) == (2, 4)
    assert figures["worst_chip"] == {
        "chip": 1, "corner": "", "samples": 2, "decisions_agreeing": 1, "accuracy": 0.5,
        "margin_least_units": -1.0, "margin_least_clip": "clip-1",
    }  # fmt: skip
    json.dumps(figures, allow_nan=False)


def test_other_limits_leave_what_was_measured(tmp_path: Path) -> None:
    written(tmp_path)
    before = pd.read_parquet(tmp_path / "chips.parquet")
    figures = written(tmp_path, (Spec("accuracy", ">=", 0.5),))
    assert figures["yield_count"] == 3
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "chips.parquet"), before)


@pytest.mark.parametrize("heading", ["Statistics", "Yield and specifications"])
def test_documented_names_are_there(tmp_path: Path, heading: str) -> None:
    figures = written(tmp_path)
    section = DOCS.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    assert section
    tables = {path.stem for path in tmp_path.glob("*.parquet")}
    named = re.findall(r"`((?:votes|pairs|yield|chips)_\w+)`", section)
    assert named
    assert set(named) <= set(figures) | tables
    assert set(re.findall(r"`(\w+)\.parquet`", section)) <= tables | {
        "samples", "thresholds", "cell_draws", "decision_logits",
    }  # fmt: skip
    if heading.startswith("Yield"):
        for name in QUANTITIES:
            assert f"`{name}`" in section


def test_logits_at_the_decision_are_those_that_are_compared() -> None:
    shape = Shape(inputs=3, state_dim=2, layers=1, classes=2)
    yardstick = Yardstick(
        shape, random_parameters(shape, 0), MEAN_LOGIT, 0.3, 2e-9, Timing(0.01, 2e-5, 3, 1)
    )
    plan = Plan(
        "mc", "", 0, Variation(("typical",), chips=2), (1, 0), ("b", "a"), (0, 1), 0, 4
    )  # fmt: skip
    logits = np.random.default_rng(0).uniform(1, 3, (4, 3, 2)).astype(np.float32)
    parts = [
        replace(
            failed(sample, shape, 3, "ok", "", "", 1.0),
            logits_a=2e-9 * logits[sample : sample + 1],
        )
        for sample in range(4)
    ]
    parts[2] = failed(2, shape, 3, "timeout", "", "", 1.0)
    found = decision_logits(plan, yardstick, [join(parts[:2]), join(parts[2:])])
    assert found["clip_id"].tolist() == ["b", "b", "a", "a", "a", "a"]
    assert found["class_index"].tolist() == [0, 1] * 3
    expected = logits[[0, 1, 3]].astype(np.float64).mean(axis=1).ravel()
    assert found["logit_units"].to_numpy() == pytest.approx(expected, rel=1e-6)
