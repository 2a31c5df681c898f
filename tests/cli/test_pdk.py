"""``codesign pdk`` and ``codesign doctor`` as a user meets them."""

import json
from pathlib import Path

import pytest

from codesign.cli.main import main
from tests.cli.running import codesign as run
from tests.pdk.trees import gf180_tree


def test_list_says_where_each_process_was_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = gf180_tree(tmp_path)
    assert main(["pdk", "list", "--pdk-root", str(tmp_path)]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "shipped" in lines["generic180"]
    assert lines["gf180mcu"].split()[1] == "--pdk-root"
    assert lines["gf180mcu"].endswith(str(library))
    assert "not found" in lines["sky130"]
    assert str(tmp_path) in lines["sky130"]


def test_show_prints_limits_corners_and_the_spice_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = gf180_tree(tmp_path)
    assert main(["pdk", "show", "gf180mcu", "--pdk-root", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "0.22 to 100 um" in out
    assert "7.15 (N), 6.66 (P) mV um" in out
    assert f".lib '{library}' typical\n" in out


@pytest.mark.ngspice
def test_check_measures_every_corner(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pdk", "check", "generic180"]) == 0
    out = capsys.readouterr().out
    for corner in ("typical", "ss", "ff", "sf", "fs"):
        assert sum(line.startswith(f"{corner} ") for line in out.splitlines()) == 2


@pytest.mark.ngspice
def test_check_refuses_an_unknown_corner_before_it_prints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["pdk", "check", "generic180", "--corner", "hot"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "known corners" in printed.err


def test_check_without_ngspice_says_how_to_get_it(tmp_path: Path) -> None:
    done = run("pdk", "check", "generic180", cwd=tmp_path, environ={"PATH": str(tmp_path)})
    assert done.returncode == 3
    assert done.stderr.startswith("codesign: ngspice was not found")
    assert "apt-get install ngspice" in done.stderr


def test_a_process_without_models_exits_3_and_lists_the_places(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pdk", "show", "gf180mcu", "--pdk-root", str(tmp_path)]) == 3
    assert str(tmp_path) in capsys.readouterr().err


def test_an_unknown_process_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pdk", "show", "gf180"]) == 2
    assert "did you mean 'gf180mcu'?" in capsys.readouterr().err


@pytest.mark.ngspice
def test_doctor_is_content_with_a_complete_machine(tmp_path: Path) -> None:
    done = run("doctor", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Everything required is here." in done.stdout
    assert done.stderr == ""


def test_doctor_exits_3_and_names_what_is_missing(tmp_path: Path) -> None:
    done = run("doctor", "--json", cwd=tmp_path, environ={"PATH": str(tmp_path)})
    assert done.returncode == 3
    assert "missing on this machine: ngspice" in done.stderr
    report = json.loads(done.stdout)
    assert report["ok"] is False
    missing = [f for f in report["findings"] if f["required"] and not f["ok"]]
    assert [f["name"] for f in missing] == ["ngspice"]
    assert missing[0]["fix"]
