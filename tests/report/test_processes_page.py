"""The page of several processes: a column each, and what is missing or failed said in words."""

from typing import Any

from codesign.report.processes import render_processes, table_text

BLOCKS = {"cells": 2e-8, "feedforward": 5e-8, "bias": 3e-8}


def _facts(title: str, agreeing: int) -> dict[str, Any]:
    return {
        "title": title, "source": "package", "sha256": "0" * 64, "notice": "", "changed": [],
        "hardware": {"supply_v": 1.8, "unit_w_m": 1.2e-6, "unit_l_m": 1e-5, "cell_w_m": 4e-6,
                     "cell_l_m": 1e-5},
        "samples_total": 4, "samples_ok": 4, "decisions_agreeing": agreeing,
        "state_agreement": 0.9975, "state_count": 800, "mean_power_w": 1e-7,
        "gate_area_m2": 4e-8, "vgs_n_v": 0.42, "vgs_p_v": 0.6,
        "cell_beta_hi_residual_rms": 0.001, "cell_beta_hi_residual_max": 0.002,
    } | {f"mean_power_{block}_w": power for block, power in BLOCKS.items()}  # fmt: skip


def _summary(**processes: dict[str, Any]) -> dict[str, Any]:
    return {
        "run": "digits <blink>", "state_dim": 4, "layers": 2, "class_names": ["0", "1"],
        "processes": processes, "missing": {"sky130": "nowhere"},
    }  # fmt: skip


def test_every_process_has_a_column_and_a_verdict() -> None:
    page = render_processes(_summary(one=_facts("First", 4), two=_facts("Second <marquee>", 3)))
    for words in ("First", "4 of 4", "3 of 4", "99.75", "0.10", "sky130 was left out"):
        assert words in page
    assert "decides as the software twin on every clip in 1 of 2 processes" in page
    assert "<blink>" not in page
    assert "<marquee>" not in page
    table = table_text(_summary(one=_facts("First", 4), two=_facts("Second", 3)))
    (row,) = (line for line in table.splitlines() if "Decisions equal" in line)
    assert row.split("Decisions equal")[1].split() == ["4", "of", "4", "3", "of", "4"]


def test_a_process_that_failed_is_a_result_with_its_reason() -> None:
    failed = _facts("Third", 0) | {"failed": "no cell is bistable", "changed": ["supply: less"]}
    page = render_processes(_summary(one=_facts("First", 4), three=failed))
    assert "three failed: no cell is bistable" in page
    assert "supply: less" in page
    assert "Same decisions everywhere" not in page


def test_a_page_where_every_process_failed_still_stands() -> None:
    page = render_processes(_summary(three=_facts("T", 0) | {"failed": "no models"}))
    assert "three failed: no models" in page
