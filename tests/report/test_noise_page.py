"""noise.html: jitter against its target, flips with denominators, who makes the noise."""

from pathlib import Path

import pytest

from codesign.errors import InputError
from codesign.report import build_report
from codesign.report.noise.data import load_noise, noise_plans
from codesign.report.noise.verdict import noise_verdict
from codesign.runs import Run
from tests.report.fake_noise import add_noise
from tests.report.fake_run import make_run
from tests.report.pages import Page


def html_of(run: Run, name: str = "noise.html") -> str:
    return build_report(run).with_name(name).read_text(encoding="utf-8").replace("\u00a0", " ")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = make_run(tmp_path_factory.mktemp("noise") / "run")
    add_noise(made)
    return made


@pytest.fixture(scope="module")
def page(run: Run) -> Page:
    return Page(html_of(run))


def test_the_verdict_has_its_target_and_denominators(run: Run, page: Page) -> None:
    text = page.text("verdict")
    assert "within a factor 1.5" in text
    assert "1.10 times, the worst" in text
    assert "of 6 thresholds, 6 within the target" in text
    assert "1 of 8" in text
    assert "95 % interval 1.00 % to 47.00 %" in text
    assert "3 of 256" in text
    assert "3.6 % of it, median" in text
    assert noise_verdict(load_noise(run, "noise")).passed


def test_a_jitter_beyond_the_target_is_missed(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    add_noise(run, ratio=1.8)
    assert noise_verdict(load_noise(run, "noise")).passed is False
    assert "1 of 1 targets missed" in Page(html_of(run)).text("verdict")


def test_every_threshold_has_its_curve_and_row(page: Page) -> None:
    text = page.text("jitter")
    assert text.count("in 128 trials") == 6
    for size in ("smallest", "middle", "largest"):
        assert f"beta_hi, {size}" in text
        assert f"beta_lo, {size}" in text
    assert "0.88 to 1.43" in text


def test_contributors_are_sorted_and_names_are_escaped(run: Run, page: Page) -> None:
    text = page.text("contributors")
    first, second = text.index("reference line"), text.index("layer 0 cell 0")
    assert first != second
    assert "&lt;b&gt;c0" in html_of(run)
    assert "<b>c0" not in html_of(run)


def test_the_first_page_links_it_and_it_goes_with_its_plan(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    add_noise(run)
    index = build_report(run)
    assert 'href="noise.html"' in index.read_text(encoding="utf-8")
    (run.sim_dir("noise") / "noise_samples.parquet").unlink()
    assert noise_plans(run) == []
    build_report(run)
    assert not index.with_name("noise.html").exists()


def test_a_plan_without_jitter_has_a_page_too(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    add_noise(run, "mc_noise")
    for name in ("jitter", "trials", "contributors", "spectra"):
        (run.sim_dir("mc_noise") / f"noise_{name}.parquet").unlink()
    page = Page(html_of(run, "noise_mc_noise.html"))
    assert "What noise does to the network" in page.text("network")


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    add_noise(run)
    (run.sim_dir("noise") / "noise_clips.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"noise_clips\.parquet"):
        load_noise(run, "noise")
