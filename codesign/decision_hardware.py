"""What a decision rule needs beside the readout lines: its circuit, and what it must remember.

The readout gives one current per class (docs/circuit.md). A current comparator (winner take all)
tells the largest; everything else here is memory. An integrator is a capacitor that a copy of the
class current charges, C = I t / V, where I is the largest mean of a class current over the frames
that count, so that the capacitor does not run out of its swing. The integrator may be gated: it
then charges only in the settled end of every frame, which is what is simulated (values at the
sampling instant), and its capacitor shrinks by the part of the frame that the gate is open.
"""

from dataclasses import dataclass
from math import ceil, log2

from codesign.rules import Rule

# Swing of an integrator at the supply of the flows (1.8 V), less the two headrooms.
SWING_V = 1.0
# From the sampling instant (circuit.timing.SAMPLE = 0.95) to the end of the frame.
GATE = 0.05


@dataclass(frozen=True)
class Needs:
    """What a rule costs for one network.

    elements: in words. comparators: decisions of a current against another one or a threshold.
    capacitors: analogue values held at the same time, each of ``capacitor_f`` farad (0: a value
    held for less than a frame, as small as a switch allows), together ``capacitance_f``.
    memory_bits: digital state. decides: when the result is there.
    """

    elements: str
    comparators: int
    capacitors: int
    capacitor_f: float
    memory_bits: int
    decides: str

    @property
    def capacitance_f(self) -> float:
        return self.capacitors * self.capacitor_f


def integrator_f(
    frames: int, frame_s: float, full_scale_a: float, gate: float = GATE, swing_v: float = SWING_V
) -> float:
    """Capacitor in farad that takes ``full_scale_a`` in the gated part of all frames."""
    return full_scale_a * frames * frame_s * gate / swing_v


def needs_of(
    rule: Rule, classes: int, frames: int, frame_s: float, full_scale_a: float, gate: float = GATE
) -> Needs:
    """The circuit counterpart of a rule for clips of ``frames`` frames.

    ``full_scale_a`` is the largest mean of a class current over the frames that count, amperes;
    ``gate`` the part of a frame in which an integrator charges, 1 for one that is never gated.
    """
    index = max(1, ceil(log2(classes)))
    pairs = classes - 1
    counter = ceil(log2(frames + 1))
    if rule.name == "last_frame":
        return Needs("winner take all, sampled once", pairs, 0, 0.0, index,
                     "at the end of the clip")  # fmt: skip
    if rule.name == "every_frame":
        return Needs("winner take all, read in every frame", pairs, 0, 0.0, 0, "in every frame")
    if rule.name == "mean_logit":
        return Needs(
            "one gated integrator per class with a reset, winner take all", pairs, classes,
            integrator_f(frames, frame_s, full_scale_a, gate), index, "at the end of the clip",
        )  # fmt: skip
    if rule.name == "last_k":
        return Needs(
            f"one gated integrator per class, opened {rule.frames} frames before the end by a "
            "frame counter, winner take all",
            pairs, classes, integrator_f(rule.frames, frame_s, full_scale_a, gate),
            counter + index, "at the end of the clip",
        )  # fmt: skip
    if rule.name == "majority":
        # Of two classes the votes of one say those of the other.
        counters = 1 if classes == 2 else classes
        return Needs(
            f"winner take all in every frame, {counters} counter{'s' * (counters > 1)} of "
            f"{counter} bits, a digital comparison", pairs, 0, 0.0, counters * counter,
            "at the end of the clip",
        )  # fmt: skip
    return Needs(
        f"one comparator per class against the best other plus {rule.threshold_units:g} units, a "
        "latch per class that the others' latches block", classes, 0, 0.0, classes,
        "at the first crossing, at the latest at the end of the clip",
    )  # fmt: skip


def sliding_needs(rule: Rule, classes: int, frame_s: float, full_scale_a: float) -> Needs:
    """last_k where nothing says when a clip ends: a ring of K sampled values per class, shared out
    at every frame. Each holds one frame's charge for K frames. Raises ValueError for other rules.
    """
    if rule.name != "last_k":
        raise ValueError(f"{rule} keeps no ring of frames")
    return Needs(
        f"a ring of {rule.frames} sampled charges per class, winner take all", classes - 1,
        classes * rule.frames, integrator_f(1, frame_s, full_scale_a), 0, "in every frame",
    )  # fmt: skip
