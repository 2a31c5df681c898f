"""Sound files as inputs of a trained run: the window the network hears, or several of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from codesign.errors import InputError
from codesign.tasks.audio import FeatureSettings, Samples, prepared, read_clip
from codesign.tasks.base import Split
from codesign.tasks.labelled import hears
from codesign.tasks.speech_commands import clip_inputs

_MOST_WINDOWS = 10_000


@dataclass(frozen=True)
class Window:
    """What the network hears of a sound file: samples [n], padded and at the level of training.

    ``length_s`` is the whole file's; ``name`` says the file and, of several windows, where this one
    begins; ``kept`` which end of a longer file is heard. frame_s is the features' frame period.
    """

    path: Path
    name: str
    samples: Samples
    length_s: float
    kept: str
    rate_hz: int
    frame_s: float

    @property
    def window_s(self) -> float:
        return len(self.samples) / self.rate_hz


def listen(
    paths: Sequence[Path], notes: dict[str, Any], every_s: float | None = None
) -> tuple[list[Window], Split]:
    """The windows of some sound files, and their input currents [N, frames, channels] in units.

    A file is padded or cut to the window as training's clips were; with ``every_s`` a window of a
    longer one begins every so many seconds, as long as it fits. The labels of the split are all 0:
    none is known. Raises InputError for a run that takes no sound and for a file that cannot be
    used (``read_clip``).
    """
    if not hears(notes):
        raise InputError(
            "This run takes no sound, so there is nothing it could hear in a file; its own test "
            "clips are scored by 'codesign evaluate'."
        )
    settings = FeatureSettings(**notes["features"])
    rate_hz = settings.sample_rate_hz
    kept = "beginning" if settings.pad == "end" else "end"
    windows, inputs = [], []
    for path in paths:
        samples = read_clip(path, rate_hz)
        for start in _starts(len(samples), settings.clip_samples, every_s, rate_hz, path):
            part, name = samples, str(path)
            if every_s is not None:
                part = samples[start : start + settings.clip_samples]
                name = f"{path}@{start / rate_hz:.2f}s"
            inputs.append(clip_inputs(part, notes))
            windows.append(
                Window(
                    path, name, prepared(part, settings), len(samples) / rate_hz, kept, rate_hz,
                    settings.hop_samples / rate_hz,
                )
            )  # fmt: skip
    ids = tuple(window.name for window in windows)
    labels = torch.zeros(len(ids), dtype=torch.int64)
    return windows, Split(torch.from_numpy(np.stack(inputs)), labels, ids)


def _starts(count: int, length: int, every_s: float | None, rate_hz: int, path: Path) -> list[int]:
    if every_s is None or count <= length:
        return [0]
    more = int((count - length) / (every_s * rate_hz))
    if more >= _MOST_WINDOWS:
        raise InputError(
            f"{path} would be heard in {more + 1} windows; give a larger --every than "
            f"{every_s:g} s."
        )
    return [round(k * every_s * rate_hz) for k in range(more + 1)]
