"""The strobe generator as transistors: a Johnson counter and one gate per layer.

An external clock rises once per tick of the frame (``Timing.ticks``). A Johnson counter of n
flip-flops, n half the ticks, shifts a run of n ones through itself: output j is high from the
(j + 1)-th tick after reset for n ticks. So a window between two ticks, up to n long, is one output
that has risen and another that has not yet: a gate of two inputs that never change together, which
has no glitches. Reset lasts into tick ``reset_tick`` of the first frame and the counter starts
there, so that its state and the frame stay together.

Static CMOS draws current when it switches and leaks otherwise; both are measured
(``codesign.circuit.strobe_measure``). Devices are as in ``netlists/strobe.cir``.
"""

import math
from dataclasses import dataclass

from codesign.circuit.elements import Call, Element, Group, Library, Subcircuit
from codesign.circuit.library import library_text, parse_subcircuits, with_models
from codesign.circuit.spice_text import subcircuit_text
from codesign.circuit.timing import RESET_END, Timing

STROBE_FILE = "strobe.cir"
GENERATOR = "strobe_generator"
SUPPLY = "vdd_strobe"
# Rise time of the external clock, at most this and a twentieth of its half period. A slow clock
# makes the first inverter conduct: at 1 us the generator of two layers draws 0.5 nW more.
CLOCK_EDGE_S = 1e-7


@dataclass(frozen=True)
class LogicSizes:
    """Transistors of the generator, metres: logic, and the gates that drive the switches."""

    wn: float = 5e-7
    wp: float = 5e-7
    lg: float = 5e-7
    lb: float = 1e-6

    @property
    def parameters(self) -> dict[str, float]:
        return {"wn": self.wn, "wp": self.wp, "lg": self.lg}


SIZES = LogicSizes()


def reset_tick(ticks: int) -> int:
    """The tick of the first frame during which reset ends: what the counter's zero stands for."""
    return math.floor(RESET_END * ticks)


def strobe_generator(timing: Timing, sizes: LogicSizes = SIZES) -> Library:
    """The generator of a network's strobes, with the library blocks it is made of.

    Ports: clock, reset, one pair per layer (``stb_0 stbn_0 ...``), supply, ground. Raises
    ValueError for a window that is longer than half of a frame or open while reset ends.
    """
    stages = timing.ticks // 2
    windows = [_phases(timing.window_ticks(la), timing.ticks) for la in range(timing.layers)]
    inverted = sorted({k for pair in windows for k, high in pair if not high} | {stages - 1})
    counter = tuple(
        Call(
            f"xstage_{k}", "strobe_dff",
            (f"n_{stages - 1}" if k == 0 else f"q_{k - 1}", f"q_{k}",
             "ck", "ckn", "rst", "rstn", "vdd", "vss"),
            sizes.parameters,
        )
        for k in range(stages)
    )  # fmt: skip
    groups = (
        Group(
            "clock and reset, with their complements",
            (
                _inverter("xckn", "clk", "ckn", sizes),
                _inverter("xck", "ckn", "ck", sizes),
                _inverter("xrstn", "rst", "rstn", sizes),
            ),
        ),
        Group(f"Johnson counter of {stages}: {timing.ticks} ticks", counter),
        Group(
            "complements that are read",
            tuple(_inverter(f"xn_{k}", f"q_{k}", f"n_{k}", sizes) for k in inverted),
        ),
        *(_pair(timing, layer, phases, sizes) for layer, phases in enumerate(windows)),
    )
    ports = [f"{name}_{layer}" for layer in range(timing.layers) for name in ("stb", "stbn")]
    top = Subcircuit(
        GENERATOR, ("clk", "rst", *ports, "vdd", "vss"), groups,
        f"Strobes of {timing.layers} layers from a clock of {timing.ticks} ticks per frame.",
    )  # fmt: skip
    return Library(GENERATOR, {**blocks(), GENERATOR: top})


def clock_pulse(timing: Timing, supply_v: float) -> str:
    """The external clock as an ngspice source: it rises at every tick, the first at time zero."""
    tick_s = timing.frame_s / timing.ticks
    edge_s = min(CLOCK_EDGE_S, tick_s / 40)
    words = (0.0, edge_s, edge_s, tick_s / 2 - edge_s, tick_s)
    return f"pulse(0 {supply_v:g} {' '.join(f'{word:.9g}' for word in words)})"


def generator_text(library: Library, nmos: str, pmos: str) -> str:
    """The generator and its blocks as SPICE, in the model names of a PDK."""
    shipped = with_models(library_text(STROBE_FILE), nmos, pmos)
    return shipped + "\n" + subcircuit_text(library.subcircuits[GENERATOR], {"n": nmos, "p": pmos})


def blocks() -> dict[str, Subcircuit]:
    """The shipped gates the generator calls, by name."""
    parsed = parse_subcircuits(library_text(STROBE_FILE), STROBE_FILE)
    return {subcircuit.name: subcircuit for subcircuit in parsed}


def _phases(window: tuple[int, int], ticks: int) -> list[tuple[int, bool]]:
    """(output, its level) twice: what is true since the window opens, and until it closes."""
    opens, closes = (tick - reset_tick(ticks) for tick in window)
    if not 0 < opens < closes <= min(opens + ticks // 2, ticks):
        raise ValueError(f"the window {window} of {ticks} ticks cannot be decoded")
    since, until = _rises(opens, ticks), _rises(closes, ticks)
    return [since, (until[0], not until[1])]


def _rises(tick: int, ticks: int) -> tuple[int, bool]:
    """The output that begins to be high (True) or low (False) at a tick after reset."""
    stages = ticks // 2
    return (tick - 1, True) if tick <= stages else (tick - stages - 1, False)


def _inverter(name: str, source: str, target: str, sizes: LogicSizes) -> Call:
    return Call(name, "strobe_inv", (source, target, "vdd", "vss"), sizes.parameters)


def _pair(timing: Timing, layer: int, phases: list[tuple[int, bool]], sizes: LogicSizes) -> Group:
    opens, closes = timing.window_ticks(layer)
    nodes = [f"{'q' if high else 'n'}_{k}" for k, high in phases]
    ports = (*nodes, f"stb_{layer}", f"stbn_{layer}", "vdd", "vss")
    call: Element = Call(
        f"xpair_{layer}", "strobe_pair", ports, {**sizes.parameters, "lb": sizes.lb}
    )
    return Group(f"layer {layer}: high from tick {opens} to {closes}", (call,))
