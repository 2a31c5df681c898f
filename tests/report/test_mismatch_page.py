"""mismatch.html: verdict with denominators, every failure named, no growth with chips."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from codesign.errors import InputError
from codesign.report import build_report
from codesign.report.mismatch.data import load_population, population_plans
from codesign.report.mismatch.verdict import mismatch_verdict
from codesign.runs import Run
from tests.report.fake_population import add_population
from tests.report.fake_run import make_run
from tests.report.pages import Page


def html_of(run: Run, name: str = "mismatch.html") -> str:
    return build_report(run).with_name(name).read_text(encoding="utf-8").replace("\u00a0", " ")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = make_run(tmp_path_factory.mktemp("mismatch") / "run")
    add_population(made, failed=(1, 4), failures={"timeout": 2})
    return made


@pytest.fixture(scope="module")
def page(run: Run) -> Page:
    return Page(html_of(run))


def test_the_verdict_has_its_denominators(run: Run, page: Page) -> None:
    text = page.text("verdict")
    chips = pd.read_parquet(run.sim_dir("mc") / "chips.parquet")
    kept = int(((chips["samples_failed"] == 0) & (chips["vote_agreement"] == 1)).sum())
    assert "40 chips with mismatch, 3 clips each" in text
    assert f"{kept} of 40 meet every specification" in text
    # Two clips beyond the spread, and the failed samples are among the lost votes.
    assert "78 of 80 pairs of chip and clip" in text
    assert "2 failed samples count as lost" in text
    assert "2 of 120 2 timeout" in text
    assert "at least 99 %" in text


def test_lost_votes_and_failures_are_listed_by_name(run: Run, page: Page) -> None:
    lost = pd.read_parquet(run.sim_dir("mc") / "votes_lost.parquet")
    text = page.text("margins")
    assert f"Votes lost: {len(lost)} of 120" in text
    assert "2 of them beyond the spread" in text
    assert "✗ timeout" in text
    assert "because" in text


def test_yield_counts_failures_against_it(page: Page) -> None:
    text = page.text("yield")
    assert "2 chips have a failed sample and count as not meeting any" in text
    for spec in ("vote_agreement>=1", "accuracy_loss<=0.02", "state_agreement>=0.99"):
        assert spec in text
    assert "Yield if the limit of accuracy_loss stood elsewhere" in text


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({}, 0),
        ({"votes_kept_beyond_spread": 0.9899}, 1),
        ({"state_agreement": 0.98}, 1),
        ({"accuracy_difference_points": -2.1}, 1),
        ({"min_yield": 0.99}, 1),
        ({"engine": "batched", "judge_verdict": "fail", "judge_reasons": ["a state"]}, 1),
        ({"samples_failed": 1, "failures": {"timeout": 1}}, 1),
    ],
)
def test_a_missed_target_is_said(tmp_path: Path, changes: dict[str, Any], missed: int) -> None:
    made = make_run(tmp_path / "run", "design")
    add_population(made, **changes)
    verdict = mismatch_verdict(load_population(made, "mc"))
    assert [card.status for card in verdict.cards].count("missed") == missed
    assert verdict.passed == (missed == 0)


def test_pages_of_other_plans_come_and_go(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", "design")
    add_population(made, chips=6)
    add_population(made, chips=6, plan="mc_area4")
    assert population_plans(made) == ["mc", "mc_area4"]
    assert "(mc_area4)" in html_of(made, "mismatch_area4.html")
    (made.sim_dir("mc_area4") / "summary.json").unlink()
    build_report(made)
    assert not (made.report_dir / "mismatch_area4.html").exists()
    assert (made.report_dir / "mismatch.html").exists()


def test_corners_are_compared(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", "design")
    add_population(made, chips=8, corners=("typical", "ss"))
    text = Page(html_of(made))
    assert "at 2 corners of the process" in text.text("verdict")
    assert "Corners of the process" in text.text("chips")
    assert "every corner" in text.text("yield")


def test_the_page_does_not_grow_with_chips(tmp_path: Path) -> None:
    sizes = []
    for chips in (400, 4000):
        made = make_run(tmp_path / str(chips), "design")
        add_population(made, chips=chips)
        sizes.append(len(html_of(made)))
    assert sizes[1] < 1.15 * sizes[0]


def test_names_from_files_are_escaped(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", "design")
    add_population(made, chips=6, failed=(1,))
    html = html_of(made)
    assert "<b>9</b>" not in html
    path = made.sim_dir("mc") / "spread.parquet"
    spread = pd.read_parquet(path)
    spread["clip_id"] = "<script>alert(1)</script>"
    spread.to_parquet(path)
    assert "<script>alert" not in html_of(made)


def test_no_good_sample_is_still_a_page(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", "design")
    add_population(
        made, chips=2, failed=range(6), state_agreement=None, accuracy_difference_points=None,
        failures={"timeout": 6},
    )  # fmt: skip
    text = Page(html_of(made)).text("verdict")
    assert "no sample ended well" in text
    assert "6 of 6 6 timeout" in text


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", "design")
    add_population(made, chips=4)
    (made.sim_dir("mc") / "spread.parquet").write_bytes(b"no parquet")
    with pytest.raises(InputError, match=r"spread\.parquet .* cannot be read"):
        build_report(made)
