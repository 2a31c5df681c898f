"""A drawn transistor, and how one of either polarity stands in a bench."""

from dataclasses import dataclass

from codesign.circuit.elements import Mosfet
from codesign.device.bench import ProcessPoint

# Drain voltage (of an N device) at which a mirror's device is saturated at every signal current.
REFERENCE_DRAIN_V = 0.6


@dataclass(frozen=True, order=True)
class Geometry:
    """One drawn transistor: polarity, width and length in metres."""

    polarity: str
    w_m: float
    l_m: float

    def text(self) -> str:
        return f"{self.polarity} {self.w_m * 1e6:g}u/{self.l_m * 1e6:g}u"


def geometry_of(device: Mosfet) -> Geometry:
    """The geometry of a transistor of ``flatten``."""
    return Geometry(device.polarity, float(device.w_m), float(device.l_m))


def sign_and_model(point: ProcessPoint, polarity: str) -> tuple[int, str]:
    """What turns voltages of an N device into those of ``polarity``, and the PDK's model."""
    return (1, point.pdk.nmos) if polarity == "n" else (-1, point.pdk.pmos)
