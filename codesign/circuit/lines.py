"""Which gate lines the network needs: a turn is built only where something reads it.

A signal is native on one kind of line (a summing node is an N line, an input and a state are P
lines) and is turned into the other kind for the copies that need it: positive weights read P
lines, negative weights N lines.
"""

from dataclasses import dataclass

from codesign.mapping.design import Design, Row


@dataclass(frozen=True)
class Signals:
    """A vector of signals: their name and the line they are native on (``"p"`` or ``"n"``)."""

    name: str
    size: int
    native: str

    def line(self, unit: int, kind: str) -> str:
        """Node of one line."""
        return f"{self.name}_{unit}_{kind}"


@dataclass(frozen=True)
class Stage:
    """One feed-forward block: what it reads and what it makes."""

    parameter: str
    reads: Signals
    makes: Signals | None


def stages(design: Design) -> list[Stage]:
    """The feed-forward blocks of the network, in the order the signal walks through them."""
    shape = design.shape
    d = shape.state_dim
    result = [Stage("projection", inputs(design), carried(design, 0))]
    for layer in range(shape.layers):
        prefix = f"layers.{layer}"
        result.append(
            Stage(f"{prefix}.candidate", carried(design, layer), Signals(f"c{layer}", d, "n"))
        )
        result.append(
            Stage(f"{prefix}.output", states(design, layer), Signals(f"v{layer}", d, "n"))
        )
    return [*result, Stage("readout", carried(design, shape.layers), None)]


def inputs(design: Design) -> Signals:
    """The input currents."""
    return Signals("u", design.shape.inputs, "p")


def carried(design: Design, layer: int) -> Signals:
    """What enters a layer: the projection's output, then the sums after each skip."""
    return Signals(f"x{layer}", design.shape.state_dim, "n")


def states(design: Design, layer: int) -> Signals:
    """The states of one layer's cells."""
    return Signals(f"h{layer}", design.shape.state_dim, "p")


def weight_lines(design: Design, stage: Stage) -> set[tuple[int, str]]:
    """(unit, kind) of the lines the weights of a block read."""
    rows = design.by_parameter()[f"{stage.parameter}.weight"]
    return {(row.index[1], line_kind(row)) for row in rows.values() if row.m}


def line_kind(row: Row) -> str:
    """The line a weight's device reads: a PMOS copies a P line, an NMOS an N line."""
    return "p" if row.device == "pmos" else "n"


def p_turns(design: Design) -> set[str]:
    """Nodes of all P lines that must be turned from N lines."""
    needed: set[str] = set()
    for stage in stages(design):
        if stage.reads.native == "n":
            needed |= {
                stage.reads.line(unit, kind)
                for unit, kind in weight_lines(design, stage)
                if kind == "p"
            }
    for layer in range(design.shape.layers):
        for unit in range(design.shape.state_dim):
            needed.add(f"c{layer}_{unit}_p")  # the cell reads its candidate from a P line
            needed.add(f"v{layer}_{unit}_p")  # the skip adds two P lines
            needed.add(f"x{layer}_{unit}_p")
    return needed
