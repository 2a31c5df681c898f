"""Models inside subcircuits become models a transistor can name, and stay the same devices."""

from pathlib import Path

import pytest

from codesign.circuit.export import _pdk_file
from codesign.doctor.wrapped import TOLERANCE, compare_wrapped
from codesign.errors import EnvironmentMissing
from codesign.flows import HardwareSection
from codesign.pdk import find_pdk
from codesign.spice.ngspice import find_ngspice
from tests.pdk.sky130_tree import sky130_tree

SIZES = ((4.2e-7, 1.5e-7), (1.2e-6, 1e-5), (4e-6, 1e-5), (1e-5, 1e-4))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_lifted_cards_are_numbers_in_every_corner(tmp_path: Path) -> None:
    library = sky130_tree(tmp_path)
    pdk = find_pdk("sky130", tmp_path, {})
    assert (pdk.library, pdk.nmos) == (library, "sky130_fd_pr__nfet_01v8__model")
    assert pdk.lift is not None
    text = pdk.spice_library.read_text()
    assert text.count(".model sky130_fd_pr__nfet_01v8__model.0 nmos") == 5
    assert text.count(".model sky130_fd_pr__pfet_01v8__model.1 pmos") == 5
    assert "{" not in text
    assert ".subckt" not in text
    # The corner's own parameter is in the card: ss is 30 mV above tt.
    assert "+ vth0=0.53\n" in text
    assert "+ vth0=0.5\n" in text


@pytest.mark.ngspice
def test_a_lifted_device_carries_the_wrappers_current(tmp_path: Path) -> None:
    sky130_tree(tmp_path)
    pdk = find_pdk("sky130", tmp_path, {})
    for corner in ("typical", "sf"):
        for result in compare_wrapped(find_ngspice(), pdk, corner, SIZES):
            assert result.points > 60
            assert result.error < TOLERANCE


@pytest.mark.ngspice
def test_the_comparison_sees_a_card_that_is_not_the_wrappers(tmp_path: Path) -> None:
    sky130_tree(tmp_path)
    pdk = find_pdk("sky130", tmp_path, {})
    text = pdk.spice_library.read_text()
    pdk.spice_library.write_text(text.replace("+ vth0=0.5\n", "+ vth0=0.5001\n"))
    nmos, pmos = compare_wrapped(find_ngspice(), pdk, "typical", SIZES)
    assert nmos.error > 1e-3
    assert pmos.error < TOLERANCE


def test_a_design_says_how_its_lifted_library_is_made_again(tmp_path: Path) -> None:
    library = sky130_tree(tmp_path)
    text = _pdk_file(find_pdk("sky130", tmp_path, {}), HardwareSection(pdk="sky130"))
    assert f"'codesign pdk show sky130' makes it again from {library}" in text.splitlines()[1]
    assert text.splitlines()[-1].startswith(".lib '")


def test_a_damaged_library_in_the_cache_is_made_again(tmp_path: Path) -> None:
    sky130_tree(tmp_path)
    lifted = find_pdk("sky130", tmp_path, {}).spice_library
    whole = lifted.read_text()
    lifted.write_text(whole[: len(whole) // 2])
    assert find_pdk("sky130", tmp_path, {}).spice_library == lifted
    assert lifted.read_text() == whole


def test_other_foundry_files_make_another_library(tmp_path: Path) -> None:
    sky130_tree(tmp_path)
    first = find_pdk("sky130", tmp_path, {}).spice_library
    card = next(tmp_path.rglob("*nfet_01v8__tt.pm3.spice"))
    card.write_text(card.read_text().replace("0.5+", "0.6+"))
    second = find_pdk("sky130", tmp_path, {}).spice_library
    assert first != second
    assert "+ vth0=0.6\n" in second.read_text()


def test_a_card_that_depends_on_the_instance_is_refused_by_name(tmp_path: Path) -> None:
    sky130_tree(tmp_path)
    card = next(tmp_path.rglob("*nfet_01v8__tt.pm3.spice"))
    card.write_text(card.read_text().replace("nfactor=1.4", "nfactor={1.4*l}"))
    with pytest.raises(EnvironmentMissing, match=r"model\.0, nfactor: 'l' is not defined outside"):
        find_pdk("sky130", tmp_path, {})
