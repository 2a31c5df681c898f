"""Twins of devices by the law of ``tests.engine.law``: no simulator."""

from dataclasses import replace

from codesign.engine.graph import Boundary, Graph
from codesign.flows import HardwareSection
from codesign.twin.transfer import KINDS, Copy, Poly, Transfer, needed_devices, transfer_of
from tests.designs import MIRRORS
from tests.engine.law import models_of

TRIMS_M = {kind: float(getattr(MIRRORS, kind).l_m) for kind in KINDS}


def hardware(cell: str) -> HardwareSection:
    return HardwareSection.model_validate({"cell": cell})


def transfer_on_paper(cell: str) -> Transfer:
    hw = hardware(cell)
    boundary = Boundary({"vdd": hw.supply_v, "vss": 0.0}, ("level",), (), {}, ())
    devices = tuple(needed_devices(hw, TRIMS_M))
    models = models_of(Graph(boundary, (), (), {}, devices, ()), hw)
    return transfer_of(hw, models, TRIMS_M)


def ideal_transfer(cell: str) -> Transfer:
    """The same with copies that carry what their diode carries, and without gmin."""
    transfer, nothing = transfer_on_paper(cell), Poly((0.0,), 0.0, 1.0)
    copies = {kind: Copy(nothing, nothing) for kind in transfer.copies}
    return replace(transfer, copies=copies, gmin_units_per_v=0.0)
