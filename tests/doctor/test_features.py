"""Feature probes against the real program and against programs that only pretend."""

from pathlib import Path

import pytest

from codesign.doctor.features import probe_ngspice
from codesign.spice.ngspice import find_ngspice


@pytest.mark.ngspice
def test_the_installed_ngspice_has_all_that_is_required() -> None:
    probed = probe_ngspice(find_ngspice())
    lacking = [f.name for f in probed.features if f.required and not f.present]
    assert lacking == []
    assert probed.version.startswith("ngspice-")


def _program(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_a_program_that_does_nothing_has_no_feature(tmp_path: Path) -> None:
    probed = probe_ngspice(_program(tmp_path / "ngspice", "exit 0"))
    assert not any(f.present for f in probed.features if f.name != "OSDI models")
    assert probed.version == "version not printed"


@pytest.mark.ngspice
def test_an_instance_parameter_that_is_refused_is_found_by_trying(tmp_path: Path) -> None:
    """An ngspice that does not know ``delvto``, made from the real one."""
    real = find_ngspice()
    body = f"sed -i 's/ delvto=/ unknown=/' \"$2\"; exec '{real}' \"$@\""
    probed = probe_ngspice(_program(tmp_path / "ngspice", body))
    present = {feature.name: feature.present for feature in probed.features}
    assert present["batch mode, raw files"]
    assert not present["instance delvto (BSIM4)"]
