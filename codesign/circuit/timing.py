"""When things happen inside a frame: reset, strobes one layer after another, the sample.

A frame is divided into ticks, those of the clock that steps the strobe generator, and every window
begins and ends on one. The first window opens when the signals it looks at have settled (a cell
sets on whatever it sees), the last one closes just before the sample, and each layer opens when
the one before it closes. Values are read at ``SAMPLE``, after the last window and before the next
input. The measurements behind the numbers are in docs/strobe.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

SAMPLE = 0.95
RESET_END = 0.1

# Ticks per frame: enough for windows of some ticks each.
_TICKS, _TICKS_DEEP, _DEEP = 16, 32, 4
# In sixteenths of a frame: the first window opens, the last one closes, the longest that is of use.
_OPENS, _CLOSES, _LONGEST = 6, 15, 5


@dataclass(frozen=True)
class Timing:
    """Timing of a run of ``frames`` frames of ``frame_s`` seconds."""

    frame_s: float
    edge_s: float
    frames: int
    layers: int

    @property
    def stop_s(self) -> float:
        return self.frames * self.frame_s

    @property
    def ticks(self) -> int:
        """Ticks of the strobe clock in a frame."""
        return _TICKS if self.layers < _DEEP else _TICKS_DEEP

    def sample_times_s(self) -> list[float]:
        """The instant of each frame at which values are compared with the twin."""
        return [(frame + SAMPLE) * self.frame_s for frame in range(self.frames)]

    def window_ticks(self, layer: int) -> tuple[int, int]:
        """Ticks of the frame at which the strobe of a layer rises and falls."""
        scale = self.ticks // _TICKS
        first, last = _OPENS * scale, _CLOSES * scale
        # Halves go to the earlier window, whose candidates are the first to settle.
        opens, closes = (
            first + int((last - first) * k / self.layers + 0.5) for k in (layer, layer + 1)
        )
        return max(opens, closes - _LONGEST * scale), closes

    def window(self, layer: int) -> tuple[float, float]:
        """Fractions of the frame between which the strobe of a layer is high."""
        opens, closes = self.window_ticks(layer)
        return opens / self.ticks, closes / self.ticks


@dataclass(frozen=True)
class Pulse:
    """One strobe line in every frame: it leaves its rest level and returns; seconds from the
    beginning of the frame at which its two edges begin and end."""

    leaves_s: float
    away_s: float
    returns_s: float
    back_s: float


# Per layer the strobe, which rests low, and its complement, which rests high.
StrobeEdges = Sequence[tuple[Pulse, Pulse]]


def ideal_edges(timing: Timing) -> StrobeEdges:
    """Strobes that change in ``edge_s``, a pair in step."""
    pulses = []
    for layer in range(timing.layers):
        opens, closes = (fraction * timing.frame_s for fraction in timing.window(layer))
        pulse = Pulse(opens, opens + timing.edge_s, closes, closes + timing.edge_s)
        pulses.append((pulse, pulse))
    return tuple(pulses)
