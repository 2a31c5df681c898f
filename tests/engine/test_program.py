"""The list of words: every device is in it once, as what it is in the netlist."""

import numpy as np
import pytest
from numpy.polynomial import polynomial as poly

from codesign.circuit.elements import Capacitor
from codesign.device.geometry import geometry_of
from codesign.engine.decode import Circuit, decode
from codesign.engine.graph import Graph, Unsupported, build_graph, is_mirror
from codesign.engine.program import BLOCK, GATE, NODE, READOUT, Program
from codesign.engine.translate import build_program
from codesign.mapping.names import cell_instance, relu_instance
from tests.engine.circuits import Small, small
from tests.engine.law import models_of

CELLS = [(layer, unit) for layer in range(2) for unit in range(2)]


class Case:
    """A circuit with its program."""

    def __init__(self, cell: str) -> None:
        self.circuit: Small = small(cell)
        self.graph: Graph = self.circuit.graph
        self.models = models_of(self.graph, self.circuit.hardware)
        self.held = [f"{cell_instance(*at)}.v0" for at in CELLS]
        self.probed = [relu_instance(f"layers.{la}.candidate", un) for la, un in CELLS]
        self.program: Program = build_program(self.graph, self.models, self.held, self.probed)
        self.decoded: Circuit = decode(self.program)


@pytest.fixture(scope="module", params=["strobed", "async"])
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


def test_devices_are_in_the_order_of_instances(case: Case) -> None:
    devices = case.graph.devices
    assert case.program.instances == tuple(device.name for device in devices)
    assert case.program.polarity.tolist() == [int(device.polarity == "p") for device in devices]
    assert case.program.multiplicity.tolist() == [float(device.m) for device in devices]
    assert len(set(case.program.instances)) == len(devices) == len(case.circuit.elements) - 4


def test_every_transistor_is_there_once_as_drawn(case: Case) -> None:
    boundary, nodes, rows = case.graph.boundary, case.program.nodes, case.decoded
    found = [*rows.copies[:, 0], *rows.diodes[:, 0], *rows.switches[:, 0]]
    assert sorted(found) == list(range(len(case.graph.devices)))
    for device, polarity, geometry, gate, drain, _, _ in rows.copies:
        drawn = case.graph.devices[device]
        assert is_mirror(drawn, boundary)
        assert (drawn.gate, drawn.drain) == (nodes[gate], nodes[drain])
        assert case.models.mirror_index(geometry_of(drawn)) == (polarity, geometry)
    for device, polarity, geometry, node, _ in rows.diodes:
        drawn = case.graph.devices[device]
        assert is_mirror(drawn, boundary)
        assert drawn.gate == drawn.drain == nodes[node]
        assert case.models.mirror_index(geometry_of(drawn)) == (polarity, geometry)
    for device, polarity, geometry, *terminals in rows.switches:
        drawn = case.graph.devices[device]
        assert not is_mirror(drawn, boundary)
        assert [nodes[k] for k in terminals] == [drawn.gate, drawn.drain, drawn.source]
        assert polarity == int(drawn.polarity == "p")
        assert case.models.switch_index(geometry_of(drawn)) == geometry


def test_every_current_from_a_supply_is_metered_there(case: Case) -> None:
    supplies = case.program.supplies
    metered = {
        int(row[0]): supplies[row[column]]
        for table, column in ((case.decoded.copies, 5), (case.decoded.diodes, 4))
        for row in table
        if row[column] >= 0
    }
    drawn = {
        k: device.source
        for k, device in enumerate(case.graph.devices)
        if device.source in supplies and is_mirror(device, case.graph.boundary)
    }
    assert metered == drawn
    assert set(drawn.values()) == set(supplies)
    # A switch is not metered: none may sit on a supply.
    switches = [d for d in case.graph.devices if not is_mirror(d, case.graph.boundary)]
    assert not {node for d in switches for node in (d.drain, d.source)} & set(supplies)
    # One slot for every sum, none used twice.
    assert len(case.program.slots) <= len(drawn)


def test_currents_from_outside(case: Case) -> None:
    program = case.program
    injected = {
        program.nodes[node]: (source, reference)
        for node, source, reference in case.decoded.injections
        if source >= 0 or reference >= 0
    }
    assert injected == {**{f"u_{k}_p": (k, -1) for k in range(3)}, "ref_p": (-1, 0)}
    assert program.reference_na[0] == pytest.approx(1.0)


