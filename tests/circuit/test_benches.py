"""The cell library's own test benches: what the two cells do with the same kind of glitch."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from codesign.resources import resource_dir
from codesign.spice.ngspice import find_ngspice

LOW, HIGH = pytest.approx(0, abs=5e-12), pytest.approx(5.12e-10, rel=0.01)


def _states(bench: str, folder: Path) -> list[float]:
    for kind in ("netlists", "pdk"):
        shutil.copytree(resource_dir(kind), folder / kind)
    done = subprocess.run(
        [str(find_ngspice()), "-b", f"{bench}.cir"],
        cwd=folder / "netlists" / "benches", capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = dict(re.findall(r"^(state_\d)\s*=\s*(\S+)", done.stdout, re.MULTILINE))
    return [float(found[f"state_{k}"]) for k in range(5)]


@pytest.mark.ngspice
def test_both_cells_set_keep_and_clear(tmp_path: Path) -> None:
    for bench in ("cell_async", "cell_strobed"):
        assert _states(bench, tmp_path / bench)[:4] == [LOW, HIGH, HIGH, LOW]


@pytest.mark.ngspice
def test_only_the_asynchronous_cell_latches_a_glitch_between_strobes(tmp_path: Path) -> None:
    assert _states("cell_async", tmp_path / "a")[4] == HIGH
    assert _states("cell_strobed", tmp_path / "s")[4] == LOW
