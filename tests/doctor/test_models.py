"""The models that ship and the ones from the package, measured in ngspice."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codesign.doctor.models import check_models
from codesign.errors import EnvironmentMissing
from codesign.pdk import Pdk, find_pdk
from codesign.spice.ngspice import find_ngspice, run_text
from tests.pdk.trees import gf180_tree, write_library

pytestmark = pytest.mark.ngspice


@pytest.mark.parametrize("name", ["generic180", "gf180mcu"])
def test_corners_order_the_thresholds(name: str) -> None:
    pdk = find_pdk(name, None, {})
    vgs_v = {
        corner: [device.vgs_v for device in check_models(find_ngspice(), pdk, corner)]
        for corner in pdk.corners
    }
    for device in (0, 1):
        assert vgs_v["ff"][device] < vgs_v["typical"][device] < vgs_v["ss"][device]
    # The first letter is the N device.
    assert vgs_v["sf"][0] > vgs_v["typical"][0] > vgs_v["fs"][0]
    assert vgs_v["sf"][1] < vgs_v["typical"][1] < vgs_v["fs"][1]


def test_generic180_is_what_its_header_says() -> None:
    pdk = find_pdk("generic180", None, {})
    for device in check_models(find_ngspice(), pdk, "typical"):
        assert 1.3 < device.slope_factor < 1.42
        assert device.off_a < 1e-12


def test_models_with_a_blank_in_their_path_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    real = find_pdk("gf180mcu", None, {})
    copy = gf180_tree(tmp_path / "My 'PDK'")
    copy.write_bytes(real.library.read_bytes())
    moved = find_pdk("gf180mcu", tmp_path / "My 'PDK'", {})
    program = find_ngspice()
    assert check_models(program, moved, "ff") == check_models(program, real, "ff")


def test_models_that_do_not_load_are_told_with_ngspices_words(tmp_path: Path) -> None:
    write_library(tmp_path / "sm141064.ngspice")
    pdk = find_pdk("gf180mcu", tmp_path, {})
    with pytest.raises(EnvironmentMissing, match="could not load the models of 'gf180mcu'"):
        check_models(find_ngspice(), replace(pdk, nmos="no_such_model"), "typical")


def test_models_that_conduct_like_a_resistor_are_refused(tmp_path: Path) -> None:
    library = write_library(tmp_path / "sm141064.ngspice")
    text = library.read_text().replace(".0 nmos", " nmos").replace(".0 pmos", " pmos")
    library.write_text(text.replace("vth0=0.5", "vth0=-0.5"))
    pdk = find_pdk("gf180mcu", tmp_path, {})
    with pytest.raises(EnvironmentMissing, match="does not behave like a transistor"):
        check_models(find_ngspice(), pdk, "typical")


def _cell_deck(pdk: Pdk, thresh_a: float, width_a: float, gain_a: float, top_a: float) -> str:
    """The nine-transistor cell, its input swept up and down."""
    mirror = "w=4u l=10u"
    switch = "w=0.5u l=0.5u"
    return f"""\
* hysteresis of one cell
{pdk.header("typical")}.options gmin=1e-16 abstol=1e-16 vntol=1e-7 reltol=1e-4 itl1=500
vdd vdd 0 1.8
iin vin 0 0
mdin vin vin vdd vdd {pdk.pmos} {mirror}
ith 0 vthr {thresh_a}
mdth vthr vthr 0 0 {pdk.nmos} {mirror}
iw 0 vwid {width_a}
mdw vwid vwid 0 0 {pdk.nmos} {mirror}
ig 0 vgain {gain_a}
mdg vgain vgain 0 0 {pdk.nmos} {mirror}
m1 v0 vin vdd vdd {pdk.pmos} {mirror}
m9 v0 vfb vdd vdd {pdk.pmos} {mirror}
m2 v0 vthr 0 0 {pdk.nmos} {mirror}
m3 vout v0 s3 0 {pdk.nmos} {switch}
m5 s3 vgain 0 0 {pdk.nmos} {mirror}
m4 vout vout vdd vdd {pdk.pmos} {mirror}
m6 vfb v0 s6 0 {pdk.nmos} {switch}
m8 s6 vwid 0 0 {pdk.nmos} {mirror}
m7 vfb vfb vdd vdd {pdk.pmos} {mirror}
mro out vout vdd vdd {pdk.pmos} {mirror}
vro out 0 0.45
.control
save i(vro)
dc iin 0 {top_a} {top_a / 1000}
write out.raw i(vro)
set appendwrite
dc iin {top_a} 0 {-top_a / 1000}
write out.raw i(vro)
quit
.endc
.end
"""


@pytest.mark.parametrize("scale_a", [1e-10, 1e-9, 5e-9])
def test_the_cell_works_in_the_shipped_process(scale_a: float) -> None:
    """Thresholds near what is programmed, a window, and a full-scale output, from 0.1 to 5 nA."""
    pdk = find_pdk("generic180", None, {})
    deck = _cell_deck(pdk, scale_a, scale_a / 2, scale_a, 1.3 * scale_a)
    outcome = run_text(find_ngspice(), deck)
    assert outcome.status == "ok", outcome.message
    crossings = []
    for plot in outcome.plots:
        output = plot["i(vro)"]
        changes = np.flatnonzero(np.diff(output > 0.5 * scale_a))
        assert len(changes) == 1
        crossings.append(float(plot.scale[changes[0]]))
    up_a, down_a = crossings
    assert up_a == pytest.approx(scale_a, rel=0.1)
    assert down_a == pytest.approx(scale_a / 2, rel=0.15)
    assert outcome.plots[0]["i(vro)"].max() == pytest.approx(scale_a, rel=0.05)
    assert outcome.plots[0]["i(vro)"].min() < 0.01 * scale_a
