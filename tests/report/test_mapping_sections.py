"""The sections on strategies and on currents: what they say, and when they are absent."""

import json
from pathlib import Path
from typing import Any

import pytest

from codesign.report.build import build_report
from codesign.runs import Run
from tests.report.fake_run import make_run
from tests.report.pages import Page

HOSTILE = "<script>alert(1)</script>"


def _strategy(name: str, worst: float, title: str = "") -> dict[str, Any]:
    over = {"rms": worst / 3, "worst": worst}
    return {
        "name": name, "title": title or f"strategy {name}", "weights": "unit", "weight_grid": 8,
        "not_representable": 3, "devices_measured": 321, "error_rms": 0.0009, "error_worst": 0.0038,
        "error_over_temperature": {"-20": over, "85": over}, "error_over_temperature_worst": worst,
        "drift": {"-20": over, "85": over}, "meets": worst <= 0.01, "gate_area_m2": 6.7e-8,
        "predicted_power_w": 5.45e-7, "candidate_error_units_rms": 0.0014,
        "logit_error_units_rms": 0.0025,
        "paths": {"P diode to sum, positive": {"devices": 7, "mean": 0.0003, "rms": 0.0005}},
    }  # fmt: skip


def _comparison(**changes: Any) -> dict[str, Any]:
    currents = [5e-11, 1e-9, 1e-8]
    names = ("p_positive", "p_negative", "n_positive", "n_negative")
    return {
        "nominal_c": 27.0, "temperatures_c": [-20.0, 85.0], "used": "k/8",
        "strategies": [_strategy("k/8", 0.0047), _strategy("single", 0.13)],
        "sign_paths": {
            "current_a": currents,
            "gain": {name: [1.009, 1.0, 0.991] for name in names},
            "trimmed": {name: [1.001, 1.0, 0.999] for name in names},
            "delays": {name: {"up_s": 3.3e-4, "down_s": 8.8e-4} for name in names},
        },
    } | changes  # fmt: skip


def _ranges(outside: list[dict[str, Any]], possible: bool = True) -> dict[str, Any]:
    group = {
        "group": "h0", "kind": "state", "nodes": 4, "silent": 1, "smallest_units": 0.05,
        "mean_units": 0.2, "largest_units": 0.8, "time_s": 3.1e-3, "tail_units": 0.011,
        "reached": 0.87, "gain_error": -0.003, "outside": len(outside),
    }  # fmt: skip
    return {
        "unit_current_a": 1e-9, "supported_a": [2.1e-11, 1.9e-8], "gain_tolerance": 0.01,
        "largest": {"node": "y_0", "units": 15.2},
        "smallest_state": {"node": "h0_1", "units": 0.05},
        "raised_states": {"continuous": [
            {"node": "h0_1", "factor": 2.24, "alpha_units": 0.112, "enough": False}]},
        "groups": [group], "outside": outside, "specification": ["A sentence on the hardware."],
        "suggestion": {
            "lowest_unit_a": 2.03e-9, "lowest_because": "h0_1", "highest_unit_a": 1.5e-8,
            "highest_because": "c0_3", "possible": possible, "frame_s": 0.0203,
        },
    }  # fmt: skip


def _text(run: Run) -> str:
    """What the page says, blanks of any kind as one."""
    page = Page(build_report(run).read_text(encoding="utf-8"))
    return " ".join("".join(page.all("body")[0].text).split())


def _with(tmp_path: Path, comparison: Any = None, ranges: Any = None) -> Run:
    run = make_run(tmp_path / "run", "design")
    if comparison is not None:
        (run.design_dir / "strategies.json").write_text(json.dumps(comparison))
    if ranges is not None:
        path = run.design_dir / "design.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"ranges": ranges}))
    return run


def test_without_a_comparison_or_a_check_there_is_no_section(tmp_path: Path) -> None:
    html = build_report(_with(tmp_path)).read_text(encoding="utf-8")
    assert "Mapping strategies" not in html
    assert "Currents of the nodes" not in html


def test_strategies_are_shown_with_what_they_miss(tmp_path: Path) -> None:
    text = _text(_with(tmp_path, _comparison()))
    said_of = "Weights as promised|strategy k/8 (this design)|0.090 %|0.47 %|13.00 %|321 devices"
    for said in f"{said_of}|0.0014|P diode to sum".split("|"):
        assert said in text, said


def test_a_design_that_misses_the_promise_says_so(tmp_path: Path) -> None:
    assert "Weights off" in _text(_with(tmp_path, _comparison(used="single")))


def test_nodes_outside_are_named_with_the_effect_and_the_way_out(tmp_path: Path) -> None:
    node = {"node": "h0_1", "kind": "state", "largest_units": 0.05,
            "problems": ["a state of 0.05 units that was off reaches 16 % of itself"]}  # fmt: skip
    text = _text(_with(tmp_path, ranges=_ranges([node])))
    for said in ("1 outside", "reaches 16 % of itself", "h0_1", "2.03", "frames of 20.3",
                 "A sentence on the hardware.", "2.24"):  # fmt: skip
        assert said in text, said
    assert "All in range" in _text(_with(tmp_path / "b", ranges=_ranges([])))


def test_when_no_unit_current_helps_the_page_says_which_nodes_disagree(tmp_path: Path) -> None:
    text = _text(_with(tmp_path, ranges=_ranges([], possible=False)))
    assert "No unit current keeps every node in range: h0_1 needs" in text


@pytest.mark.parametrize("where", ["title", "problem"])
def test_hostile_names_stay_text(tmp_path: Path, where: str) -> None:
    node = {"node": HOSTILE, "kind": "state", "largest_units": 1.0, "problems": [HOSTILE]}
    comparison = _comparison(strategies=[_strategy("k/8", 0.004, HOSTILE)])
    run = _with(
        tmp_path,
        comparison if where == "title" else None,
        _ranges([node]) if where == "problem" else None,
    )
    html = build_report(run).read_text(encoding="utf-8")
    assert HOSTILE not in html
    assert "&lt;script&gt;alert(1)" in html
