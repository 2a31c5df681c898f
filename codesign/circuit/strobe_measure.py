"""What the strobe generator draws and how its strobes look: measured once in ngspice, kept.

The generator runs alone with the load of one network: the gates of the switches of every cell of
a layer, with their currents. A frame is like any other, so two are simulated, the first for the
reset, the second to be measured. The result serves wherever the generator is not simulated with
the network: its power is counted, and the batched engine, which has no logic, drives the cells with
its measured edges.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.circuit.count import BlockCount, add_device
from codesign.circuit.elements import Library, flatten
from codesign.circuit.strobe import (
    GENERATOR,
    SIZES,
    LogicSizes,
    clock_pulse,
    generator_text,
    strobe_generator,
)
from codesign.circuit.timing import RESET_END, Pulse, StrobeEdges, Timing
from codesign.device.bench import ProcessPoint
from codesign.device.cache import cached
from codesign.errors import EnvironmentMissing
from codesign.flows import HardwareSection
from codesign.mapping.design import Shape
from codesign.spice.ngspice import run_text
from codesign.spice.rawfile import Plot

Floats = NDArray[np.float64]

# Logic swings from rail to rail: a tenth of a millivolt and 0.1 pA are fine enough.
_OPTIONS = (
    ".options method=gear reltol=1e-3 abstol=1e-13 vntol=1e-4 chgtol=1e-16 gmin=1e-15 bypass=1"
)
_FRAMES = 2
# An edge is the line through these parts of the swing.
_LOW, _HIGH = 0.2, 0.8


@dataclass(frozen=True)
class StrobeFacts:
    """The generator of one network at one process point.

    ``power_w`` is the mean over a frame, ``leakage_w`` what it draws between clock edges;
    ``edges`` are its strobes.
    """

    power_w: float
    leakage_w: float
    ticks: int
    count: BlockCount
    edges: StrobeEdges


def measure_strobe(
    point: ProcessPoint,
    shape: Shape,
    progress: Callable[[str], None] = lambda _: None,
    sizes: LogicSizes = SIZES,
) -> StrobeFacts:
    """Power and strobes of the generator for a network, from the cache or measured now.

    Raises EnvironmentMissing when the simulator fails or a strobe is not where it should be.
    """
    hw = point.hardware
    timing = Timing(hw.frame_s, hw.edge_s, _FRAMES, shape.layers)
    library = strobe_generator(timing, sizes)
    deck = _deck(point, shape, timing, library)
    facts = [point.key(), deck]

    def measure() -> StrobeFacts:
        progress("measuring the strobe generator in ngspice")
        outcome = run_text(point.ngspice, deck)
        if outcome.status != "ok":
            raise EnvironmentMissing(
                f"The strobe generator failed in ngspice ({outcome.status}: {outcome.message}); "
                f"check the PDK with 'codesign pdk check {point.pdk.name}'."
            )
        return _read(outcome.plots[0], timing, hw.supply_v, library)

    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    return cached("strobe", key, measure, asdict, _unpack)


def described(facts: StrobeFacts, hw: HardwareSection, shape: Shape) -> dict[str, Any]:
    """What a design says of its generator; times in seconds from the beginning of a frame."""
    timing = Timing(hw.frame_s, hw.edge_s, 1, shape.layers)
    return {
        "simulated": hw.generates_strobes,
        "ticks": facts.ticks,
        "windows_ticks": [timing.window_ticks(layer) for layer in range(timing.layers)],
        "power_w": facts.power_w,
        "leakage_w": facts.leakage_w,
        "transistors": facts.count.transistors,
        "gate_area_m2": facts.count.gate_area_m2,
        "edges": [[asdict(pulse) for pulse in pair] for pair in facts.edges],
    }


def count_generator(library: Library) -> BlockCount:
    """Transistors and gate area of a generator."""
    count = BlockCount()
    for device in flatten(library):
        add_device(count, device)
    return count


def _deck(point: ProcessPoint, shape: Shape, timing: Timing, library: Library) -> str:
    hw, frame = point.hardware, timing.frame_s
    names = [f"{line}_{layer}" for layer in range(shape.layers) for line in ("stb", "stbn")]
    end = RESET_END * frame
    lines = [
        "* strobe generator",
        point.pdk.header(hw.corner).rstrip("\n"),
        _OPTIONS,
        f".temp {hw.temperature_c:g}",
        generator_text(library, point.pdk.nmos, point.pdk.pmos),
        f"vstrobe vs 0 {hw.supply_v:g}",
        f"vload vl 0 {hw.supply_v:g}",
        f"vrst rst 0 pwl(0 {hw.supply_v:g} {end:.9g} {hw.supply_v:g} {end + timing.edge_s:.9g} 0)",
        f"vclk clk 0 {clock_pulse(timing, hw.supply_v)}",
        f"xstrobe clk rst {' '.join(names)} vs 0 {GENERATOR}",
        *(line for layer in range(shape.layers) for line in _load(point, shape, layer)),
        *(f".save v({name})" for name in names),
        ".save i(vstrobe)",
        f".tran {frame / 100:.9g} {timing.stop_s:.9g} 0 {frame / 100:.9g}",
        ".control\nrun\nwrite out.raw\n.endc\n.end\n",
    ]
    return "\n".join(lines)


def _load(point: ProcessPoint, shape: Shape, layer: int) -> list[str]:
    """The four switches of every cell of a layer, each pair with a unit current for each cell."""
    hw, d = point.hardware, shape.state_dim
    size = f"{point.pdk.pmos} w={hw.switch_w_m:.6g} l={hw.switch_l_m:.6g} m={d}"
    lines = []
    for pair, (into, away) in (("a", ("stbn", "stb")), ("b", ("stb", "stbn"))):
        node = f"{pair}_{layer}"
        lines += [
            f"i{node} vl {node} {d * hw.unit_current_a:.9g}",
            f"mi{node} 0 {into}_{layer} {node} vl {size}",
            f"mo{node} 0 {away}_{layer} {node} vl {size}",
        ]
    return lines


def _read(plot: Plot, timing: Timing, supply_v: float, library: Library) -> StrobeFacts:
    times = np.asarray(plot.scale, np.float64)
    current = -np.asarray(plot["i(vstrobe)"], np.float64)
    first = (_FRAMES - 1) * timing.frame_s
    inside = times >= first
    at, drawn = times[inside], current[inside]
    # Just before each edge of the clock everything is at rest.
    half = timing.frame_s / timing.ticks / 2
    quiet = first + half * np.arange(1, 2 * timing.ticks) - half / 20
    edges = tuple(
        tuple(
            _pulse(
                at - first,
                np.asarray(plot[f"v({line}_{layer})"])[inside],
                timing,
                layer,
                rest,
                supply_v,
            )
            for line, rest in (("stb", 0.0), ("stbn", supply_v))
        )
        for layer in range(timing.layers)
    )
    return StrobeFacts(
        power_w=float(np.trapezoid(drawn, at) / (at[-1] - at[0]) * supply_v),
        leakage_w=float(np.interp(quiet, times, current).mean() * supply_v),
        ticks=timing.ticks,
        count=count_generator(library),
        edges=[(pair[0], pair[1]) for pair in edges],
    )


def _pulse(
    at: Floats, volts: Floats, timing: Timing, layer: int, rest_v: float, supply_v: float
) -> Pulse:
    swing = (volts - rest_v) / (supply_v - 2 * rest_v)
    opens, closes = (fraction * timing.frame_s for fraction in timing.window(layer))
    tick = timing.frame_s / timing.ticks
    low, high = ((swing[:-1] < level) != (swing[1:] < level) for level in (_LOW, _HIGH))
    if low.sum() != 2 or high.sum() != 2:
        raise EnvironmentMissing(
            f"The strobe generator does not strobe layer {layer} once per frame at this process "
            'point; take hardware.strobe = "ideal", or another supply.'
        )
    (rises, falls), (tops, leaves_top) = (
        [_crossing(at, swing, int(k), level) for k in np.flatnonzero(mask)]
        for mask, level in ((low, _LOW), (high, _HIGH))
    )
    if abs(rises - opens) > tick / 4 or abs(falls - closes) > tick / 4:
        raise EnvironmentMissing(
            f"The strobe generator opens layer {layer} at {rises:.4g} s of the frame and closes "
            f"at {falls:.4g} s, where {opens:.4g} and {closes:.4g} s were meant; take "
            'hardware.strobe = "ideal", or longer frames.'
        )
    stretch = _LOW / (_HIGH - _LOW)
    up, down = tops - rises, falls - leaves_top
    return Pulse(
        rises - stretch * up, tops + stretch * up, leaves_top - stretch * down,
        falls + stretch * down,
    )  # fmt: skip


def _crossing(at: Floats, values: Floats, k: int, level: float) -> float:
    part = (level - values[k]) / (values[k + 1] - values[k])
    return float(at[k] + part * (at[k + 1] - at[k]))


def _unpack(stored: Any) -> StrobeFacts:
    return StrobeFacts(
        power_w=float(stored["power_w"]),
        leakage_w=float(stored["leakage_w"]),
        ticks=int(stored["ticks"]),
        count=BlockCount(**stored["count"]),
        edges=[(Pulse(**plain), Pulse(**complement)) for plain, complement in stored["edges"]],
    )
