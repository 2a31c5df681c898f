"""From a design to subcircuits and text."""

from pathlib import Path

import pytest

from codesign.circuit.count import count_devices
from codesign.circuit.elements import Capacitor, Mosfet, flatten
from codesign.circuit.library import parse_subcircuits, read_library
from codesign.circuit.network import build_network
from codesign.circuit.spice_text import comment, engineering, network_text
from tests.designs import SMALL, small_design

GOLDEN = Path(__file__).parent / "golden"
MODELS = {"n": "nfet", "p": "pfet"}


@pytest.mark.parametrize("cell", ["async", "strobed"])
def test_every_parameter_is_a_transistor_of_its_name(cell: str) -> None:
    design = small_design(cell)
    devices = {d.name: d for d in flatten(build_network(design)) if isinstance(d, Mosfet)}
    for row in design.rows:
        if row.m == 0:
            assert row.instance not in devices
            continue
        device = devices[row.instance]
        assert device.polarity == row.device[0]
        assert (device.w_m, device.l_m, device.m) == (row.w_m, row.l_m, row.m)


def test_positive_terms_source_into_the_summing_node_and_negative_ones_sink() -> None:
    design = small_design()
    devices = {d.name: d for d in flatten(build_network(design)) if isinstance(d, Mosfet)}
    for row in design.rows:
        if row.role == "weight" and row.m:
            device = devices[row.instance]
            assert device.source == ("vdd_ff" if row.software_value > 0 else "vss")
            assert device.gate.endswith("_p" if row.software_value > 0 else "_n")
            column = row.index[1]
            assert device.gate.rsplit(".", 1)[-1].rsplit("_", 2)[1] == str(column)


@pytest.mark.parametrize("cell", ["async", "strobed"])
def test_no_node_is_left_floating(cell: str) -> None:
    """Every gate is driven: its node is also a drain or source somewhere, or a port."""
    library = build_network(small_design(cell))
    ports = set(library.subcircuits["network"].ports)
    driven, gates = set(ports), set()
    for device in flatten(library):
        if isinstance(device, Mosfet):
            driven |= {device.drain, device.source}
            gates.add(device.gate)
    assert gates <= driven


def test_each_cell_has_a_capacitor_on_its_decision_node() -> None:
    devices = list(flatten(build_network(small_design())))
    capacitors = [d for d in devices if isinstance(d, Capacitor)]
    assert len(capacitors) == SMALL.layers * SMALL.state_dim
    assert all(c.plus.endswith(".v0") for c in capacitors)


def test_blocks_add_up() -> None:
    library = build_network(small_design())
    count = count_devices(library)
    assert count.transistors == sum(isinstance(d, Mosfet) for d in flatten(library))
    assert count.blocks["cells"].transistors == 15 * SMALL.layers * SMALL.state_dim
    assert count.gate_area_m2 > 0


@pytest.mark.parametrize("cell", ["async", "strobed"])
def test_golden_netlist(cell: str) -> None:
    """The text of a small network, line by line. Regenerate by hand when a change is meant."""
    text = network_text(build_network(small_design(cell)), MODELS, read_library())
    assert text == (GOLDEN / f"network_{cell}.cir").read_text(encoding="utf-8")


def test_text_read_back_is_the_same_circuit() -> None:
    library = build_network(small_design())
    text = network_text(library, MODELS, read_library())
    parsed = {s.name: s for s in parse_subcircuits(text, "text", "nfet", "pfet")}
    again = type(library)("network", {**read_library(), **parsed})
    for one, other in zip(flatten(library), flatten(again), strict=True):
        assert one.name == other.name
        assert one.nodes == other.nodes
        if isinstance(one, Mosfet):
            assert isinstance(other, Mosfet)
            assert other.l_m == pytest.approx(one.l_m, rel=1e-6)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1.2e-6, "1.2u"), (1e-9, "1n"), (0.01, "10m"), (1.0, "1"), (5e-14, "50f")],
)
def test_engineering_notation(value: float, text: str) -> None:
    assert engineering(value) == text


def test_a_comment_cannot_leave_its_line() -> None:
    hostile = "clip\n.control\nshell rm -rf ~\n.endc"
    assert "\n" not in comment(hostile)
    assert comment(hostile).startswith("* ")
