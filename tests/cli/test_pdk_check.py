"""``codesign pdk check`` on a process of the user's: every promise is tried, broken ones named."""

from pathlib import Path

import pytest

from codesign.cli.main import main
from tests.pdk.gpdk_tree import ADAPTER, gpdk_tree
from tests.pdk.sky130_tree import sky130_tree

pytestmark = pytest.mark.ngspice
TWO = ["--corner", "typical", "--corner", "sf"]


@pytest.fixture
def kits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of adapters with a blank in its path, as users have them."""
    folder = tmp_path / "my kits"
    folder.mkdir()
    monkeypatch.setenv("CODESIGN_PDKS", str(folder))
    return folder


def _verdicts(out: str) -> dict[str, str]:
    lines = [line for line in out.splitlines() if line.startswith(("ok ", "BROKEN "))]
    return {line[8:28].strip(): line.split()[0] for line in lines}


def test_every_promise_of_a_kit_is_tried(kits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gpdk_tree(kits)
    assert main(["pdk", "check", "gpdk045", *TWO]) == 0
    out = capsys.readouterr().out
    assert "g45n1svt" in out
    verdicts = _verdicts(out)
    assert set(verdicts.values()) == {"ok"}
    assert set(verdicts) == {
        "corner names", "limits at typical", "limits at sf", "mismatch", "noise", "memory cell",
    }  # fmt: skip


def test_broken_promises_are_named(kits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    swapped = ADAPTER.replace('sf = "SnFp"\nfs = "FnSp"', 'sf = "FnSp"\nfs = "SnFp"')
    gpdk_tree(kits, adapter=swapped.replace("w_max_m = 2e-5", "w_max_m = 3e-5"))
    assert main(["pdk", "check", "gpdk045", *TWO]) == 1
    printed = capsys.readouterr()
    verdicts = _verdicts(printed.out)
    broken = [name for name, verdict in verdicts.items() if verdict == "BROKEN"]
    assert broken == ["corner names", "limits at typical", "limits at sf"]
    assert "sf: g45n1svt is not slower than at typical" in printed.out
    assert "29.97 um / 0.18 um" in printed.out
    assert "corner names, limits at typical, limits at sf" in printed.err


def test_a_level_1_card_is_not_a_transistor_here(
    kits: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = gpdk_tree(kits)
    cards = ".lib NN\n.model g45n1svt nmos level=1 vto=.5 kp=1e-4\n"
    library.write_text(f"{cards}.model g45p1svt pmos level=1 vto=-.5 kp=3e-5\n.endl NN\n")
    assert main(["pdk", "check", "gpdk045"]) == 3
    assert "does not behave like a transistor" in capsys.readouterr().err


def test_lifted_models_are_held_against_their_wrappers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "cache"))
    sky130_tree(tmp_path / "root")
    root = ["--pdk-root", str(tmp_path / "root"), "--corner", "typical"]
    assert main(["pdk", "check", "sky130", *root]) == 0
    assert _verdicts(capsys.readouterr().out)["lifted at typical"] == "ok"