def test_operations_read_what_was_solved_before(case: Case) -> None:
    words, program = case.program.words.tolist(), case.program
    known = set(range(case.decoded.unknown, len(program.nodes)))
    inputs = range(len(program.nodes), len(program.nodes) + len(program.inputs))
    at, count, read_inputs = 0, 0, set[int]()
    while at < len(words):
        code, length, static, n = words[at : at + 4]
        reads, body = set(words[at + 4 : at + 4 + n]), words[at + 4 + n : at + length]
        own = {NODE: body[:1], BLOCK: body[1 : 1 + body[0]]}.get(code, [])
        read_inputs |= reads & set(inputs)
        assert reads - set(inputs) <= known
        assert not reads & set(own)
        if code in (NODE, BLOCK):
            assert not set(own) & known
            known |= set(own)
        elif code == GATE:
            assert body[1] in known
        else:
            assert code == READOUT
        if static:
            assert not reads & {*inputs, *program.driven.tolist()}
        at, count = at + length, count + 1
    assert at == len(words)
    assert count == program.operations
    assert known == set(range(len(program.nodes)))
    assert read_inputs == set(inputs)


def test_charges(case: Case) -> None:
    """Gates, junctions and the drawn capacitors: their sum over all nodes is that of the parts."""
    without = [e for e in case.circuit.elements if not isinstance(e, Capacitor)]
    bare = build_program(
        build_graph(without, case.circuit.boundary), case.models, case.held, case.probed
    )
    assert bare.nodes == case.program.nodes
    added = case.program.charge.astype(float) - bare.charge
    drawn = {case.program.nodes.index(node) for node in case.held}
    ground = case.program.nodes.index("vss")
    for node, row in enumerate(added):
        on_v0_ff = case.circuit.hardware.v0_capacitance_f * 1e15
        expected = on_v0_ff if node in drawn else 4 * on_v0_ff if node == ground else 0.0
        np.testing.assert_allclose(row, [expected, 0, 0, 0, 0, 0, 0], atol=1e-3)
    assert sorted(case.program.watched) == sorted(drawn)
    # What a volt more takes up at every free node, in the middle of the supply.
    volts, high = 0.9, case.circuit.hardware.supply_v
    expected_ff = dict.fromkeys(case.graph.nodes, 0.0)
    for device in case.graph.devices:
        c = case.models.capacitance(geometry_of(device), is_mirror(device, case.graph.boundary))
        at, m = volts if device.polarity == "n" else high - volts, float(device.m)
        if device.gate in expected_ff:
            expected_ff[device.gate] += m * float(poly.polyval(at, c.gate))
        for terminal in {device.drain, device.source} & set(expected_ff):
            # What couples a diode's gate into its drain stands still: both are one node.
            diode = device.gate == device.drain
            expected_ff[terminal] += m * (c.drain - (2 * c.gate_drain if diode else 0))
    terms, middle = bare.charge[:, :-1].astype(float), bare.charge[:, -1:]
    slopes = terms * np.arange(1, 7) * (volts - middle) ** np.arange(6)
    for name, in_parts in expected_ff.items():
        in_all = slopes[case.program.nodes.index(name)].sum()
        assert in_all == pytest.approx(in_parts, rel=1e-5), name


def test_couplings_join_gates_and_free_terminals(case: Case) -> None:
    nodes, boundary = case.program.nodes, case.graph.boundary
    found: dict[tuple[str, str], float] = {}
    for node, gate, index in case.decoded.couplings:
        key = nodes[node], nodes[gate]
        found[key] = found.get(key, 0.0) + float(case.program.coupling[index])
    expected: dict[tuple[str, str], float] = {}
    for device in case.graph.devices:
        if device.gate == device.drain:
            continue
        c = case.models.capacitance(geometry_of(device), is_mirror(device, boundary))
        for terminal in (device.drain, device.source):
            if not boundary.known(terminal):
                key = terminal, device.gate
                expected[key] = expected.get(key, 0.0) + float(device.m) * c.gate_drain
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=1e-6), key


def test_probes_are_the_named_diodes(case: Case) -> None:
    program = case.program
    assert [program.instances[k] for k in program.probes[:, 2]] == case.probed
    assert program.diodes == len(case.probed)
    assert program.readouts == ("y_0", "y_1")
    assert program.readout_v == case.circuit.hardware.readout_v
    assert [program.nodes[k] for k in program.held] == case.held


def test_more_than_the_kernel_holds_is_refused(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(build_program.__globals__["_MOST"], "switches", 1)
    with pytest.raises(Unsupported, match=r"has \d switches; the batched engine solves up to 1"):
        build_program(case.graph, case.models, case.held, case.probed)
