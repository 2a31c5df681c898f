"""The circuit as the engine sees it: known voltages, devices by the way they are driven, blocks.

A gate draws no current, so Kirchhoff's law at a node involves the voltages of that node, of the
nodes it shares a conducting device with, and of gates. Nodes that need each other form a *block*
(a strongly connected component); blocks are solved one after another in the order the signal
walks. Nothing here knows what a candidate or a cell is: any circuit of mirrors and switches with
small blocks can be solved, and what cannot is refused by name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from codesign.circuit.elements import Capacitor, Mosfet
from codesign.errors import InputError

MAX_BLOCK = 8


class Unsupported(InputError):  # noqa: N818 - as NotImplemented, it is a refusal, not a fault
    """A circuit the batched engine cannot solve, with the reason; ngspice can."""


@dataclass(frozen=True)
class Boundary:
    """What the world around the circuit does to its nodes.

    ``fixed``: node -> constant volts (supplies, ground, readout). ``driven``: nodes whose voltage
    is a waveform (strobes, reset). ``inputs``: nodes a varying current is drawn from;
    ``references``: node -> constant amperes drawn from it. ``supplies``: fixed nodes whose
    current is metered.
    """

    fixed: Mapping[str, float]
    driven: tuple[str, ...]
    inputs: tuple[str, ...]
    references: Mapping[str, float]
    supplies: tuple[str, ...]

    def known(self, node: str) -> bool:
        return node in self.fixed or node in self.driven


@dataclass(frozen=True)
class Block:
    """Nodes that are solved together, with the devices that conduct at them.

    ``copies`` are read from a line outside the block, ``gated`` have their gate inside it,
    ``diodes`` have gate and drain on one node, ``switches`` have a source that is no rail.
    """

    nodes: tuple[str, ...]
    copies: tuple[Mosfet, ...]
    gated: tuple[Mosfet, ...]
    diodes: tuple[Mosfet, ...]
    switches: tuple[Mosfet, ...]
    static: bool


@dataclass(frozen=True)
class Graph:
    """Blocks in the order they are solved, and the devices that end on fixed nodes (readout)."""

    boundary: Boundary
    nodes: tuple[str, ...]
    blocks: tuple[Block, ...]
    readout: Mapping[str, tuple[Mosfet, ...]]
    devices: tuple[Mosfet, ...]
    capacitors: tuple[Capacitor, ...]


def build_graph(elements: Sequence[Mosfet | Capacitor], boundary: Boundary) -> Graph:
    """Order a flat circuit. Raises Unsupported with the names of what cannot be solved."""
    devices = tuple(_upright(e, boundary) for e in elements if isinstance(e, Mosfet))
    capacitors = tuple(e for e in elements if isinstance(e, Capacitor))
    for capacitor in capacitors:
        if not any(node in boundary.fixed for node in capacitor.nodes):
            raise Unsupported(
                f"The batched engine takes capacitors to a supply or to ground only; "
                f"'{capacitor.name}' joins {capacitor.plus} and {capacitor.minus}."
            )
    conducting: dict[str, list[Mosfet]] = {}
    for device in devices:
        for node in {device.drain, device.source}:
            conducting.setdefault(node, []).append(device)
    unknown = sorted({n for d in devices for n in d.nodes if not boundary.known(n)})
    floating = [node for node in unknown if node not in conducting]
    if floating:
        raise Unsupported(f"Node {floating[0]} has no device that conducts: it floats.")
    needs = {
        node: {
            other
            for device in conducting[node]
            for other in (device.gate, device.drain, device.source)
            if other != node and not boundary.known(other)
        }
        for node in unknown
    }
    groups = _components(unknown, needs)
    changing: set[str] = {*boundary.driven, *boundary.inputs}
    blocks = []
    for group in groups:
        touched = {terminal for node in group for d in conducting[node] for terminal in d.nodes}
        static = not touched & changing
        if not static:
            changing |= set(group)
        blocks.append(_block(group, conducting, boundary, static))
    readout = {
        node: tuple(conducting[node])
        for node in boundary.fixed
        if node in conducting and not _is_rail(node, devices)
    }
    return Graph(boundary, tuple(unknown), tuple(blocks), readout, devices, capacitors)


def is_mirror(device: Mosfet, boundary: Boundary) -> bool:
    """A device whose source is its bulk's rail and whose gate is a line, not a logic level."""
    return device.source == device.bulk and device.gate not in boundary.driven


def _upright(device: Mosfet, boundary: Boundary) -> Mosfet:
    """Drain and source are interchangeable: call the terminal at the bulk's rail the source."""
    for parameter in (device.w_m, device.l_m, device.m):
        assert not isinstance(parameter, str)  # flatten has replaced parameters by values
    fixed = boundary.fixed
    if device.bulk not in fixed:
        raise Unsupported(
            f"'{device.name}' has its bulk on {device.bulk}; the batched engine needs every bulk "
            "on a supply or on ground."
        )
    low, high = min(fixed.values()), max(fixed.values())
    rail = low if device.polarity == "n" else high
    if fixed[device.bulk] != rail:
        raise Unsupported(
            f"The bulk of '{device.name}' is at {fixed[device.bulk]:g} V, not at {rail:g} V."
        )
    # Which terminal is called source does not matter to the device, only to how it is solved.
    source, drain = device.source, device.drain
    if fixed.get(drain) == rail and fixed.get(source) != rail:
        source, drain = drain, source
    bulk = source if fixed.get(source) == rail else device.bulk
    return Mosfet(
        device.name, drain, device.gate, source, bulk, device.polarity,
        device.w_m, device.l_m, device.m,
    )  # fmt: skip


def _is_rail(node: str, devices: Sequence[Mosfet]) -> bool:
    return any(node in (device.source, device.bulk) for device in devices)


def _components(nodes: Sequence[str], needs: Mapping[str, set[str]]) -> list[tuple[str, ...]]:
    """Strongly connected components, each after all it depends on."""
    index = {node: k for k, node in enumerate(nodes)}
    pairs = [(index[node], index[other]) for node in nodes for other in needs[node]]
    rows, columns = zip(*pairs, strict=True) if pairs else ((), ())
    matrix = coo_array(([1] * len(pairs), (rows, columns)), shape=(len(nodes), len(nodes)))
    count, label = connected_components(matrix.tocsr(), directed=True, connection="strong")
    members: list[list[str]] = [[] for _ in range(count)]
    for node in nodes:
        members[label[index[node]]].append(node)
    for group in members:
        if len(group) > MAX_BLOCK:
            raise Unsupported(
                f"{len(group)} nodes depend on one another in a loop (among them "
                f"{', '.join(group[:3])}); the batched engine solves loops of up to {MAX_BLOCK}."
            )
    order: TopologicalSorter[int] = TopologicalSorter({k: set() for k in range(count)})
    for row, column in pairs:
        if label[row] != label[column]:
            order.add(int(label[row]), int(label[column]))
    return [tuple(members[k]) for k in order.static_order()]


def _block(
    group: tuple[str, ...],
    conducting: Mapping[str, list[Mosfet]],
    boundary: Boundary,
    static: bool,
) -> Block:
    inside = set(group)
    copies, gated, diodes, switches = [], [], [], []
    seen = set()
    for node in group:
        for device in conducting[node]:
            if device.name in seen:
                continue
            seen.add(device.name)
            if not is_mirror(device, boundary):
                switches.append(device)
            elif device.gate == device.drain:
                diodes.append(device)
            elif device.gate in inside:
                gated.append(device)
            else:
                copies.append(device)
    return Block(group, tuple(copies), tuple(gated), tuple(diodes), tuple(switches), static)
