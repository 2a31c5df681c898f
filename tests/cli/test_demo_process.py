"""The demo's process: the real one where it is installed, the shipped one where there is none."""

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from codesign.cli.demo import _flow
from codesign.errors import EnvironmentMissing


@pytest.fixture
def no_pdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine where no PDK is installed."""
    real = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> ModuleSpec | None:
        if name.startswith("c4m"):
            raise ModuleNotFoundError(name)
        return real(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    monkeypatch.delenv("PDK_ROOT", raising=False)


def test_with_the_models_installed_nothing_is_replaced() -> None:
    assert _flow(("training.starts=2",), None).hardware.pdk == "gf180mcu"


@pytest.mark.usefixtures("no_pdk")
def test_without_models_the_shipped_process_serves_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    flow = _flow(("training.starts=2",), None)
    assert (flow.hardware.pdk, flow.training.starts) == ("generic180", 2)
    said = capsys.readouterr().err
    assert "No models of gf180mcu on this machine: the demo runs in generic180" in said
    assert "no silicon stands behind" in said


@pytest.mark.usefixtures("no_pdk")
def test_what_the_user_named_is_never_replaced(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentMissing):
        _flow(("hardware.pdk=gf180mcu",), None)
    with pytest.raises(EnvironmentMissing):
        _flow((), tmp_path)
