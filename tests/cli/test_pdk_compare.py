"""``codesign pdk compare``: one small network in two processes, and in one it does not fit."""

import json
from pathlib import Path

import pytest

from codesign.cli.main import main
from codesign.mapping.design import Shape
from codesign.mapping.exported import load_exported
from codesign.resources import resource_dir
from codesign.runs import Run
from tests.trained import made_up_run

pytestmark = pytest.mark.ngspice


def _adapter(folder: Path, name: str, changes: dict[str, str]) -> None:
    """The textbook process under another name; its library stays where it is."""
    text = (resource_dir("pdk") / "generic180.toml").read_text()
    library = resource_dir("pdk") / "generic180" / "generic180.lib"
    changes = {'shipped = "generic180/generic180.lib"': f'path = "{library}"'} | changes
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (folder / f"{name}.toml").write_text(text)


def test_each_process_gets_a_run_and_a_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    adapters = tmp_path / "adapters"
    adapters.mkdir()
    _adapter(adapters, "low", {"supply_max_v = 1.98": "supply_max_v = 1.6"})
    _adapter(adapters, "short", {"l_max_m = 5e-5": "l_max_m = 1e-6"})
    monkeypatch.setenv("CODESIGN_PDKS", str(adapters))
    run = made_up_run(tmp_path / "small", Shape(inputs=2, state_dim=1, layers=1, classes=2))
    asked = ["pdk", "compare", str(run.path), "--clips", "1", "--jobs", "1"]
    assert main([*asked, "--pdks", "generic180,low,short"]) == 1
    printed = capsys.readouterr()
    assert "could not be built or simulated in short" in printed.err
    assert printed.out.strip() == str(run.path / "pdks" / "index.html")

    summary = json.loads((run.path / "pdks" / "summary.json").read_text())
    made = summary["processes"]
    assert "does not fit 'short'" in made["short"]["failed"]
    assert made["low"]["changed"][0] == "hardware.supply_v: 1.8 becomes 1.6"
    for name in ("generic180", "low"):
        figures = made[name]
        assert figures["samples_ok"] == 1
        assert figures["cells"] == 1
        assert figures["cell_beta_hi_residual_max"] < 0.01
        assert figures["mean_power_w"] == pytest.approx(
            sum(
                figures[f"mean_power_{block}_w"]
                for block in ("cells", "feedforward", "bias", "strobe")
            )
        )
        exported = load_exported(Run(run.path / "pdks" / name))
        assert exported.hardware.pdk == name
    # The same currents at 8/9 of the supply: 8/9 of the power.
    network = {
        name: f["mean_power_w"] - f["mean_power_strobe_w"]
        for name, f in made.items()
        if "mean_power_w" in f
    }
    assert network["low"] / network["generic180"] == pytest.approx(1.6 / 1.8, rel=0.02)
    assert not run.design_dir.exists()

    # Each process's run has its own page, made by the same command as any run's.
    assert main(["report", str(run.path / "pdks" / "generic180")]) == 0
    own = (run.path / "pdks" / "generic180" / "report" / "index.html").read_text()
    page = (run.path / "pdks" / "index.html").read_text()
    assert "no silicon stands behind them" in own
    assert "no silicon stands behind them" in page
    for words in ("low", "does not fit", "hardware.supply_v: 1.8 becomes 1.6"):
        assert words in page


def test_a_process_named_without_models_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = made_up_run(tmp_path / "small")
    nowhere = str(tmp_path / "nowhere")
    asked = ["pdk", "compare", str(run.path), "--pdks", "gf180mcu", "--pdk-root", nowhere]
    assert main(asked) == 3
    assert "there is no such folder" in capsys.readouterr().err
    assert not (run.path / "pdks").exists()
