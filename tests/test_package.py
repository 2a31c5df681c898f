"""The wheel: built from this checkout, unpacked elsewhere, it works outside the repository."""

import email
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def _python(installed: Path, cwd: Path, *arguments: str) -> str:
    """Run Python with the unpacked wheel before everything else, far from the checkout."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_everything_the_checkout_ships_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for kind in ("netlists", "pdk", "flows"):
        shipped = [path for path in (REPOSITORY / kind).rglob("*") if path.is_file()]
        assert shipped
        for path in shipped:
            assert f"codesign/_data/{path.relative_to(REPOSITORY)}" in names
    package = REPOSITORY / "codesign"
    for path in package.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert str(path.relative_to(REPOSITORY)) in names
    assert "codesign/py.typed" in names
    assert not any(name.startswith("tests/") for name in names)


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        told = email.message_from_bytes(archive.read(metadata))
        licences = [n for n in archive.namelist() if n.endswith("licenses/LICENSE")]
    assert told["License-Expression"] == "GPL-3.0-or-later"
    assert told["Requires-Python"] == ">=3.11"
    assert set(told.get_all("Provides-Extra") or []) == {
        "agents",
        "cluster",
        "cuda",
        "dev",
        "docs",
        "speech",
        "voices",
    }
    assert len(licences) == 1


def test_the_wheel_works_outside_the_repository(installed: Path, tmp_path: Path) -> None:
    code = (
        "import codesign; print(codesign.__file__);"
        "from codesign.resources import resource_dir;"
        "print(*(resource_dir(kind) for kind in ('netlists', 'pdk', 'flows')), sep='\\n');"
        "from codesign.flows import load_flow; print(load_flow('digits').name);"
        "from codesign.pdk import find_pdk; print(find_pdk('generic180').library)"
    )
    places = _python(installed, tmp_path, "-c", code).split()
    assert places.pop(4) == "digits"
    for place in places:
        assert Path(place).is_relative_to(installed)


@pytest.mark.ngspice
def test_the_command_of_the_wheel_simulates_its_own_models(installed: Path, tmp_path: Path) -> None:
    out = _python(installed, tmp_path, "-m", "codesign", "pdk", "check", "generic180")
    assert str(installed) in out
    assert out.count("generic180_nmos") == 5


def test_every_requirement_is_pinned() -> None:
    """Direct requirements, with those of the extra ``dev``, all have an exact version."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["dev"], *extras["speech"]]
    names = {entry.split(">")[0].split("[")[0].strip().lower() for entry in wanted}
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    pinned = {name.lower().replace("_", "-") for name in pins}
    assert names - pinned == {"codesign"}
    assert pins["torch"] == "2.13.0"


@pytest.mark.parametrize("script", ["scripts/setup", "scripts/demo", "scripts/test", ".ci/run"])
def test_the_scripts_are_runnable_and_parse(script: str) -> None:
    path = REPOSITORY / script
    assert os.access(path, os.X_OK)
    subprocess.run(["bash", "-n", str(path)], check=True)
