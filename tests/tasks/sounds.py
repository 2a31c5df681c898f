"""Small generated sound folders for the tests of the speech task."""

import csv
from pathlib import Path

import numpy as np
import soundfile

RATE = 16000
_PITCH = {"yes": 440.0, "no": 880.0, "up": 1500.0}


def tone(hertz: float, seconds: float = 1.0, seed: int = 0, level: float = 0.2) -> np.ndarray:
    """A tone in the middle of a quiet room [n]."""
    t = np.arange(round(seconds * RATE)) / RATE
    room = np.random.default_rng(seed).normal(0, 1e-3, len(t))
    bump = np.exp(-(((t - seconds / 2) / 0.1) ** 2))
    return (level * bump * np.sin(2 * np.pi * hertz * t) + room).astype(np.float32)


def write(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    """A 16-bit file, wav or flac by its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Integers: the encoders round floats differently.
    whole = np.round(np.asarray(samples) * 32768).clip(-32768, 32767).astype(np.int16)
    soundfile.write(path, whole, rate, subtype="PCM_16")
    return path


def folder(root: Path, words: tuple[str, ...] = ("yes", "no", "up"), each: int = 3) -> Path:
    """A folder with a manifest: ``each`` clips of every word in every split, and noise."""
    rows = []
    for split_index, split in enumerate(("train", "val", "test")):
        for word in words:
            for n in range(each):
                seed = 100 * split_index + n
                name = f"{word}/{split}{n}_nohash_0.{'wav' if n % 2 else 'flac'}"
                write(root / name, tone(_PITCH[word] * (1 + 0.02 * n), seed=seed))
                rows.append((name, word, f"{split}{n}", split))
    noise = np.random.default_rng(7).normal(0, 0.05, 5 * RATE)
    write(root / "_background_noise_" / "fan.wav", noise)
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file", "word", "speaker", "split"), *rows])
    return root
