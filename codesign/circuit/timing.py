"""When things happen inside a frame: reset, strobes one layer after another, the sample.

Fractions of a frame. The first window opens when the feed-forward layers before it have settled
on the new input; each later layer waits for the one before it. Values are read at ``SAMPLE``,
after the last window and before the next input arrives.
"""

from dataclasses import dataclass

SAMPLE = 0.95
RESET_END = 0.1
_FIRST_OPEN, _LAST_CLOSE, _GAP = 0.20, 0.94, 0.03


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
        length = (_LAST_CLOSE - _FIRST_OPEN - _GAP * (self.layers - 1)) / self.layers
        opens = _FIRST_OPEN + layer * (length + _GAP)
        return opens, opens + length
