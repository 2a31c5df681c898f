"""A program read back: which devices it holds, whatever the order it solves them in.

The counterpart of ``program`` for the reference implementation and for whoever wants to see what a
list of words says.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.engine.program import BLOCK, GATE, NODE, Program

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Circuit:
    """The program's devices as tables of integers, one row each.

    ``copies``: device, polarity, geometry, gate, drain, supply (-1: none), has its gate on a line
    (0 or 1); ``diodes``: device, polarity, geometry, node, supply; ``switches``: device, polarity,
    geometry, gate, drain, source; ``couplings``: node, gate, index; ``injections``: node, input,
    reference (-1: none); ``readouts``: node of each. ``unknown``: how many of the first nodes are
    solved for.
    """

    copies: Ints
    diodes: Ints
    switches: Ints
    couplings: Ints
    injections: Ints
    readouts: Ints
    unknown: int


def decode(program: Program) -> Circuit:
    """Read the words of a program; the order of solution they stand in is of no use here."""
    rows: dict[str, list[list[int]]] = {
        name: [] for name in ("copies", "diodes", "switches", "couplings", "injections")
    }
    words = [int(word) for word in program.words]
    supply = [int(k) for k in program.slots]
    lines: dict[int, tuple[int, int]] = {}  # base -> node, geometry
    pending: list[tuple[int, int, int, int, int]] = []
    readouts = [program.nodes.index(name) for name in program.readouts]
    solved: set[int] = set()

    def meter(slot: int) -> int:
        return supply[slot] if slot >= 0 else -1

    def copies(at: int, groups: int, nodes: Sequence[int]) -> int:
        for _ in range(groups):
            local, polarity, slot, _, n = words[at : at + 5]
            at += 5
            for _ in range(n):
                pending.append((words[at], words[at + 1], polarity, nodes[local], meter(slot)))
                at += 2
        return at

    def diodes(at: int, n: int, nodes: Sequence[int]) -> int:
        for _ in range(n):
            local, polarity, slot, device, geometry = words[at : at + 5]
            rows["diodes"].append([device, polarity, geometry, nodes[local], meter(slot)])
            at += 5
        return at

    start = 0
    while start < len(words):
        code, length, _, reads = words[start : start + 4]
        at = start + 4 + reads
        if code == GATE:
            base, node, _, geometry = words[at : at + 4]
            lines[base] = (node, geometry)
        elif code == NODE:
            node, source, reference, groups, count, coupled = words[at : at + 6]
            rows["injections"].append([node, source, reference])
            at = diodes(copies(at + 6, groups, [node]), count, [node])
            for k in range(at, at + 3 * coupled, 3):
                rows["couplings"].append([node, *words[k + 1 : k + 3]])
            solved.add(node)
        elif code == BLOCK:
            n = words[at]
            nodes = words[at + 1 : at + 1 + n]
            at += 1 + n
            groups, count, gated, switches, coupled, injected = words[at : at + 6]
            at = diodes(copies(at + 6, groups, nodes), count, nodes)
            for k in range(at, at + 6 * gated, 6):
                gate, drain, polarity, slot, device, geometry = words[k : k + 6]
                rows["copies"].append(
                    [device, polarity, geometry, nodes[gate], nodes[drain], meter(slot), 0]
                )
            at += 6 * gated
            for k in range(at, at + 9 * switches, 9):
                device, geometry, polarity = words[k : k + 3]
                rows["switches"].append([device, polarity, geometry, *words[k + 3 : k + 9 : 2]])
            at += 9 * switches
            for k in range(at, at + 4 * coupled, 4):
                rows["couplings"].append([nodes[words[k]], words[k + 1], words[k + 3]])
            at += 4 * coupled
            for k in range(at, at + 3 * injected, 3):
                rows["injections"].append([nodes[words[k]], *words[k + 1 : k + 3]])
            solved |= set(nodes)
        else:
            copies(at + 3, words[at + 2], [words[at + 1]])
        start += length
    for device, base, polarity, drain, metered in pending:
        node, geometry = lines[base]
        rows["copies"].append([device, polarity, geometry, node, drain, metered, 1])
    assert solved == set(range(len(solved)))
    width = {"copies": 7, "diodes": 5, "switches": 6, "couplings": 3, "injections": 3}
    table = {name: np.array(rows[name], np.int64).reshape(-1, width[name]) for name in rows}
    return Circuit(**table, readouts=np.array(readouts, np.int64), unknown=len(solved))
