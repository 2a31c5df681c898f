"""Doctor's findings on machines that lack things."""

from pathlib import Path

import pytest

from codesign.doctor.machine import Finding, examine


def _by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


@pytest.mark.ngspice
def test_this_machine_has_all_that_is_required(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    findings = examine()
    assert [f.name for f in findings if f.required and not f.ok] == []
    assert {f.group for f in findings} == {"python", "ngspice", "pdk", "libraries", "place"}
    assert "sha256" in _by_name(findings)["gf180mcu"].detail
    assert list(tmp_path.iterdir()) == []


def test_no_ngspice_is_a_finding_with_its_fix(tmp_path: Path) -> None:
    found = _by_name(examine(environ={"PATH": str(tmp_path)}))
    assert not found["ngspice"].ok
    assert "apt-get install ngspice" in found["ngspice"].fix
    assert not found["C++ compiler"].required
    assert "apt-get install g++" in found["C++ compiler"].fix
    # The rest is still looked at.
    assert found["generic180"].ok
    assert found["torch"].ok


def test_a_root_without_pdks_is_a_finding_that_says_what_was_searched(tmp_path: Path) -> None:
    found = _by_name(examine(tmp_path, {"PATH": str(tmp_path)}))
    assert not found["gf180mcu"].ok
    assert found["gf180mcu"].required
    assert str(tmp_path) in found["gf180mcu"].detail
    assert "--pdk-root" in found["gf180mcu"].fix
    assert not found["sky130"].required
