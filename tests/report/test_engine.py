"""The page's section on the batched engine: verdict, samples in both engines, what failed."""

from pathlib import Path

import pytest

from codesign.errors import InputError
from codesign.report import build_report
from codesign.runs import Run
from tests.report.fake_run import add_batched, make_run
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
        "digits/test/0003 | – | – | – | ✗ ngspice timeout, batched ok | 2.90 s",
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
