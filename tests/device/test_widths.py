"""Continuous weights on the real process: sized by look-up, corrected by measurement."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from codesign.device.bench import ProcessPoint
from codesign.device.copies import Copy, Kind, Size, measure_copies
from codesign.device.widths import (
    LONGEST,
    NARROWEST_M,
    WEIGHT_KINDS,
    MeasuredWeigher,
    Style,
    WidthTable,
)
from codesign.flows import HardwareSection
from codesign.pdk import find_pdk
from codesign.spice.ngspice import find_ngspice, ngspice_version

RATIOS = (0.06, 0.09, 0.125, 0.13, 0.2, 0.31, 0.5, 0.77, 1.0, 1.31, 2.0, 3.7)


def _point(**hardware: object) -> ProcessPoint:
    ngspice = find_ngspice()
    section = HardwareSection.model_validate(hardware)
    return ProcessPoint(find_pdk(section.pdk), section, ngspice, ngspice_version(ngspice))


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("CODESIGN_CACHE", str(folder))
        yield folder


def _weigher(style: Style) -> MeasuredWeigher:
    weigher = MeasuredWeigher.at(_point(weights=style))
    assert weigher is not None
    return weigher


def test_a_table_finds_the_size_it_was_made_from() -> None:
    """Where gain is proportional to W/L, look-up is division."""
    widths, lengths = (1e-6, 2e-6, 4e-6), (1e-5, 1.5e-5, 2e-5)
    table = WidthTable(widths, lengths, tuple(tuple(w / x for x in lengths) for w in widths))
    assert table.at(3e-6, 1.2e-5) == pytest.approx(0.25)
    assert table.width(1.2e-5, 0.25) == pytest.approx(3e-6, rel=1e-6)
    assert table.length(3e-6, 0.25) == pytest.approx(1.2e-5, rel=1e-3)
    assert table.length(1e-6, 1.0) == pytest.approx(1e-5)  # nothing is that strong: the end


def test_unit_devices_need_no_widths() -> None:
    assert MeasuredWeigher.at(_point(weights="unit")) is None


@pytest.mark.ngspice
@pytest.mark.parametrize("style", ["continuous", "single"])
def test_devices_have_the_ratio_they_were_sized_for(style: Style) -> None:
    weigher = _weigher(style)
    targets: list[tuple[Kind, float]] = [(kind, r) for kind in WEIGHT_KINDS for r in RATIOS]
    sized = weigher.size(targets)
    measured = measure_copies(
        weigher.point, [Copy(kind, s.size) for (kind, _), s in zip(targets, sized, strict=True)]
    )
    wanted = np.array([ratio for _, ratio in targets])
    assert measured == pytest.approx([s.gain for s in sized], rel=1e-6)
    # Half a step of the layout grid is 0.025 % of the length.
    assert np.abs(measured / wanted - 1).max() < 1e-3
    for s in sized:
        assert s.size.w_m >= NARROWEST_M
        assert s.size.l_m <= LONGEST * 1e-5
        for length in (s.size.w_m, s.size.l_m):
            assert length / 5e-9 == pytest.approx(round(length / 5e-9), abs=1e-6)


@pytest.mark.ngspice
def test_lengths_keep_their_ratio_over_temperature_and_widths_do_not() -> None:
    """Why unit devices and trimmed lengths are the mapping, and scaled widths the alternative."""
    targets: list[tuple[Kind, float]] = [
        (kind, r) for kind in ("p_to_sum", "n_to_sum") for r in (0.2, 0.31, 0.5, 1.31, 3.7)
    ]  # fmt: skip
    drift = {}
    for style in ("continuous", "single"):
        sized = _weigher(style).size(targets)
        copies = [Copy(kind, s.size) for (kind, _), s in zip(targets, sized, strict=True)]
        nominal = np.array([s.gain for s in sized])
        gains = [measure_copies(_point(temperature_c=t), copies) for t in (-20.0, 85.0)]
        drift[style] = max(float(np.abs(gain / nominal - 1).max()) for gain in gains)
    assert drift["continuous"] < 0.01
    assert drift["single"] > 0.05


@pytest.mark.ngspice
def test_below_the_floor_there_is_the_smallest_device() -> None:
    weigher = _weigher("continuous")
    for kind in WEIGHT_KINDS:
        floor = weigher.floor(kind)
        assert 0.04 < floor < 0.08
        (smallest,) = weigher.size([(kind, floor)])
        assert smallest.gain == pytest.approx(floor, rel=0.01)
        (below,) = weigher.size([(kind, floor / 2)])
        assert below.size == smallest.size


@pytest.mark.ngspice
def test_a_copy_depends_on_where_it_ends() -> None:
    """Output conductance: more voltage across an N copy, more current."""
    size = Size(1.2e-6, 1e-5, 8)
    kinds: tuple[Kind, ...] = ("n_to_sum", "n_to_readout", "n_to_p")
    to_sum, to_readout, to_p = measure_copies(_point(), [Copy(kind, size) for kind in kinds])
    assert to_sum == pytest.approx(1, abs=2e-3)
    assert to_sum < to_readout < to_p
    richer = Copy("n_to_sum", size, signal_units=1.0, destination_units=10.0)
    assert measure_copies(_point(), [richer])[0] > to_sum
