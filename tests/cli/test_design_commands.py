"""``export-netlist`` and ``simulate`` given what they cannot use: one message, the right code."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from codesign.cli.main import main
from codesign.runs import Run
from tests.trained import made_up_run


def _fails(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    """Run a command line that must fail, and return its single message."""
    assert main(list(arguments)) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    message = printed.err.strip()
    assert message.startswith("codesign: ")
    assert "Traceback" not in printed.err
    return message


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return made_up_run(tmp_path / "run")


@pytest.fixture(params=["export-netlist", "simulate"])
def stage(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_no_run_at_all(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "codesign train" in _fails(capsys, 2, stage)


def test_a_folder_that_is_no_run(
    stage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "is not a run folder" in _fails(capsys, 2, stage, str(tmp_path))


def test_truncated_weights(stage: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.weights_file.write_bytes(run.weights_file.read_bytes()[:-20])
    assert "truncated" in _fails(capsys, 2, stage, str(run.path))
    assert not run.design_dir.exists()


def test_a_pickle_is_not_opened(
    stage: str, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str, str]]:
            return open, (str(tmp_path / "proof"), "w")

    run.weights_file.write_bytes(pickle.dumps(Hostile()))
    assert "pickle" in _fails(capsys, 2, stage, str(run.path))
    assert not (tmp_path / "proof").exists()


def test_another_schema_version(stage: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    header = json.loads(run.model_file.read_text())
    run.model_file.write_text(json.dumps(header | {"schema": 99}))
    assert "schema = 99" in _fails(capsys, 2, stage, str(run.path))


def test_nan_weights(stage: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    tensors = load_file(run.weights_file)
    tensors["readout.bias"][0] = np.nan
    save_file(tensors, run.weights_file)
    message = _fails(capsys, 2, stage, str(run.path))
    assert "readout.bias" in message
    assert "NaN" in message
    assert not run.design_dir.exists()


def test_no_ngspice(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("NGSPICE", raising=False)
    assert "apt-get install ngspice" in _fails(capsys, 3, "export-netlist", str(run.path))
    assert not run.design_dir.exists()


@pytest.mark.ngspice
def test_no_pdk(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    message = _fails(capsys, 3, "export-netlist", str(run.path), "--pdk-root", str(empty))
    assert str(empty) in message
    assert not run.design_dir.exists()


def test_only_hardware_keys_change_after_training(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("export-netlist", str(run.path), "--set")
    assert "only hardware keys" in _fails(capsys, 2, *arguments, "training.steps=3")
    assert "did you mean 'cell'" in _fails(capsys, 2, *arguments, "hardware.cel=async")


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("hardware.weight_grid=16", "weight_grid = 16"),
        ("hardware.supply_v=5.0", "hardware.supply_v = 5"),
        ("hardware.switch_l_m=2.8e-7", None),
        ("hardware.corner=hot", "no corner 'hot'"),
    ],
)
def test_specifications_the_process_does_not_cover(
    run: Run, change: str, said: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["export-netlist", str(run.path), "--set", change]
    if said is None:  # the smallest length the process has: allowed
        assert main(arguments) == 0
        return
    assert said in _fails(capsys, 2, *arguments)
    assert not run.design_dir.exists()


def test_simulating_without_a_design(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert "codesign export-netlist" in _fails(capsys, 2, "simulate", str(run.path))
    assert not run.sim_dir().exists()


@pytest.mark.ngspice
def test_an_unwritable_place(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.design_dir.write_text("a file where the folder should be")
    assert "design" in _fails(capsys, 2, "export-netlist", str(run.path))
