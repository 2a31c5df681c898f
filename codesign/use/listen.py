"""Sound files as inputs of a trained run: the window the network hears, or several of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from codesign.errors import InputError
from codesign.tasks.audio import Samples, read_clip
from codesign.tasks.base import Split
from codesign.tasks.labelled import hears
from codesign.tasks.speech_commands import clip_inputs

_MOST_WINDOWS = 10_000


@dataclass(frozen=True)
class Window:
    """One stretch of a sound file, as long as the network hears: samples [n] from ``start_s``.

    ``length_s`` is the whole file's, ``name`` says the file and, of several windows, where this
    one begins. frame_s is the frame period of the features.
    """

    path: Path
    name: str
    samples: Samples
    start_s: float
    length_s: float
    rate_hz: int
    frame_s: float

    @property
    def window_s(self) -> float:
        return len(self.samples) / self.rate_hz


def listen(
    paths: Sequence[Path], notes: dict[str, Any], every_s: float | None = None
) -> tuple[list[Window], Split]:
    """The windows of some sound files, and their input currents [N, frames, channels] in units.

    A file shorter than the window is padded with digital silence, of a longer one the beginning is
    heard; with ``every_s`` a window begins every so many seconds, as long as it fits. The labels of
    the split are all 0: none is known. Raises InputError for a run that takes no sound and for a
    file that cannot be used (``read_clip``).
    """
    if not hears(notes):
        raise InputError(
            "This run takes no sound, so there is nothing it could hear in a file; its own test "
            "clips are scored by 'codesign evaluate'."
        )
    features = notes["features"]
    rate_hz, length = int(features["sample_rate_hz"]), int(features["clip_samples"])
    windows = []
    for path in paths:
        samples = read_clip(path, rate_hz)
        for start in _starts(len(samples), length, every_s, rate_hz, path):
            part = samples[start : start + length]
            name = str(path) if every_s is None else f"{path}@{start / rate_hz:.2f}s"
            windows.append(
                Window(
                    path, name, np.pad(part, (0, length - len(part))), start / rate_hz,
                    len(samples) / rate_hz, rate_hz, int(features["hop_samples"]) / rate_hz,
                )
            )  # fmt: skip
    inputs = np.stack([clip_inputs(window.samples, notes) for window in windows])
    ids = tuple(window.name for window in windows)
    return windows, Split(torch.from_numpy(inputs), torch.zeros(len(ids), dtype=torch.int64), ids)


def _starts(count: int, length: int, every_s: float | None, rate_hz: int, path: Path) -> list[int]:
    if every_s is None or count <= length:
        return [0]
    more = int((count - length) / (every_s * rate_hz))
    starts = [round(k * every_s * rate_hz) for k in range(more + 1)]
    if len(starts) > _MOST_WINDOWS:
        raise InputError(
            f"{path} would be heard in {len(starts)} windows; give a larger --every than "
            f"{every_s:g} s."
        )
    return starts
