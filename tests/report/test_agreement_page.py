"""agreement.html: every target, every disagreement, and a waveform behind each."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from codesign.errors import InputError
from codesign.report import build_report
from codesign.report.agreement import agreement_page
from codesign.report.agreement import roots as packing
from codesign.report.agreement.data import CAUSES, load_disagreements
from codesign.report.agreement.verdict import agreement_verdict
from codesign.report.load import load_run
from codesign.report.sections.verdict import Verdict
from codesign.runs import Run
from tests.report.fake_run import Fake, add_explanations, make_run
from tests.report.pages import Page

FAKE = Fake(clips=4, frames=24, failed=(), near_ties=(), waves=False)
FIGURES: dict[str, Any] = {
    "vote_agreement_not_near_tie": 0.996, "samples_not_near_tie": 250,
    "vote_agreement_not_near_tie_interval": [0.98, 0.999], "state_agreement": 0.9985,
    "state_agreement_changed": 0.985, "logit_residual_of_full_scale": 0.004,
    "logit_residual_of_full_scale_all_frames": 0.02, "suppression_ratio_median": 50.0,
    "suppression_sigma_units": 0.1, "suppression_static_ratio": 25.0, "logit_fit": [
        {"count": 40, "gain": 0.99, "offset_units": 0.01, "error_rms_units": 0.03,
         "residual_rms_units": 0.02, "residual_of_full_scale": 0.004}
    ] * 4,
}  # fmt: skip


def run_with(path: Path, **changes: Any) -> Run:
    run = make_run(path / "run", fake=FAKE)
    add_explanations(run, FAKE)
    summary = run.sim_dir() / "summary.json"
    summary.write_text(json.dumps(json.loads(summary.read_text()) | FIGURES | changes))
    return run


def judged(run: Run) -> Verdict:
    found = load_disagreements(load_run(run))
    assert found is not None
    return agreement_verdict(found)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, str, Page]:
    run = run_with(tmp_path_factory.mktemp("agreement"))
    html = build_report(run).with_name("agreement.html").read_text(encoding="utf-8")
    return run, html, Page(html)


def payload(html: str) -> Any:
    return json.loads(html.partition('id="roots-data">')[2].partition("</script>")[0])


def test_every_target_is_met(made: tuple[Run, str, Page]) -> None:
    text = made[2].text("verdict")
    assert "All targets met" in text
    for words in ("99.60 % of 250", "at least 99.5 %", "at least 99.8 %", "at least 98.0 %",
                  "at most 1 %", "at least 20 times", "a waveform behind every cause"):  # fmt: skip
        assert words in text


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"vote_agreement_not_near_tie": 0.9949}, 1),
        ({"state_agreement": 0.9979}, 1),
        ({"state_agreement_changed": 0.9799}, 1),
        ({"logit_residual_of_full_scale": 0.0101}, 1),
        ({"suppression_ratio_median": 19.9}, 1),
        ({"state_agreement": 0.9, "suppression_ratio_median": 2.0}, 2),
    ],
)
def test_a_missed_target_is_said(tmp_path: Path, changes: dict[str, Any], missed: int) -> None:
    verdict = judged(run_with(tmp_path, **changes))
    assert verdict.passed is False
    assert verdict.word == f"{missed} of 6 targets missed"


def test_a_cause_without_a_waveform_is_no_evidence(tmp_path: Path) -> None:
    run = run_with(tmp_path)
    path = run.sim_dir() / "roots.parquet"
    roots = pd.read_parquet(path)
    roots.loc[0, "evidence"] = "sampled values"
    roots.to_parquet(path)
    waves = run.sim_dir() / "root_waves.parquet"
    table = pd.read_parquet(waves)
    table[table["root"] != 0].to_parquet(waves)
    verdict = judged(run)
    assert verdict.word == "1 of 6 targets missed"
    assert any("the others told from sampled values" in card.detail for card in verdict.cards)
    data = load_run(run)
    found = load_disagreements(data)
    assert found is not None
    (unseen,) = [root for root in packing.payload(data, found)["roots"] if root["n"] == 0]
    assert unseen["wave"] is None


def test_every_disagreement_can_be_opened(made: tuple[Run, str, Page]) -> None:
    run, html, page = made
    roots = pd.read_parquet(run.sim_dir() / "roots.parquet")
    packed = payload(html)
    assert {root["n"] for root in packed["roots"]} == set(roots["root"])
    assert packed["left_out"] == 0
    assert all(len(root["wave"]["c"][2]) > 200 for root in packed["roots"])
    buttons = [e.attributes.get("data-root") for e in page.all("button")]
    assert set(map(str, roots["root"])) <= set(buttons)
    # Those that turn a decision come first.
    flags = [root["decision"] for root in packed["roots"]]
    assert flags == sorted(flags, reverse=True)
    states = pd.read_parquet(run.sim_dir() / "states.parquet")
    assert sum(count for *_, count in packed["places"]) == (~states["agree"]).sum()
    for name in set(roots["cause"]):
        assert name in page.text("causes")
        assert name in CAUSES


def test_the_page_stays_small(made: tuple[Run, str, Page], monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(made[1]) < 3_000_000
    data = load_run(made[0])
    found = load_disagreements(data)
    assert found is not None
    monkeypatch.setattr(packing, "BUDGET_BYTES", 4000)
    packed = packing.payload(data, found)
    assert 0 < len(packed["roots"]) < len(found.roots)
    assert packed["left_out"] == len(found.roots) - len(packed["roots"])
    page = agreement_page(data)
    assert page is not None
    notes = page[1][0].notes
    assert "are left out of the viewer to keep the page small" in notes[0]


def test_the_index_links_to_it(made: tuple[Run, str, Page], tmp_path: Path) -> None:
    index = Page((made[0].report_dir / "index.html").read_text(encoding="utf-8"))
    assert "agreement.html" in [a.attributes["href"] for a in index.all("a")]
    assert "index.html" in [a.attributes["href"] for a in made[2].all("a")]
    # A simulation of an older version explains nothing, and has no such page.
    assert agreement_page(load_run(make_run(tmp_path / "old", fake=FAKE))) is None


def test_ids_are_unique(made: tuple[Run, str, Page]) -> None:
    ids = [e.attributes["id"] for e in made[2].elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))


def test_nothing_differs(tmp_path: Path) -> None:
    run = run_with(tmp_path)
    folder = run.sim_dir()
    states = pd.read_parquet(folder / "states.parquet")
    states.assign(agree=True, cause=None).to_parquet(folder / "states.parquet")
    for name in ("roots", "root_waves"):
        table = pd.read_parquet(folder / f"{name}.parquet")
        table.iloc[:0].to_parquet(folder / f"{name}.parquet")
    units = pd.read_parquet(folder / "units.parquet")
    units.assign(differing=0).to_parquet(folder / "units.parquet")
    page = agreement_page(load_run(run))
    assert page is not None
    verdict, sections = page
    assert "equal the twin's" in verdict.sentence
    assert "there is nothing to explain" in sections[0].lead
    assert all(section.roots is None for section in sections)


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    run = run_with(tmp_path)
    (run.sim_dir() / "roots.parquet").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"roots\.parquet \(root disagreements\) cannot be read"):
        load_disagreements(load_run(run))
