"""The page in a real browser, where one is installed: scripts run and draw under the policy."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from codesign.report import build_report
from tests.report.fake_run import Fake, add_explanations, make_run
from tests.report.test_training_page import learned_run

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no chromium on this machine; reports need none"
)


def dom_of(page: Path, profile: Path, anchor: str = "") -> str:
    """The page's document after its scripts have run."""
    done = subprocess.run(
        [
            str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={profile}", "--dump-dom", page.resolve().as_uri() + anchor,
        ],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return done.stdout


def test_disagreements_are_drawn(tmp_path: Path) -> None:
    """The map has a button for every place at which one began; the address chooses one."""
    fake = Fake(clips=4, frames=24, failed=(), waves=False)
    run = make_run(tmp_path / "run", fake=fake)
    roots = add_explanations(run, fake)
    page = build_report(run).with_name("agreement.html")
    last = roots.iloc[-1]
    dom = dom_of(page, tmp_path / "profile", f"#root-{last['root']}")
    places = roots[["layer", "unit", "frame"]].drop_duplicates()
    assert dom.count('role="button"') == len(places)
    stage = dom.partition('data-stage=""')[2].partition("data-readout")[0]
    assert f"Waveform of disagreement {last['root']}: {last['cause']}" in stage
    assert len(re.findall("<path ", stage)) == 3
    assert "NaN" not in stage
    facts = dom.partition('data-facts=""')[2].partition("</p>")[0]
    assert f"the reason of root {last['root']}" in facts
    assert '<tr class="chosen">' in dom


def test_clips_of_a_training_are_drawn(tmp_path: Path) -> None:
    """Inputs and two layers as heat maps; candidate, state and four logits as lines."""
    run = learned_run(tmp_path / "run")
    dom = dom_of(build_report(run).with_name("training.html"), tmp_path / "profile")
    stage = dom.partition('data-stage=""')[2].partition("data-readout")[0]
    assert "Inputs, states and logits of clip" in stage
    assert len(re.findall("<image ", stage)) == 3
    assert len(re.findall('href="data:image/png;base64,', stage)) == 3
    # The mark of the chosen unit is a path too.
    assert len(re.findall("<path ", stage)) == 2 + 4 + 1
    assert len(re.findall("<circle ", stage)) == 4 + 1
    assert "NaN" not in stage
    facts = dom.partition("data-facts")[2].partition("</p>")[0]
    assert "Label" in facts
    picks = dom.partition('data-pick="unit"')[2].partition("</select>")[0]
    assert picks.count("<option") == 4


def test_the_viewer_draws(tmp_path: Path) -> None:
    page = build_report(make_run(tmp_path / "run", fake=Fake(clips=3, failed=())))
    dom = dom_of(page, tmp_path / "profile")
    stage = dom.partition('data-stage=""')[2].partition("data-readout")[0]
    assert "Waveforms of clip digits/test/0006" in stage
    # Candidate, state, four logits and three blocks of power; twin's steps behind six of them.
    assert len(re.findall("<path ", stage)) == 6 + 6 + 3
    assert "NaN" not in stage
    picks = dom.partition('data-pick="clip"')[2].partition("</select>")[0]
    assert picks.count("<option") == 3
    assert "decision differs" in picks
