"""From the graph of a circuit to the program the kernel reads (see codesign.engine.program)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import numpy as np

from codesign.circuit.elements import Mosfet
from codesign.device.geometry import Geometry, geometry_of
from codesign.engine.characterise import Models
from codesign.engine.charges import node_charges, node_leaks
from codesign.engine.graph import Block, Graph, Unsupported
from codesign.engine.program import BLOCK, GATE, NODE, READOUT, Program

_MOST = {"groups": 12, "diodes": 8, "gated": 8, "switches": 12}


def build_program(
    graph: Graph, models: Models, held: Sequence[str], probed: Sequence[str]
) -> Program:
    """Translate a graph. ``held``: nodes kept at ground while the bias point is found;
    ``probed``: diodes (instance names) whose current is read, in this order."""
    return _Builder(graph, models).build(held, probed)


class _Builder:
    def __init__(self, graph: Graph, models: Models) -> None:
        self.graph, self.models = graph, models
        boundary = graph.boundary
        self.nodes = (*graph.nodes, *boundary.driven, *boundary.fixed)
        self.index = {node: k for k, node in enumerate(self.nodes)}
        self.device = {device.name: k for k, device in enumerate(graph.devices)}
        self.supply = {node: k for k, node in enumerate(boundary.supplies)}
        self.references = list(boundary.references)
        self.high = max(boundary.fixed.values())
        self.couplings: list[float] = []
        self.bases: dict[tuple[str, Geometry], int] = {}
        self.slots: list[int] = []
        self.fixed_groups = 0
        self.static = {n for block in graph.blocks if block.static for n in block.nodes}
        self.operations = 0
        diodes = (device for device in graph.devices if device.drain == device.gate)
        self.lines = {device.drain: device.polarity for device in diodes}
        middle = [self._middle(node) for node in self.nodes]
        self.charge, self.into = node_charges(graph, models, self.nodes, middle)

    def build(self, held: Sequence[str], probed: Sequence[str]) -> Program:
        graph, boundary = self.graph, self.graph.boundary
        readers: dict[str, set[Geometry]] = defaultdict(set)
        for block in graph.blocks:
            for device in block.copies:
                readers[device.gate].add(geometry_of(device))
        for devices in graph.readout.values():
            for device in devices:
                readers[device.gate].add(geometry_of(device))
        words: list[int] = []
        for block in graph.blocks:
            for node in block.nodes:
                for geometry in sorted(readers.get(node, ())):
                    self.bases[node, geometry] = len(self.bases)
            words += self._block(block, held)
            for node in block.nodes:
                for geometry in sorted(readers.get(node, ())):
                    words += self._operation(GATE, block.static, [self.index[node]], [
                        self.bases[node, geometry], self.index[node],
                        *self.models.mirror_index(geometry),
                    ])  # fmt: skip
        readouts = tuple(graph.readout)
        for k, node in enumerate(readouts):
            groups = self._groups(graph.readout[node], {node: 0})
            reads = [self.index[d.gate] for d in graph.readout[node]]
            words += self._operation(
                READOUT,
                False,
                reads,
                [k, self.index[node], len(groups), *chain.from_iterable(groups)],
            )
        instances = tuple(self.device)
        by_name = {device.name: device for device in graph.devices}
        capacitive = {n for c in graph.capacitors for n in c.nodes if not boundary.known(n)}
        return Program(
            words=np.array(words, np.int32),
            nodes=self.nodes,
            instances=instances,
            polarity=np.array([d.polarity == "p" for d in graph.devices], np.int32),
            multiplicity=np.array([float(d.m) for d in graph.devices]),
            charge=self.charge.astype(np.float32),
            leak=node_leaks(graph.devices, self.nodes).astype(np.float32),
            coupling=np.array(self.couplings or [0.0], np.float32),
            reference_na=np.array([boundary.references[n] * 1e9 for n in self.references] or [0.0],
                                  np.float32),
            start_v=np.array([self._start(node, held) for node in self.nodes], np.float32),
            held=np.array([self.index[node] for node in held], np.int32),
            watched=np.array(sorted(self.index[node] for node in capacitive), np.int32),
            driven=np.array([self.index[node] for node in boundary.driven], np.int32),
            inputs=boundary.inputs,
            supplies=boundary.supplies,
            readouts=readouts,
            readout_v=boundary.fixed[readouts[0]] if readouts else 0.0,
            probes=np.array([self._probe(by_name[name]) for name in probed], np.int32),
            bases=len(self.bases),
            diodes=len(probed),
            operations=self.operations,
            slots=np.array(self.slots or [0], np.int32),
            fixed_groups=self.fixed_groups,
        )  # fmt: skip

    # --- operations ---------------------------------------------------------------------------

    def _operation(
        self, code: int, static: bool, reads: Iterable[int], body: Sequence[int]
    ) -> list[int]:
        self.operations += 1
        read = sorted(set(reads))
        return [code, 4 + len(read) + len(body), int(static), len(read), *read, *body]

    def _reads(self, block: Block) -> list[int]:
        """What a block's solution depends on besides its own past."""
        inside = set(block.nodes)
        terminals = {d.gate for d in block.copies}
        terminals |= {node for d in block.switches for node in (d.gate, d.drain, d.source)}
        terminals |= {gate for node in block.nodes for gate in self.into[node]}
        fixed = self.graph.boundary.fixed
        reads = [self.index[node] for node in terminals - inside if node not in fixed]
        inputs = [self._input(node) for node in block.nodes]
        return reads + [len(self.nodes) + k for k in inputs if k >= 0]

    def _block(self, block: Block, held: Sequence[str]) -> list[int]:
        # Feedback closes over the nodes that hold charge: they come last in the elimination.
        nodes = sorted(block.nodes, key=lambda node: (node in held, node))
        local = {node: k for k, node in enumerate(nodes)}
        groups = self._groups(block.copies, local)
        diodes = [self._diode(device, local) for device in block.diodes]
        gated = [
            [local[d.gate], local[d.drain], *self._rail(d), self.device[d.name],
             self.models.mirror_index(geometry_of(d))[1]]
            for d in block.gated
        ]  # fmt: skip
        switches = [self._switch(device, local) for device in block.switches]
        injections = [
            [local[node], self._input(node), self._reference(node)]
            for node in nodes
            if self._input(node) >= 0 or self._reference(node) >= 0
        ]
        self._limit(block, groups=groups, diodes=diodes, gated=gated, switches=switches)
        reads = self._reads(block)
        simple = len(nodes) == 1 and not gated and not switches
        if simple and len(groups) <= 3 and len(diodes) <= 2:
            node = nodes[0]
            couplings = self._couplings(node, local, inside=False)
            counts = [len(groups), len(diodes), len(couplings)]
            body = [self.index[node], self._input(node), self._reference(node), *counts]
            parts = [*groups, *diodes, *couplings]
            return self._operation(NODE, block.static, reads, [*body, *chain.from_iterable(parts)])
        couplings = [c for node in nodes for c in self._couplings(node, local, inside=True)]
        parts = [*groups, *diodes, *gated, *switches, *couplings, *injections]
        counts = [len(p) for p in (groups, diodes, gated, switches, couplings, injections)]
        body = [
            len(nodes),
            *(self.index[node] for node in nodes),
            *counts,
            *chain.from_iterable(parts),
        ]
        return self._operation(BLOCK, block.static, reads, body)

    def _groups(self, copies: Sequence[Mosfet], local: Mapping[str, int]) -> list[list[int]]:
        sums: dict[tuple[int, int, int, bool], list[int]] = defaultdict(list)
        for device in copies:
            base = self.bases[device.gate, geometry_of(device)]
            rail = (int(device.polarity == "p"), self.supply.get(device.source, -1))
            key = (local[device.drain], *rail, device.gate in self.static)
            sums[key] += [self.device[device.name], base]
        # Fixed copies of a destination that has others as well are cheaper beside those.
        for key in [key for key in sums if key[3] and (*key[:3], False) in sums]:
            sums[*key[:3], False] += sums.pop(key)
        return [
            [node, polarity, self._slot(supply), self._fixed(fixed), len(pairs) // 2, *pairs]
            for (node, polarity, supply, fixed), pairs in sums.items()
        ]

    def _fixed(self, fixed: bool) -> int:
        self.fixed_groups += fixed
        return self.fixed_groups - 1 if fixed else -1

    def _diode(self, device: Mosfet, local: Mapping[str, int]) -> list[int]:
        geometry = self.models.mirror_index(geometry_of(device))[1]
        return [local[device.drain], *self._rail(device), self.device[device.name], geometry]

    def _switch(self, device: Mosfet, local: Mapping[str, int]) -> list[int]:
        terminals = (device.gate, device.drain, device.source)
        places = [v for node in terminals for v in (self.index[node], local.get(node, -1))]
        return [
            self.device[device.name], self.models.switch_index(geometry_of(device)),
            int(device.polarity == "p"), *places,
        ]  # fmt: skip

    def _couplings(self, node: str, local: Mapping[str, int], inside: bool) -> list[list[int]]:
        result = []
        for gate, femtofarad in self.into[node].items():
            self.couplings.append(femtofarad)
            where = [local.get(gate, -1)] if inside else []
            result.append([local[node], self.index[gate], *where, len(self.couplings) - 1])
        return result

    def _limit(self, block: Block, **parts: Sequence[object]) -> None:
        for name, items in parts.items():
            if len(items) > _MOST[name]:
                raise Unsupported(
                    f"The block of {', '.join(block.nodes)} has {len(items)} {name}; the batched "
                    f"engine solves up to {_MOST[name]}."
                )

    def _rail(self, device: Mosfet) -> tuple[int, int]:
        return int(device.polarity == "p"), self._slot(self.supply.get(device.source, -1))

    def _slot(self, supply: int) -> int:
        if supply < 0:
            return -1
        self.slots.append(supply)
        return len(self.slots) - 1

    def _input(self, node: str) -> int:
        inputs = self.graph.boundary.inputs
        return inputs.index(node) if node in inputs else -1

    def _reference(self, node: str) -> int:
        return self.references.index(node) if node in self.references else -1

    def _probe(self, device: Mosfet) -> list[int]:
        assert device.gate == device.drain
        polarity, geometry = self.models.mirror_index(geometry_of(device))
        return [polarity, self.index[device.drain], self.device[device.name], geometry]

    # --- constants ----------------------------------------------------------------------------

    def _start(self, node: str, held: Sequence[str]) -> float:
        boundary = self.graph.boundary
        if node in boundary.fixed:
            return boundary.fixed[node]
        if node in held or node in boundary.driven:
            return 0.0
        return self._middle(node)

    def _middle(self, node: str) -> float:
        """A voltage near which a node works."""
        polarity = self.lines.get(node)
        return 0.5 if polarity is None else 0.35 if polarity == "n" else self.high - 0.5
