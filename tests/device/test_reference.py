"""The reference as sized for a process: its current, its physics, and that it starts."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codesign.device.bench import ProcessPoint
from codesign.device.calibrate import calibrate
from codesign.device.reference import (
    PAIR_RATIO,
    ReferenceSizes,
    ideal_inversion,
    measure_reference,
    size_reference,
    sweep_reference,
)
from codesign.device.startup import start_up
from codesign.errors import InputError
from codesign.flows import HardwareSection
from codesign.pdk import find_pdk
from codesign.spice.ngspice import find_ngspice, ngspice_version


def _point(**hardware: object) -> ProcessPoint:
    section = HardwareSection.model_validate(hardware)
    ngspice = find_ngspice()
    return ProcessPoint(find_pdk(section.pdk), section, ngspice, ngspice_version(ngspice))


def _at(point: ProcessPoint, **changes: object) -> ProcessPoint:
    return replace(point, hardware=point.hardware.model_copy(update=changes))


@pytest.fixture(scope="module")
def sized() -> tuple[ProcessPoint, ReferenceSizes]:
    point = _point()
    return point, size_reference(point, calibrate(point).mirrors)


def test_the_ratios_alone_fix_the_inversion() -> None:
    def inversion(v: float) -> float:
        return math.log1p(math.exp(v / 2)) ** 2

    v = 2 * math.log(math.expm1(math.sqrt(ideal_inversion())))
    assert inversion(v - math.log(PAIR_RATIO)) / inversion(v) == pytest.approx(0.5, abs=1e-9)
    assert ideal_inversion() > 10  # strong inversion
    assert ideal_inversion(ratio=1.2) < 3  # not any more


@pytest.mark.ngspice
def test_it_gives_the_unit_current_and_its_stack_the_thermal_voltage(
    sized: tuple[ProcessPoint, ReferenceSizes],
) -> None:
    point, sizes = sized
    for celsius in (-20.0, 27.0, 85.0):
        found = measure_reference(_at(point, temperature_c=celsius), sizes)
        thermal_v = 8.617333e-5 * (celsius + 273.15)
        assert found.stack_v == pytest.approx(thermal_v * math.log(PAIR_RATIO), rel=0.03)
        assert found.reset_v < 1e-3
        if celsius == 27.0:
            assert found.current_a == pytest.approx(1e-9, rel=1e-3)
            # Four branches of the loop's current, the detector's seven eighths among them.
            assert found.supply_current_a == pytest.approx(4 * found.current_a, rel=0.05)


@pytest.mark.ngspice
def test_the_current_follows_temperature_and_hardly_the_supply(
    sized: tuple[ProcessPoint, ReferenceSizes],
) -> None:
    point, sizes = sized
    low, high = (p.current_a for p in sweep_reference(point, sizes, [1.62, 1.98]))
    assert 0.01 < (high - low) / 1e-9 / 0.36 < 0.2  # per volt
    cold, hot = (
        measure_reference(_at(point, temperature_c=c), sizes).current_a for c in (-20.0, 85.0)
    )
    exponent = np.log(hot / cold) / np.log(358.15 / 253.15)
    # Mobility times T^2: an exponent between that of no mobility change and none at all.
    assert 0.3 < exponent < 2.0


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("corner", "celsius", "supply_v"), [("ss", -20.0, 1.62), ("ff", 85.0, 1.98)]
)
@pytest.mark.parametrize("ramp_s", [1e-5, 0.1])
def test_it_starts_at_the_ends_of_the_process(
    sized: tuple[ProcessPoint, ReferenceSizes],
    corner: str, celsius: float, supply_v: float, ramp_s: float,
) -> None:  # fmt: skip
    point, sizes = sized
    there = _at(point, corner=corner, temperature_c=celsius, supply_v=supply_v)
    wanted = measure_reference(there, sizes).current_a
    assert 0.6e-9 < wanted < 1.5e-9
    started = start_up(there, sizes, ramp_s)
    assert started.current_a == pytest.approx(wanted, rel=2e-3)
    assert started.released_s is not None
    assert started.released_current_a is not None
    if ramp_s < 1e-3:  # the supply is there long before reset ends
        assert started.released_supply_v == pytest.approx(supply_v)
        assert started.released_current_a == pytest.approx(wanted, rel=0.05)
    else:
        assert started.released_current_a > 0.6 * wanted


@pytest.mark.ngspice
def test_a_small_unit_current_is_divided_down() -> None:
    point = _point(unit_current_a=2.5e-10)
    sizes = size_reference(point, calibrate(point).mirrors)
    assert sizes.output_m == 2
    assert sizes.current_a == pytest.approx(2.5e-10, rel=1e-3)


@pytest.mark.ngspice
def test_a_unit_current_no_size_reaches_is_refused(
    sized: tuple[ProcessPoint, ReferenceSizes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path))
    point, _ = sized
    mirrors = calibrate(point).mirrors
    with pytest.raises(InputError, match="no size of the reference gives 5e-11 A"):
        size_reference(_at(point, unit_current_a=5e-11), mirrors)
