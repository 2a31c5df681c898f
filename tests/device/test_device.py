"""Device constants measured in real ngspice, and what is programmed with them."""

import math
from pathlib import Path

import pytest

from codesign.device.bench import ProcessPoint
from codesign.device.calibrate import Calibration, calibrate
from codesign.device.cell import CellMap
from codesign.device.cell_loops import CellBias, measure_loops
from codesign.device.mirrors import RatioTable
from codesign.errors import EnvironmentMissing
from codesign.flows import HardwareSection
from codesign.pdk import find_pdk
from codesign.spice.ngspice import find_ngspice, ngspice_version

TARGETS = [(0.6, 0.3, 0.8), (1.3, 0.9, 0.5), (2.5, 2.0, 0.3), (0.35, 0.15, 1.2)]


def _point(**hardware: object) -> ProcessPoint:
    ngspice = find_ngspice()
    section = HardwareSection.model_validate(hardware)
    return ProcessPoint(find_pdk(section.pdk), section, ngspice, ngspice_version(ngspice))


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path))
    return tmp_path


def test_the_map_and_its_inverse_agree() -> None:
    cell_map = CellMap(0.98, 0.004, 0.985, -0.01, 1.02, -0.003, 0, 0, 0)
    for target in TARGETS:
        assert cell_map.effective(cell_map.program(*target)) == pytest.approx(target, rel=1e-9)


def test_a_current_is_made_of_the_fewest_devices() -> None:
    table = RatioTable((1e-5, 2e-5, 3e-5), (0.125, 0.0625, 0.0417))
    for target in (0.05, 0.125, 0.126, 1.0, 3.7):
        m, l_m, ratio = table.size(target)
        assert m == max(1, math.ceil(target / 0.125 - 1e-9))
        assert 1e-5 <= l_m <= 3e-5
        assert l_m / 5e-9 == pytest.approx(round(l_m / 5e-9))
        assert ratio == pytest.approx(target, rel=1e-3)


@pytest.mark.ngspice
@pytest.mark.parametrize("cell", ["async", "strobed"])
@pytest.mark.usefixtures("own_cache")
def test_programmed_cells_measure_as_programmed(cell: str) -> None:
    """The acceptance is 1 %; the closed loop does better by far."""
    calibration = calibrate(_point(cell=cell))
    _, measured = calibration.program(TARGETS)
    for target, got in zip(TARGETS, measured, strict=True):
        assert got == pytest.approx(target, rel=1e-3)


@pytest.mark.ngspice
@pytest.mark.usefixtures("own_cache")
def test_trims_take_the_mirror_error_out() -> None:
    mirrors = calibrate(_point()).mirrors
    for name in ("p_to_sum", "n_to_sum", "n_to_p", "p_to_readout", "n_to_readout"):
        trim = getattr(mirrors, name)
        assert trim.gain == pytest.approx(1, abs=5e-4), name
    # An NMOS copy into a PMOS diode sees the largest drain voltage and needs the longest device.
    assert mirrors.n_to_p.l_m > mirrors.p_to_sum.l_m > mirrors.n_to_sum.l_m


@pytest.mark.ngspice
def test_results_are_kept_and_a_damaged_cache_is_measured_again(own_cache: Path) -> None:
    point = _point()
    first = calibrate(point)
    (stored,) = (own_cache / "measured" / "mirrors").glob("*.json")
    written = stored.stat().st_mtime_ns
    assert calibrate(point) == first
    assert stored.stat().st_mtime_ns == written
    text = stored.read_text()
    for damaged in ("{damaged", text[:-40], text.replace('"gain": 1.0', '"gain": 1.1', 1)):
        assert damaged != text
        stored.write_text(damaged)
        assert calibrate(point).mirrors == first.mirrors
        assert stored.read_text() == text


@pytest.mark.ngspice
@pytest.mark.usefixtures("own_cache")
def test_the_cache_knows_what_a_constant_depends_on() -> None:
    point = _point()
    keys = {
        point.key(),
        _point(supply_v=1.62).key(),
        _point(temperature_c=85.0).key(),
        _point(corner="ss").key(),
        _point(cell_w_m=8e-6).key(),
    }
    assert len(keys) == 5


@pytest.mark.ngspice
@pytest.mark.usefixtures("own_cache")
def test_a_cell_without_hysteresis_is_refused() -> None:
    point = _point()
    calibration: Calibration = calibrate(point)
    with pytest.raises(EnvironmentMissing, match="not bistable"):
        measure_loops(point, calibration.mirrors, [CellBias(1.0, 1e-4, 1.0)])
