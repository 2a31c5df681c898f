"""A bench of many copies of one cell, each tried again and again at candidates of its own.

A copy is the cell of a design with all it depends on: its bias mirrors, the reference lines, the
ReLU diode of its candidate and the turn behind it (``circuit.cone``); the candidate is a current
into that diode. A trial prepares the cell, gives it a candidate, lets it look for as long as its
strobe is open in a frame (an asynchronous cell: from the edge of the candidate to the sampling
instant) and reads node v0 when it has settled.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from codesign.circuit.cone import Element, cone
from codesign.circuit.elements import Capacitor, Library, Mosfet, flatten
from codesign.circuit.flat import FlatNetwork, flat_text
from codesign.circuit.network import SUPPLIES, strobe_ports
from codesign.circuit.spice_text import comment
from codesign.circuit.timing import SAMPLE, Timing
from codesign.flows import HardwareSection
from codesign.mapping.design import Shape
from codesign.mapping.names import cell_instance, relu_instance

Edge = Literal["beta_hi", "beta_lo"]

# What a cell is prepared with where it has to be high, in beta_hi.
PREPARE = 2.0
# Every trial sets the cell first, so that lines that relax slowly always come from the same state;
# one that has to be low is then reset.
_LOOKS_S = (3e-4, 1.8e-3)
_PREPARED_S, _RESET_S, _OPENS_S = 2e-3, 2e-4, 5e-3
_AFTER_S = 1.5e-3
_REFERENCE = ("ref_p", "ref_n")


@dataclass(frozen=True)
class Cell:
    """A cell of a design cut out of it: devices, its node v0, the node its candidate flows into,
    lines that carry one unit current, supplies and what drives it, by node."""

    devices: tuple[Mosfet, ...]
    capacitors: tuple[Capacitor, ...]
    v0: str
    candidate: str
    references: tuple[str, ...]
    supplies: tuple[str, ...]
    strobe: tuple[str, str] | None


@dataclass(frozen=True)
class Trial:
    """Times of one trial, seconds from its beginning: the cell looks from ``opens_s`` for
    ``window_s`` and is read at ``read_s``; the next trial begins at ``period_s``."""

    edge: Edge
    opens_s: float
    window_s: float
    read_s: float
    period_s: float


def cut_cell(library: Library, hw: HardwareSection, shape: Shape, layer: int, unit: int) -> Cell:
    """Cell ``unit`` of ``layer`` with all it depends on but what makes its candidate."""
    elements: list[Element] = list(flatten(library))
    prefix = cell_instance(layer, unit) + "."
    known = {
        *SUPPLIES,
        "vss",
        "0",
        "rst",
        *(port for pair in strobe_ports(hw, shape) for port in pair),
    }
    relu = relu_instance(f"layers.{layer}.candidate", unit)
    candidate = next(e.drain for e in elements if isinstance(e, Mosfet) and e.name == relu)
    # An external reference drives the P line alone; one on the chip is cut at both lines.
    references = _REFERENCE if hw.bias == "tree" else _REFERENCE[:1]
    own = [node for e in elements if e.name.startswith(prefix) for node in e.nodes]
    kept = cone(elements, own, known, {candidate, *references})
    return Cell(
        devices=tuple(e for e in kept if isinstance(e, Mosfet)),
        capacitors=tuple(e for e in kept if isinstance(e, Capacitor)),
        v0=f"{prefix}v0",
        candidate=candidate,
        references=references,
        supplies=tuple(SUPPLIES),
        strobe=strobe_ports(hw, shape)[layer] if hw.cell == "strobed" else None,
    )


def trial_of(hw: HardwareSection, shape: Shape, layer: int, edge: Edge) -> Trial:
    """How the cells of a layer are tried at one of their thresholds."""
    if hw.cell == "strobed":
        opens, closes = Timing(hw.frame_s, hw.edge_s, 1, shape.layers).window(layer)
        window = (closes - opens) * hw.frame_s
        read = _OPENS_S + window + _AFTER_S
    else:
        window = SAMPLE * hw.frame_s
        read = _OPENS_S + window
    return Trial(edge, _OPENS_S, window, read, read + 1e-4)


def copied(cell: Cell, copy: int) -> tuple[tuple[Mosfet, ...], tuple[Capacitor, ...]]:
    """Devices of copy ``copy``: nodes and names of its own, shared supplies and strobes."""
    shared = {*cell.supplies, "0", "rst", *(cell.strobe or ())}

    def node(name: str) -> str:
        return "0" if name == "vss" else name if name in shared else f"k{copy}.{name}"

    devices = tuple(
        replace(
            d, name=f"m.k{copy}.{d.name}", drain=node(d.drain), gate=node(d.gate),
            source=node(d.source), bulk=node(d.bulk),
        )
        for d in cell.devices
    )  # fmt: skip
    capacitors = tuple(
        replace(c, name=f"c.k{copy}.{c.name}", plus=node(c.plus), minus=node(c.minus))
        for c in cell.capacitors
    )
    return devices, capacitors


def copies_text(cell: Cell, copies: int, hw: HardwareSection, models: dict[str, str]) -> str:
    """Supplies, and ``copies`` copies with their reference currents; no candidates yet."""
    lines = [f"v{name} {name} 0 {hw.supply_v:g}" for name in cell.supplies]
    for copy in range(copies):
        devices, capacitors = copied(cell, copy)
        network = FlatNetwork((), devices, capacitors)
        zero, one = np.zeros(len(devices)), np.ones(len(devices))
        lines += flat_text(network, models, zero, one).splitlines()
        for line in cell.references:
            # The P line is drawn from, the N line is fed.
            ends = f"k{copy}.{line} 0" if line == "ref_p" else f"vdd_bias k{copy}.{line}"
            lines.append(f"i.k{copy}.{line} {ends} {hw.unit_current_a:.9g}")
    return "\n".join(lines) + "\n"


def trial_text(
    cell: Cell,
    hw: HardwareSection,
    models: dict[str, str],
    trial: Trial,
    levels_a: NDArray[np.float64],
    high_a: float,
    options: str,
    noise: Callable[[int, tuple[Mosfet, ...]], str] = lambda *_: "",
) -> str:
    """The deck of ``levels_a`` (copies, trials), amperes, up to its analysis, which it includes.

    ``high_a`` sets a cell that has to be high; ``noise`` gives the sources of a copy's devices.
    """
    copies, trials = levels_a.shape
    stop_s = trials * trial.period_s
    resets = [(_PREPARED_S, _PREPARED_S + _RESET_S)] if trial.edge == "beta_hi" else []
    lines = [
        comment(f"{copies} copies of {cell.v0}, {trials} trials each at {trial.edge}"),
        options, f".temp {hw.temperature_c:g}", copies_text(cell, copies, hw, models),
        _repeated("vrst rst 0", trial, trials, hw, resets, False),
    ]  # fmt: skip
    if cell.strobe is not None:
        windows = [_LOOKS_S, (trial.opens_s, trial.opens_s + trial.window_s)]
        for node, inverted in zip(cell.strobe, (False, True), strict=True):
            lines.append(_repeated(f"v{node} {node} 0", trial, trials, hw, windows, inverted))
    for copy in range(copies):
        lines.append(_candidate(cell, hw, trial, copy, levels_a[copy], high_a))
        lines.append(noise(copy, copied(cell, copy)[0]))
        lines += [f".ic v(k{copy}.{cell.v0})=0", f".save v(k{copy}.{cell.v0})"]
    step = hw.frame_s / 50
    lines.append(f".tran {step:.6g} {stop_s:.9g} 0 {step:.6g}")
    return "\n".join(lines) + "\n"


def _candidate(
    cell: Cell, hw: HardwareSection, trial: Trial, copy: int, levels_a: NDArray[np.float64],
    high_a: float,
) -> str:  # fmt: skip
    """The candidate of one copy: high, then its level, trial after trial; an asynchronous cell is
    given the level when it is to look, and before that what holds it."""
    waits = cell.strobe is None
    points = [(0.0, high_a)]
    for k, level in enumerate(levels_a.tolist()):
        start = k * trial.period_s
        if k:
            points += [(start, points[-1][1]), (start + hw.edge_s, high_a)]
        held = 0.0 if trial.edge == "beta_hi" else high_a
        first = held if waits else level
        points += [(start + _PREPARED_S, high_a), (start + _PREPARED_S + hw.edge_s, first)]
        if waits:
            points += [(start + trial.opens_s, held), (start + trial.opens_s + hw.edge_s, level)]
    return _pwl(f"i.k{copy}.candidate {cell.supplies[0]} k{copy}.{cell.candidate}", points)


def _repeated(
    head: str, trial: Trial, trials: int, hw: HardwareSection,
    windows: Sequence[tuple[float, float]], inverted: bool,
) -> str:  # fmt: skip
    """A voltage that is high (low if ``inverted``) during ``windows`` of every trial."""
    rest, active = (hw.supply_v, 0.0) if inverted else (0.0, hw.supply_v)
    points = [(0.0, active if windows and windows[0][0] == 0 else rest)]
    for k in range(trials):
        for opens, closes in windows:
            begin, end = k * trial.period_s + opens, k * trial.period_s + closes
            if begin > 0:
                points += [(begin, rest), (begin + hw.edge_s, active)]
            points += [(end, active), (end + hw.edge_s, rest)]
    return _pwl(head, points)


def _pwl(head: str, points: Sequence[tuple[float, float]]) -> str:
    words = [f"{time:.9g} {value:.7g}" for time, value in points]
    rows = (" ".join(words[k : k + 6]) for k in range(0, len(words), 6))
    return f"{head} dc {points[0][1]:.7g} pwl(\n+ " + "\n+ ".join(rows) + ")"
