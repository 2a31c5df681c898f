"""When things happen inside a frame: reset, strobes one layer after another, the sample.

Fractions of a frame. A window opens late, when the signals it looks at have settled (a cell sets on
whatever it sees), and closes later still (a cell that clears needs time). Each layer waits for the
one before it. Values are read at ``SAMPLE``, after the last window and before the next input.
"""

from dataclasses import dataclass

SAMPLE = 0.95
RESET_END = 0.1
_LAST_CLOSE = 0.94
# The windows end evenly spaced over this part of the frame: what is left at its beginning is for
# the input and the layers before the first cell to settle.
_SPREAD = 0.64
# Part of the spacing a window is open, and the longest that is of use.
_OPEN, _LONGEST = 0.75, 0.26


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

    def sample_times_s(self) -> list[float]:
        """The instant of each frame at which values are compared with the twin."""
        return [(frame + SAMPLE) * self.frame_s for frame in range(self.frames)]

    def window(self, layer: int) -> tuple[float, float]:
        """Fractions of the frame between which the strobe of a layer is high."""
        spacing = _SPREAD / self.layers
        closes = _LAST_CLOSE - (self.layers - 1 - layer) * spacing
        return closes - min(_OPEN * spacing, _LONGEST), closes
