"""The circuit as data: transistors, capacitors, calls of subcircuits, and subcircuits.

This is the one description every writer works from: SPICE text, PySpice objects, counts, areas,
and (by name, through ``flatten``) per-device draws. Lengths are metres, capacitances farads.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Polarity = Literal["n", "p"]


@dataclass(frozen=True)
class Mosfet:
    """A transistor; ``m`` identical devices in parallel, each ``w_m`` wide and ``l_m`` long."""

    name: str
    drain: str
    gate: str
    source: str
    bulk: str
    polarity: Polarity
    w_m: float | str
    l_m: float | str
    m: int | str = 1

    @property
    def nodes(self) -> tuple[str, ...]:
        return (self.drain, self.gate, self.source, self.bulk)


@dataclass(frozen=True)
class Capacitor:
    """A capacitor between two nodes."""

    name: str
    plus: str
    minus: str
    capacitance_f: float | str

    @property
    def nodes(self) -> tuple[str, ...]:
        return (self.plus, self.minus)


@dataclass(frozen=True)
class Call:
    """An instance ``name`` of the subcircuit ``subckt``, ports in order.

    A parameter that is a word is the parameter of that name of the subcircuit it stands in.
    """

    name: str
    subckt: str
    nodes: tuple[str, ...]
    parameters: Mapping[str, float | str] = field(default_factory=dict)


Element = Mosfet | Capacitor | Call


@dataclass(frozen=True)
class Group:
    """Elements that belong together, under one line of comment."""

    comment: str
    elements: tuple[Element, ...]


@dataclass(frozen=True)
class Subcircuit:
    """A block: ports, groups of elements, and a comment that says what it does."""

    name: str
    ports: tuple[str, ...]
    groups: tuple[Group, ...]
    comment: str = ""
    parameters: Mapping[str, float] = field(default_factory=dict)

    @property
    def elements(self) -> Iterator[Element]:
        return (element for group in self.groups for element in group.elements)


@dataclass(frozen=True)
class Library:
    """Subcircuits by name; ``top`` is the network."""

    top: str
    subcircuits: Mapping[str, Subcircuit]


def flatten(library: Library, top: str | None = None) -> Iterator[Mosfet | Capacitor]:
    """Every device with its full path (``xlayers_0.xcell.xunit_3.m1``) and global node names.

    Ports of the top subcircuit keep their names; node ``0`` is global.
    """
    subcircuit = library.subcircuits[top or library.top]
    yield from _flatten(library, subcircuit, "", {}, subcircuit.parameters)


def _flatten(
    library: Library,
    subcircuit: Subcircuit,
    path: str,
    connected: Mapping[str, str],
    parameters: Mapping[str, float],
) -> Iterator[Mosfet | Capacitor]:
    def node(name: str) -> str:
        return name if name == "0" else connected.get(name, path + name)

    def value(expression: float | str) -> float:
        return parameters[expression] if isinstance(expression, str) else expression

    for element in subcircuit.elements:
        name = path + element.name
        if isinstance(element, Call):
            inner = library.subcircuits[element.subckt]
            ports = dict(zip(inner.ports, (node(n) for n in element.nodes), strict=True))
            given = {key: value(given) for key, given in element.parameters.items()}
            inherited = {**inner.parameters, **given}
            yield from _flatten(library, inner, name + ".", ports, inherited)
        elif isinstance(element, Mosfet):
            drain, gate, source, bulk = (node(n) for n in element.nodes)
            yield replace(
                element, name=name, drain=drain, gate=gate, source=source, bulk=bulk,
                w_m=value(element.w_m), l_m=value(element.l_m), m=round(value(element.m)),
            )  # fmt: skip
        else:
            yield replace(
                element, name=name, plus=node(element.plus), minus=node(element.minus),
                capacitance_f=value(element.capacitance_f),
            )  # fmt: skip
