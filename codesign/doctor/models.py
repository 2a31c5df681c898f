"""Do the models of a process load and behave like transistors? One deck per corner tells."""

import math
from dataclasses import dataclass
from pathlib import Path

from codesign.device.suited import suited
from codesign.errors import EnvironmentMissing
from codesign.flows import HardwareSection
from codesign.pdk import Pdk
from codesign.spice.ngspice import run_text

REFERENCE_A = 1e-9
"""The current the devices are measured at: the default unit current."""
LOW_A = 1e-10
THERMAL_V = 8.617333e-5 * 300.15

_DECK = """\
* diode-connected devices of {name} at {corner}, and what a switch leaks when it is off
{header}.options gmin=1e-16 abstol=1e-16 vntol=1e-7 reltol=1e-4 itl1=500
.temp 27
vdd vdd 0 {supply_v}
i1 0 n1 {reference}
m1 n1 n1 0 0 {nmos} {size}
i2 0 n2 {low}
m2 n2 n2 0 0 {nmos} {size}
i3 p3 0 {reference}
m3 p3 p3 vdd vdd {pmos} {size}
i4 p4 0 {low}
m4 p4 p4 vdd vdd {pmos} {size}
v5 n5 vdd 0
m5 n5 0 0 0 {nmos} {switch}
v6 p6 0 0
m6 p6 vdd vdd vdd {pmos} {switch}
.control
op
write out.raw v(vdd) v(n1) v(n2) v(p3) v(p4) i(v5) i(v6)
quit
.endc
.end
"""


@dataclass(frozen=True)
class DeviceCheck:
    """One polarity at one corner, 27 degC.

    ``vgs_v``: gate drive of the reference device (by default 8 units of 1.2 um / 10 um) at 1 nA;
    ``slope_factor``: sub-threshold slope factor between 0.1 and 1 nA; ``off_a``: current of a
    switch (0.5 um / 0.5 um) at Vgs = 0 and the supply (1.8 V) across it.
    """

    polarity: str
    model: str
    corner: str
    vgs_v: float
    slope_factor: float
    off_a: float


def check_models(
    program: Path, pdk: Pdk, corner: str, hardware: HardwareSection | None = None
) -> tuple[DeviceCheck, DeviceCheck]:
    """Measure one NMOS and one PMOS of ``pdk`` at ``corner`` with ngspice.

    Sizes are those of ``hardware``, by default those that a new flow has and the process takes.
    Raises EnvironmentMissing with ngspice's own words when the models do not load, or when what
    loads does not conduct like a transistor.
    """
    hardware = hardware or suited(HardwareSection(), pdk)[0]
    supply_v = hardware.supply_v
    deck = _DECK.format(
        name=pdk.name,
        corner=corner,
        header=pdk.header(corner),
        supply_v=supply_v,
        nmos=pdk.nmos,
        pmos=pdk.pmos,
        reference=REFERENCE_A,
        low=LOW_A,
        size=f"w={hardware.unit_w_m} l={hardware.unit_l_m} m={hardware.weight_grid}",
        switch=f"w={hardware.switch_w_m} l={hardware.switch_l_m}",
    )
    outcome = run_text(program, deck, timeout_s=120.0)
    if outcome.status != "ok":
        raise EnvironmentMissing(
            f"ngspice could not load the models of '{pdk.name}' ({pdk.library}, corner {corner}): "
            f"{outcome.message or outcome.status}. Install the PDK again or choose another with "
            "--pdk-root."
        )
    plot = outcome.plots[0]
    at = {name: float(plot[name][0]) for name in plot.names}
    checks = (
        _check("nmos", pdk.nmos, corner, at["v(n1)"], at["v(n2)"], at["i(v5)"]),
        _check(
            "pmos",
            pdk.pmos,
            corner,
            at["v(vdd)"] - at["v(p3)"],
            at["v(vdd)"] - at["v(p4)"],
            at["i(v6)"],
        ),
    )
    for check in checks:
        if not (0 < check.vgs_v < supply_v and 1 <= check.slope_factor < 3):
            raise EnvironmentMissing(
                f"The model {check.model} of '{pdk.name}' loads but does not behave like a "
                f"transistor at {corner}: Vgs = {check.vgs_v:.3g} V at 1 nA, slope factor "
                f"{check.slope_factor:.3g}. Check {pdk.library}."
            )
    return checks


def _check(
    polarity: str, model: str, corner: str, vgs_v: float, low_vgs_v: float, off_a: float
) -> DeviceCheck:
    decades = math.log(REFERENCE_A / LOW_A)
    slope = (vgs_v - low_vgs_v) / (THERMAL_V * decades)
    return DeviceCheck(polarity, model, corner, vgs_v, slope, abs(off_a))
