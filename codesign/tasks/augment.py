"""Copies of training clips as other rooms, other distances and other speakers would give them.

Each copy is drawn from a generator the caller seeds, so the same flow sees the same sound on
every machine.
"""

from dataclasses import dataclass

import numpy as np

from codesign.tasks.audio import Pad, Samples, fit_length


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the uniform draws that make a copy.

    Mild on purpose: networks of a few units do not overfit some hundred clips, they struggle to
    fit them, and harder copies take capacity from the clips that count.
    """

    shift_s: float = 0.1  # moved earlier or later by up to this
    speed: float = 0.05  # played faster or slower by up to this part, pitch included
    gain_db: float = 4.0  # louder or softer by up to this
    noise_db: tuple[float, float] = (-75.0, -45.0)  # rms of the noise mixed in, full scale = 0
    noise_share: float = 0.5  # part of the copies that get noise


def augment_clip(
    clip: Samples,
    noise: tuple[Samples, ...],
    sample_rate_hz: int,
    rng: np.random.Generator,
    ranges: Augmentation | None = None,
    pad: Pad = "end",
) -> Samples:
    """One altered copy of a clip [n] -> [n], inside [-1, 1].

    ``noise`` holds recordings of any length >= 1; with none, the copy gets no noise. A clip padded
    in front ends with its word, so that its copies move to earlier only.
    """
    ranges = ranges or Augmentation()
    reach = round(ranges.shift_s * sample_rate_hz)
    speed = 1.0 + rng.uniform(-ranges.speed, ranges.speed)
    by = int(rng.integers(-reach, reach + 1 if pad == "end" else 1))
    copy = _resampled(clip, speed)
    if pad == "end":
        copy = _shifted(copy, by, len(clip))
    else:
        copy = fit_length(np.pad(copy, (0, -by)), len(clip), "front")
    copy = copy * np.float32(10.0 ** (rng.uniform(-ranges.gain_db, ranges.gain_db) / 20.0))
    if noise and rng.random() < ranges.noise_share:
        cut = cut_noise(noise[int(rng.integers(len(noise)))], len(clip), rng)
        copy = copy + at_level(cut, rng.uniform(*ranges.noise_db))
    return np.clip(copy, -1.0, 1.0)


def cut_noise(recording: Samples, length: int, rng: np.random.Generator) -> Samples:
    """A stretch of ``length`` samples from a random place of a recording, padded if shorter."""
    start = int(rng.integers(max(1, len(recording) - length + 1)))
    return fit_length(recording[start : start + length], length)


def at_level(samples: Samples, level_db: float) -> Samples:
    """The same sound at an rms level in dB of full scale; digital silence stays silent."""
    rms = float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))
    return samples if rms == 0.0 else samples * np.float32(10.0 ** (level_db / 20.0) / rms)


def _resampled(clip: Samples, speed: float) -> Samples:
    """The clip played ``speed`` times as fast (linear interpolation)."""
    positions = np.arange(0.0, len(clip) - 1, speed)
    resampled: Samples = np.interp(positions, np.arange(len(clip)), clip).astype(np.float32)
    return resampled


def _shifted(clip: Samples, by: int, length: int) -> Samples:
    """The clip ``by`` samples later (negative: earlier), padded and cut to ``length``."""
    moved = np.pad(clip, (by, 0)) if by > 0 else clip[-by:]
    return fit_length(moved, length)
