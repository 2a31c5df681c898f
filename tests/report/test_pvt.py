"""The page's section on the points of the process."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from codesign.analysis.pvt import CELL_VALUES, summarise_points
from codesign.errors import InputError
from codesign.report import build_report
from codesign.runs import Run
from codesign.simulation.points import CONDITIONS, corner_points
from tests.report.fake_run import make_run
from tests.report.pages import Page


def _points(conditions: tuple[str, ...] = CONDITIONS, lost: int | None = None) -> pd.DataFrame:
    """Made-up rows of all points; the point ``lost`` loses one vote of two."""
    rows = []
    for condition in conditions:
        for point in corner_points(1.8):
            kept = 1 if point.index == lost else 2
            rows.append(
                {
                    "condition": condition, "bias": condition.split("_")[0],
                    "point": point.index, "corner": point.corner, "supply_v": point.supply_v,
                    "supply_part": point.supply_part, "temperature_c": point.temperature_c,
                    "unit_current_a": 1e-9,
                    "reference_current_a": None if condition == "ideal" else 0.9e-9,
                    "clips": 2, "clips_ok": 2, "votes_kept": kept, "votes_as_nominal": kept,
                    "states": 200, "states_differing": 2 * (2 - kept), "states_changed": 20,
                    "states_changed_agreeing": 20 - 2 * (2 - kept),
                    "logit_margin_min_units": 1.0 if kept == 2 else -0.25,
                    "mean_power_w": 3e-7, "mean_power_cells_w": 1e-7,
                    "mean_power_feedforward_w": 1e-7, "mean_power_bias_w": 1e-7,
                    **{f"{name}_error_worst": -0.012 for name in CELL_VALUES},
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def _write(run: Run, points: pd.DataFrame, **changes: Any) -> None:
    folder = run.sim_dir("corners")
    folder.mkdir(parents=True)
    figures = summarise_points(points, 45) | {
        "pvt_engine": "ngspice", "clips": 2, "pvt_failures": [], **changes
    }  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(figures))
    (folder / "plan.json").write_text("{}")
    points.to_parquet(folder / "points.parquet")


def _page(run: Run) -> Page:
    return Page(build_report(run).read_text(encoding="utf-8"))


def _text(run: Run) -> str:
    return _page(run).text("pvt").replace("\u00a0", " ")


def test_the_figures_of_a_point_that_loses_a_vote() -> None:
    figures = summarise_points(_points(("ideal",), lost=7), 45)
    assert figures["pvt_points_total"] == figures["pvt_points"] == 45
    assert figures["pvt_points_all_votes_kept"] == 44
    assert figures["pvt_votes_kept"] == 89
    assert figures["pvt_state_agreement"] == pytest.approx(1 - 2 / 9000)
    assert figures["pvt_state_agreement_worst_point"] == pytest.approx(0.99)
    assert figures["pvt_votes_lost"] == ["typical 1.98 V 27 C: 1 of 2"]
    assert figures["pvt_logit_margin_min_units"] == -0.25
    assert "pvt_tree_nominal_points" not in figures


def test_every_condition_has_its_matrices_and_its_sentence(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    _write(run, _points(lost=44))
    text = _text(run)
    assert "✗ 44 of 45 points keep every vote" in text
    assert text.count("every vote is kept at 44 of 45 points") == 3
    assert "reference current 900 pA to 900 pA" in text
    svg = [e for e in _page(run).all("svg") if "votes kept" in (e.attributes["aria-label"] or "")]
    assert len(svg) == 6  # three conditions, each wide and narrow
    assert text.count("1 of 2") == 3


def test_without_all_points_nothing_is_judged(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", "design")
    points = _points(("ideal",))
    _write(run, points[points["corner"] == "ff"])
    text = _text(run)
    assert "9 of 45 points" in text
    assert "keep every vote" not in text


def test_failures_are_listed_and_escaped(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    failure = {
        "condition": "ideal", "corner": "ss", "supply_v": 1.62, "temperature_c": -20.0,
        "clip_id": "a<b>", "status": "timeout", "message": "stopped", "log": "logs/x.log",
    }  # fmt: skip
    points = _points(("ideal",)).assign(clips_ok=1)
    points["logit_margin_min_units"] = np.nan
    _write(run, points, pvt_failures=[failure])
    assert "a<b>" in _text(run)
    assert "a<b>" not in build_report(run).read_text(encoding="utf-8")


def test_a_damaged_table_and_a_page_of_the_plan_alone_are_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    _write(run, _points(("ideal",)))
    with pytest.raises(InputError, match="leave --plan out"):
        build_report(run, "corners")
    (run.sim_dir("corners") / "points.parquet").write_bytes(b"cut short")
    with pytest.raises(InputError, match=r"points\.parquet .*codesign simulate --corners"):
        build_report(run)
