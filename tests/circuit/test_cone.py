"""What a node depends on, and nothing else."""

from codesign.circuit.cone import cone
from codesign.circuit.elements import Capacitor, Mosfet


def _n(name: str, drain: str, gate: str, source: str = "vss") -> Mosfet:
    return Mosfet(name, drain, gate, source, "vss", "n", 1e-6, 1e-6)


INPUT = _n("input", "line", "line")
COPY = _n("copy", "out", "line")
LOAD = Capacitor("load", "out", "vss", 1e-15)
AFTER = _n("after", "far", "out")
OTHER = _n("other", "else", "else")
FEEDS = _n("feeds", "line", "before")
ALL: list[Mosfet | Capacitor] = [INPUT, COPY, LOAD, AFTER, OTHER, FEEDS]
KNOWN = {"vss", "before"}


def test_devices_behind_a_node() -> None:
    names = [device.name for device in cone(ALL, ["out"], KNOWN, set())]
    assert names == ["input", "copy", "load", "feeds"]


def test_a_cut_line_keeps_its_diode_alone() -> None:
    names = [device.name for device in cone(ALL, ["out"], KNOWN, {"line"})]
    assert names == ["input", "copy", "load"]


def test_known_nodes_are_not_followed() -> None:
    assert cone(ALL, ["vss"], KNOWN, set()) == []
