"""Blocks of a circuit: what is solved together, in which order, and what is refused."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.circuit.elements import Capacitor, Mosfet
from codesign.engine.graph import MAX_BLOCK, Boundary, Graph, Unsupported, build_graph, is_mirror
from tests.engine.circuits import small

WORLD = Boundary({"vdd": 1.8, "vss": 0.0}, ("clk",), ("u",), {"ref": 1e-9}, ("vdd",))


def _nmos(name: str, drain: str, gate: str, source: str = "vss", bulk: str = "vss") -> Mosfet:
    return Mosfet(name, drain, gate, source, bulk, "n", 1e-6, 1e-6, 1)


def _pmos(name: str, drain: str, gate: str, source: str = "vdd", bulk: str = "vdd") -> Mosfet:
    return Mosfet(name, drain, gate, source, bulk, "p", 1e-6, 1e-6, 1)


def _ring(length: int) -> list[Mosfet]:
    """Every node is pulled down by the next: a ring of inverters with diode loads."""
    nodes = [f"n{k}" for k in range(length)]
    devices = []
    for k, node in enumerate(nodes):
        devices += [_pmos(f"mp{k}", node, node), _nmos(f"mn{k}", node, nodes[k - 1])]
    return devices


def _assert_order_respects_dependence(graph: Graph) -> None:
    boundary, solved = graph.boundary, set[str]()
    seen: list[str] = []
    for block in graph.blocks:
        devices = [*block.copies, *block.gated, *block.diodes, *block.switches]
        seen += [device.name for device in devices]
        for device in devices:
            assert {device.drain, device.source} & set(block.nodes)
            for node in (device.gate, device.drain, device.source):
                known = boundary.known(node) or node in block.nodes or node in solved
                assert known, (block.nodes, device.name, node)
        solved |= set(block.nodes)
    assert solved == set(graph.nodes)
    assert sum(len(block.nodes) for block in graph.blocks) == len(graph.nodes)
    seen += [device.name for devices in graph.readout.values() for device in devices]
    assert sorted(seen) == sorted(device.name for device in graph.devices)


@pytest.mark.parametrize("cell", ["strobed", "async"])
def test_the_small_design(cell: str) -> None:
    graph = small(cell).graph
    _assert_order_respects_dependence(graph)
    sizes = {name: len(block.nodes) for block in graph.blocks for name in block.nodes}
    for layer in range(2):
        for unit in range(2):
            path = f"xlayers_{layer}.xcell.xunit_{unit}"
            for node in ("v0", "fb", "s6", *(("a", "b") if cell == "strobed" else ())):
                assert sizes.pop(f"{path}.{node}") == (5 if cell == "strobed" else 3)
            assert sizes.pop(f"{path}.s3") == 2
            assert sizes.pop(f"xlayers_{layer}.h{layer}_{unit}_p") == 2
    assert set(sizes.values()) == {1}
    assert list(graph.readout) == ["y_0", "y_1"]


@pytest.mark.parametrize("cell", ["strobed", "async"])
def test_only_the_bias_is_static(cell: str) -> None:
    graph = small(cell).graph
    static = {node for block in graph.blocks if block.static for node in block.nodes}
    biases = ("thr", "wid", "gain", *(("hold",) if cell == "strobed" else ()))
    cells = {
        f"xlayers_{layer}.xcell.{bias}_{unit}"
        for layer in range(2) for unit in range(2) for bias in biases
    }  # fmt: skip
    assert static == {"ref_p", "ref_n"} | cells


@settings(max_examples=20)
@given(st.randoms(use_true_random=False), st.sampled_from(["strobed", "async"]))
def test_neither_order_nor_size_nor_direction_matters(random: object, cell: str) -> None:
    """Continuous widths, elements in any order, drain and source swapped: the same blocks."""
    circuit = small(cell)
    plain = circuit.graph
    draw = np.random.default_rng(random.getrandbits(32))  # type: ignore[attr-defined]
    changed: list[Mosfet | Capacitor] = []
    for element in circuit.elements:
        if isinstance(element, Mosfet):
            element = replace(element, w_m=float(element.w_m) * draw.uniform(0.3, 3))
            if draw.random() < 0.5:
                element = replace(element, drain=element.source, source=element.drain)
        changed.append(element)
    order = draw.permutation(len(changed))
    graph = build_graph([changed[k] for k in order], circuit.boundary)
    _assert_order_respects_dependence(graph)
    assert {frozenset(b.nodes) for b in graph.blocks} == {frozenset(b.nodes) for b in plain.blocks}
    assert {frozenset(b.nodes) for b in graph.blocks if b.static} == {
        frozenset(b.nodes) for b in plain.blocks if b.static
    }
    names = {d.name for d in plain.devices if is_mirror(d, plain.boundary)}
    assert {d.name for d in graph.devices if is_mirror(d, graph.boundary)} == names


def test_kinds_of_devices() -> None:
    devices = [
        _pmos("min", "u", "u"),
        _pmos("mcopy", "line", "u"),
        _nmos("mdiode", "line", "line"),
        _pmos("mpull", "out", "u"),
        _nmos("mswitch", "out", "clk"),
        _nmos("mgated", "loop", "out"),
        _pmos("mback", "out", "loop"),
        _pmos("mload", "loop", "loop"),
    ]
    graph = build_graph(devices, WORLD)
    blocks = {frozenset(block.nodes): block for block in graph.blocks}
    assert set(blocks) == {frozenset({"u"}), frozenset({"line"}), frozenset({"out", "loop"})}

    def names(devices: Sequence[Mosfet]) -> set[str]:
        return {device.name for device in devices}

    loop = blocks[frozenset({"out", "loop"})]
    assert names(loop.copies) == {"mpull"}
    assert names(loop.gated) == {"mgated", "mback"}
    assert names(loop.diodes) == {"mload"}
    assert names(loop.switches) == {"mswitch"}
    assert not any(block.static for block in graph.blocks)


@pytest.mark.parametrize("length", range(2, 13))
def test_rings_up_to_the_largest_block(length: int) -> None:
    if length <= MAX_BLOCK:
        (block,) = build_graph(_ring(length), WORLD).blocks
        assert set(block.nodes) == {f"n{k}" for k in range(length)}
        return
    with pytest.raises(Unsupported, match=rf"^{length} nodes depend on one another .*n\d") as error:
        build_graph(_ring(length), WORLD)
    assert f"loops of up to {MAX_BLOCK}" in str(error.value)


_LINE: list[Mosfet | Capacitor] = [
    _pmos("m1", "a", "a"),
    _pmos("m2", "b", "a"),
    _nmos("m3", "b", "b"),
]


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (Capacitor("cx", "a", "b", 1e-15), "to a supply or to ground only; 'cx' joins a and b"),
        (_nmos("mx", "a", "b", "vss", "b"), "'mx' has its bulk on b"),
        (_nmos("mx", "a", "b", "vss", "vdd"), "bulk of 'mx' is at 1.8 V, not at 0 V"),
        (_pmos("mx", "a", "b", "vdd", "vss"), "bulk of 'mx' is at 0 V, not at 1.8 V"),
        (_nmos("mx", "b", "nowhere"), "Node nowhere has no device that conducts: it floats"),
    ],
)  # fmt: skip
def test_refusals_name_the_reason(extra: Mosfet | Capacitor, reason: str) -> None:
    build_graph(_LINE, WORLD)
    with pytest.raises(Unsupported, match=reason):
        build_graph([*_LINE, extra], WORLD)


def test_a_capacitor_to_a_rail_is_kept() -> None:
    capacitor = Capacitor("cx", "vdd", "b", 1e-15)
    assert build_graph([*_LINE, capacitor], WORLD).capacitors == (capacitor,)
