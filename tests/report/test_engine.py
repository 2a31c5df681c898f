"""The page's section on the batched engine: verdict, samples in both engines, what failed."""

import json
from pathlib import Path

import pandas as pd
import pytest

from codesign.errors import InputError
from codesign.report import build_report
from codesign.runs import Run
from tests.report.fake_run import Fake, add_batched, make_run
from tests.report.pages import Page


def _page(run: Run) -> Page:
    return Page(build_report(run).read_text(encoding="utf-8"))


def _text(run: Run) -> str:
    return _page(run).text("engine").replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("verdict", "badge", "kind", "said"),
    [
        ("pass", "✓ Confirmed by ngspice", "met", "3 of them agree with ngspice, candidates"),
        ("fail", "✗ Contradicted by ngspice", "missed", "(a <b>bad</b> state)"),
        ("skipped", "Not checked", "neutral", "nothing vouches for it"),
    ],
)
def test_the_verdict_leads(tmp_path: Path, verdict: str, badge: str, kind: str, said: str) -> None:
    run = make_run(tmp_path / "run")
    add_batched(run, verdict=verdict)
    text = _text(run)
    assert badge in text
    assert said in text
    assert "Plan 'mc', 10,000 samples" in text.replace("10 000", "10,000").replace(
        "10000", "10,000"
    )
    badges = [
        e for e in _page(run).all("span") if (e.attributes.get("class") or "") == f"badge {kind}"
    ]
    assert any(badge.removeprefix("✓ ").removeprefix("✗ ") in "".join(e.text) for e in badges)


def test_every_sample_of_the_judge_is_listed(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    add_batched(run)
    cells = ["".join(e.text).strip().replace("\u00a0", " ") for e in _page(run).all("td")]
    listed = " | ".join(cells)
    for expected in (
        "nominal chip | – | – | digits/test/0000 | 0.050 % | 0 | 0.022 % | ✓ 0 | 2.90 s | 3.70 ms",
        "random | 1000 | 1000 | digits/test/0001 | 0.100 % | 1, 1 marginal | 0.022 % | ✓ 0",
        "closest to a flip | 2000 | 2000 | digits/test/0002 | 0.150 % | 2, 1 marginal | 0.022 % | "
        "✗ 0, batched 1",
        "digits/test/0003 | – | – | – | ✗ timeout in ngspice | 2.90 s",
    ):
        assert expected in listed, listed[-3000:]


def test_without_a_batched_plan_there_is_no_section(tmp_path: Path) -> None:
    page = _page(make_run(tmp_path / "run"))
    assert "engine" not in [element.attributes.get("id") for element in page.all("section")]


def test_a_plan_of_chips_alone_has_a_page(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", "design")
    add_batched(run)
    page = _page(run)
    assert "Confirmed by ngspice" in page.text("engine")
    assert "codesign report --plan mc" in page.text("verdict")


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    add_batched(run)
    (run.sim_dir("mc") / "judge.parquet").unlink()
    with pytest.raises(InputError, match=r"mc/judge\.parquet .* is missing"):
        build_report(run)


def test_a_plan_with_the_states_that_differ_alone(tmp_path: Path) -> None:
    """The page of a large plan: figures of sums, tables of the first samples."""
    figures = {
        "chips": 4, "chips_all_decisions_agreeing": 3, "accuracy_chip_mean": 0.9,
        "accuracy_chip_p5": 0.8, "accuracy_chip_min": 0.75, "plan_samples": 8,
        "state_disagreement_causes": {"glitch": 5},
    }  # fmt: skip
    whole = make_run(tmp_path / "whole", fake=Fake(waves=False))
    run = make_run(tmp_path / "run", fake=Fake(waves=False, extra=figures))
    folder = run.sim_dir()
    states = pd.read_parquet(folder / "states.parquet")
    sums = states.groupby(["layer", "unit"], as_index=False).agg(
        pairs=("agree", "size"), differing=("agree", lambda agree: (~agree).sum()),
        changed=("changed", "sum"),
    )  # fmt: skip
    sums["changed_agreeing"] = sums["changed"] - 1
    sums["error_square_sum_units2"] = 0.01 * sums["pairs"]
    sums.to_parquet(folder / "units.parquet")
    states[~states["agree"]].to_parquet(folder / "states.parquet")
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps({**summary, "states_in_table": "differing"}))
    page = _page(run)
    wanted = _page(whole).text("agreement").split(" states differ")[0]
    assert page.text("agreement").split(" states differ")[0] == wanted
    assert "Chips that decide as the twin on every clip 3 of 4" in page.text("verdict")
    assert "(chip, clip) pairs" in page.text("verdict")
    assert not [e for e in page.all("svg") if "candidates" in str(e.attributes)]


def test_long_tables_are_cut_and_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codesign.report.page.ROWS_LISTED", 3)
    monkeypatch.setattr("codesign.report.sections.samples.ROWS_LISTED", 3)
    run = make_run(tmp_path / "run", fake=Fake(clips=12, differing=(9,), failed=(11,)))
    page = _page(run)
    assert "9 more are in samples.parquet." in page.text("samples")
    cells = ["".join(e.text).strip() for e in page.all("td")]
    shown = [cell for cell in cells if cell.startswith(("✓ equal", "✗"))]
    assert "✗ differs" in shown
