"""The circuit as the kernel reads it: a list of integers in solving order, and arrays of constants.

Operations (first words: code, length, static, n, then the n nodes and inputs it reads):

    GATE     base, node, polarity, geometry
    NODE     node, input, reference, groups, diodes, couplings; then these
    BLOCK    n, nodes; groups, diodes, gated, switches, couplings, injections; then these
    READOUT  index, node, groups; then these

with

    group      local node, polarity, slot, fixed, n, then (device, base) n times
    diode      local node, polarity, slot, device, geometry
    gated      local gate, local drain, polarity, slot, device, geometry
    switch     device, geometry, polarity, then node and local index
               of gate, drain and source
    coupling   local node, gate node, (in blocks: local index of the gate,) index
    injection  local node, input, reference

A *base* is what all copies of one geometry share that read one line; a *slot* is one current that
is metered on a supply. A group is *fixed* (and numbered) when none of its lines ever changes.
-1 stands for none.
"""

import hashlib
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Reals = NDArray[np.float32]

GATE, NODE, BLOCK, READOUT = range(4)


@dataclass(frozen=True)
class Program:
    """All that describes the circuit to the kernel; devices in the order of ``instances``.

    ``probes`` (n, 4): polarity, node, device, geometry of the diodes that are read.
    """

    words: Ints
    nodes: tuple[str, ...]
    instances: tuple[str, ...]
    polarity: Ints
    multiplicity: NDArray[np.float64]
    charge: Reals
    leak: Reals
    coupling: Reals
    reference_na: Reals
    start_v: Reals
    held: Ints
    watched: Ints
    driven: Ints
    inputs: tuple[str, ...]
    supplies: tuple[str, ...]
    readouts: tuple[str, ...]
    readout_v: float
    probes: Ints
    bases: int
    diodes: int
    operations: int
    slots: Ints
    fixed_groups: int

    def digest(self) -> str:
        """Hash of everything the kernel reads."""
        digest = hashlib.sha256()
        for field in fields(self):
            value = getattr(self, field.name)
            digest.update(
                value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
            )
        return digest.hexdigest()
