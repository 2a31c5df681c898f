"""The page in a real browser, where one is installed: scripts run and draw under the policy."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from codesign.report import build_report
from tests.report.fake_run import Fake, make_run

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine; reports need none")
def test_the_viewer_draws(tmp_path: Path) -> None:
    page = build_report(make_run(tmp_path / "run", fake=Fake(clips=3, failed=())))
    done = subprocess.run(
        [
            str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.resolve().as_uri(),
        ],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    stage = done.stdout.partition('data-stage=""')[2].partition("data-readout")[0]
    assert "Waveforms of clip digits/test/0006" in stage
    # Candidate, state, four logits and three blocks of power; twin's steps behind six of them.
    assert len(re.findall("<path ", stage)) == 6 + 6 + 3
    assert "NaN" not in stage
    picks = done.stdout.partition('data-pick="clip"')[2].partition("</select>")[0]
    assert picks.count("<option") == 3
    assert "decision differs" in picks
