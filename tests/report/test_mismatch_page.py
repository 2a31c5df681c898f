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
from tests.report.fake_population import add_areas, add_population, add_tables
from tests.report.fake_run import Fake, make_run
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
    assert "decisions are the twin's; 2 of 120 samples failed." in text
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
        ({"yield": 0.89}, 1),
        ({"engine": "batched", "judge_verdict": "fail", "judge_reasons": ["a state"]}, 1),
        ({"samples_failed": 1, "failures": {"timeout": 1}}, 1),
    ],
)
def test_a_missed_target_is_said(tmp_path: Path, changes: dict[str, Any], missed: int) -> None:
    made = make_run(tmp_path / "run", "design")
    add_population(made, **({"yield": 0.95} | changes))
    verdict = mismatch_verdict(load_population(made, "mc"))
    assert [card.status for card in verdict.cards].count("missed") == missed
    assert verdict.passed == (missed == 0)


def test_pages_of_other_plans_come_and_go(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", "design")
    add_population(made, chips=6)
    add_population(made, chips=6, plan="mc_area4")
    assert population_plans(made) == ["mc", "mc_area4"]
    assert len(list(build_report(made).parent.glob("mismatch*.html"))) == 2
    for name, others in (
        ("index.html", {"mismatch.html", "mismatch_area4.html"}),
        ("mismatch.html", {"index.html", "mismatch_area4.html"}),
        ("mismatch_area4.html", {"index.html", "mismatch.html"}),
    ):
        page = Page((made.report_dir / name).read_text())
        linked = {element.attributes.get("href") for element in page.all("a")}
        assert others <= linked
        assert name not in linked
    for plan in ("mc", "mc_area4"):
        (made.sim_dir(plan) / "summary.json").unlink()
    build_report(made)
    assert not (made.report_dir / "mismatch_area4.html").exists()
    assert not (made.report_dir / "mismatch.html").exists()


def test_corners_are_compared(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", "design")
    add_population(made, chips=8, corners=("typical", "ss"))
    text = Page(html_of(made))
    assert "at 2 corners of the process" in text.text("verdict")
    assert "Corners of the process" in text.text("chips")
    assert "every corner" in text.text("yield")


def test_one_chip_is_a_page_without_histograms(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", "design")
    add_population(made, chips=1)
    page = Page(html_of(made))
    assert "1 chip with mismatch, 3 clips each" in page.text("verdict")
    assert "no clip has a margin larger than 3.0 sigma of its own" in page.text("verdict")
    assert "Histogram of accuracy" not in "".join(
        element.attributes.get("aria-label") or "" for element in page.all("svg")
    )


def test_the_page_does_not_grow_with_chips(tmp_path: Path) -> None:
    sizes = []
    for chips in (300, 1500):
        made = make_run(tmp_path / str(chips), "design")
        add_population(made, chips=chips)
        sizes.append(len(html_of(made)))
    assert sizes[1] < 1.15 * sizes[0]


def test_names_from_files_are_escaped(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", "design")
    add_population(made, chips=6, failed=(1,))
    path = made.sim_dir("mc") / "spread.parquet"
    spread = pd.read_parquet(path)
    spread["clip_id"] = "<script>alert(1)</script>"
    spread.to_parquet(path)
    html = html_of(made)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "<b>9</b>" not in html


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


def test_what_was_not_computed_says_how_to_get_it(page: Page) -> None:
    for section, how in (
        ("cells", "for plans of 50 chips and more"),
        ("devices", "--sensitivity CLIPS"),
        ("worst", "--sensitivity CLIPS"),
        ("twin", "for plans of 50 chips"),
        ("suppression", "for plans of 50 chips"),
        ("area", "--area-scale 4"),
    ):
        assert how in page.text(section)


def test_the_reason_of_the_simulation_is_given(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", "design")
    add_population(made, chips=4, chip_analysis="fewer than 50 chips <b>", cell_spread="too few")
    page = Page(html_of(made))
    assert "Not computed: fewer than 50 chips <b>." in page.text("devices")
    assert "Not computed: too few." in page.text("cells")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Page:
    made = make_run(tmp_path_factory.mktemp("whole") / "run", "design")
    add_population(
        made, failed=(1,), failures={"timeout": 1}, threshold_sigma_relative=0.031,
        threshold_law_sigma_relative=0.03, gain_sigma_relative=0.029, cell_spread="done",
        chip_analysis="done", twin_stands_in="within limits", twin_decisions_unlike=1,
        twin_decisions_compared=80, worst_chips_failing=2, worst_chips_recovered=1,
        peak_memory_sample_bytes=32_000_000,
    )  # fmt: skip
    add_tables(made)
    add_areas(made)
    return Page(html_of(made))


def test_cells_stand_beside_the_law(whole: Page) -> None:
    text = whole.text("cells")
    assert "relative sigma of 3.10 % (median over 6 cells; the mismatch law gives 3.00 %" in text
    assert "Cells over 60 chips" in text


def test_sizes_that_are_slow_or_refused_by_ngspice_are_named(whole: Page) -> None:
    text = whole.text("area")
    assert "to settle they need frames of 32 ms at 16 times the area, and had 10 ms" in text
    assert "At 4 times the area ngspice contradicts the batched engine" in text


def test_devices_are_ranked_and_worst_chips_explained(whole: Page) -> None:
    text = whole.text("devices")
    assert "The largest part comes from weight<0>: 1.0 units of sigma" in text
    assert "1.5 sigma: layers.0[1] frame 2" in text
    text = whole.text("worst")
    assert "The 2 chips that lose most votes" in text
    assert "1 of the 2 that decide wrongly" in text
    assert "the first 3" in text
    assert "not by those named" in text
    assert "weight[0]" in text


def test_the_twin_is_judged_by_every_test(whole: Page) -> None:
    text = whole.text("twin")
    assert "✓ May stand in, within limits" in text
    assert "1 of 2 quantities that vary differ significantly" in text
    assert "1 of 80 decisions are unlike" in text
    assert "✗ differs" in text


def test_areas_are_in_order(whole: Page) -> None:
    text = whole.text("area")
    assert "From 1 to 16 times the drawn area" in text
    assert "from 31 of 50 to 46 of 50" in text


def test_failed_and_retried_samples_are_named(whole: Page) -> None:
    text = whole.text("samples")
    assert "1 of 120 samples failed (1 timeout)" in text
    assert "sim/mc/logs/sample-00001.log" in text
    assert "Run more than once: 1 of 120" in text
    assert "the largest simulator process held 32.0 MB" in text


def test_a_damaged_area_table_is_named(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", "design")
    add_population(made, chips=4)
    (made.path / "sim" / "area_scale.json").write_text("{}")
    with pytest.raises(InputError, match=r"area_scale\.json"):
        build_report(made)


def test_the_first_page_too_is_there_when_every_sample_failed(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", fake=Fake(clips=2, failed=(0, 1), waves=False))
    # What sums over no state at all look like.
    pd.DataFrame({"layer": [], "unit": []}).to_parquet(made.sim_dir() / "units.parquet")
    assert build_report(made).is_file()
