"""Words nobody recorded: a Speech Commands folder spoken by a synthesiser.

A timbre is a speaker. Whole timbres belong to one split, so that the test hears voices that
training did not; accent, rate, pitch, level, place in the clip and the room's noise vary from take
to take.
Synthetic voices are cleaner and more alike than people: a network that knows them all has still to
be tried on recordings.
"""

import csv
import io
import multiprocessing
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile
from numpy.typing import NDArray

from codesign.errors import EnvironmentMissing, InputError
from codesign.espeak import ACCENTS, TIMBRES, Utterance, require_voices, say_all
from codesign.files import unwritable, write_json, write_text
from codesign.tasks.audio import Samples
from codesign.tasks.speech_folder import NOISE, SplitName

OnProgress = Callable[[int, int], None]
"""(clips done, clips in all)."""

_CLIP_S = 1.0  # shorter words are placed in so much; longer ones keep their length
_SHARES: tuple[tuple[SplitName, float], ...] = (("test", 0.2), ("val", 0.2))
_RATES_WPM, _PITCHES = (120, 200), (30, 70)
_PEAK_DB, _ROOM_DB = (-18.0, -3.0), (-75.0, -55.0)  # full scale = 0; the room's rms
_QUIET = 0.01  # of the peak: what is below it around a word is not part of it
_NOISE_S = 20.0


@dataclass(frozen=True)
class Take:
    """One clip: what is said, and how it lies in its clip (place: 0 at its start, 1 at its end)."""

    file: str
    word: str
    split: SplitName
    spoken: Utterance
    peak_db: float
    room_db: float
    place: float


@dataclass(frozen=True)
class Synthesised:
    """What was made: clips per split, and the length of the longest word in seconds."""

    folder: Path
    clips: dict[str, int]
    longest_s: float


def plan_takes(words: Sequence[str], voices: int, takes: int, seed: int) -> list[Take]:
    """Every clip to make, in the order of their making; a pure function of its arguments.

    Raises InputError for words that cannot be folders and for voices that are too few or many.
    """
    _check_words(words)
    if not 3 <= voices <= len(TIMBRES):
        raise InputError(
            f"--voices {voices}: choose 3 (one per split) to {len(TIMBRES)} (all there are)."
        )
    order = np.random.default_rng([seed, 0]).permutation(len(TIMBRES))[:voices]
    splits = _splits(voices)
    planned = []
    for number, (timbre, split) in enumerate(zip(order, splits, strict=True)):
        for index, word in enumerate(words):
            for take in range(takes):
                # A stream per clip: more words or takes leave the others alone.
                rng = np.random.default_rng([seed, 1, number, index, take])
                name = TIMBRES[timbre]
                spoken = Utterance(
                    word,
                    name,
                    ACCENTS[int(rng.integers(len(ACCENTS)))],
                    int(rng.integers(_RATES_WPM[0], _RATES_WPM[1] + 1)),
                    int(rng.integers(_PITCHES[0], _PITCHES[1] + 1)),
                )
                levels = float(rng.uniform(*_PEAK_DB)), float(rng.uniform(*_ROOM_DB))
                file = f"{word}/{name}_nohash_{take}.wav"
                planned.append(Take(file, word, split, spoken, *levels, float(rng.random())))
    return planned


def synthesise(
    words: Sequence[str],
    out: Path,
    voices: int = 40,
    takes: int = 4,
    sample_rate_hz: int = 16000,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> Synthesised:
    """Write the folder ``out``, whole or not at all: clips, noise, manifest.csv, synthesis.json.

    Raises EnvironmentMissing without the synthesiser, and InputError for an ``out`` that is there
    already, for words or voices that cannot be (see ``plan_takes``), and for a word of which a
    voice makes no sound.
    """
    planned = plan_takes(words, voices, takes, seed)
    version = require_voices()
    if out.exists():
        raise InputError(f"{out} is there already; name a new folder with --out or remove it.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise unwritable(out, error) from error
    try:
        longest_s = _write_clips(planned, partial, sample_rate_hz, seed, on_progress)
        _write_noise(partial / NOISE, sample_rate_hz, seed)
        _write_tables(planned, partial, {"espeakng-loader": version, "seed": seed, "takes": takes})
        partial.chmod(0o755)
        partial.rename(out)
    except OSError as error:
        raise unwritable(out, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    splits = [take.split for take in planned]
    return Synthesised(out, {name: splits.count(name) for name in dict.fromkeys(splits)}, longest_s)


def _check_words(words: Sequence[str]) -> None:
    for word in words:
        # These become folders: nothing may lead out of the data folder or hide in it.
        hidden = word[:1] in ("", ".", "_") or set(word) & set("/\\")
        if hidden or not word.strip() or not word.isprintable():
            raise InputError(
                f"{word!a} cannot be a word: it becomes the name of a folder; use letters."
            )
    if len(set(words)) != len(words):
        raise InputError("A word is given twice; give each word once.")


def _splits(voices: int) -> list[SplitName]:
    """A split per voice; each has one at least."""
    splits: list[SplitName] = []
    for name, share in _SHARES:
        splits += [name] * max(1, round(share * voices))
    return splits + ["train"] * (voices - len(splits))


def _write_clips(
    planned: list[Take], folder: Path, rate_hz: int, seed: int, on_progress: OnProgress | None
) -> float:
    """Speak and write every clip; the longest word in seconds."""
    longest = 0
    speakers = list(dict.fromkeys(take.spoken.timbre for take in planned))
    # A process of its own: the synthesiser remembers what it said before, and may crash.
    context = multiprocessing.get_context("spawn")
    done = 0
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        for speaker in speakers:
            here = [take for take in planned if take.spoken.timbre == speaker]
            try:
                spoken_hz, sounds = pool.submit(say_all, [take.spoken for take in here]).result()
            except BrokenProcessPool as error:
                raise EnvironmentMissing(
                    f"The synthesiser crashed at the voice {speaker}; upgrade it: pip install "
                    "--upgrade 'codesign[voices]'"
                ) from error
            for take, sound in zip(here, sounds, strict=True):
                word = trimmed(sound.astype(np.float32) / np.float32(32768.0))
                if not len(word):
                    raise InputError(
                        f"The voices make no sound of '{take.word}'; spell it otherwise."
                    )
                word = _resampled(word, spoken_hz, rate_hz)
                longest = max(longest, len(word))
                rng = np.random.default_rng([seed, 2, done])
                _write(folder / take.file, placed(word, take, rate_hz, rng), rate_hz)
                done += 1
                if on_progress:
                    on_progress(done, len(planned))
    return longest / rate_hz


def trimmed(samples: Samples) -> Samples:
    """The word without the quiet around it [n]; empty when there is no sound at all."""
    loud = np.flatnonzero(np.abs(samples) > _QUIET * np.abs(samples).max(initial=0.0))
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples[:0]


def placed(word: Samples, take: Take, rate_hz: int, rng: np.random.Generator) -> Samples:
    """A clip of a second, or as long as the word, at the take's levels; inside [-1, 1]."""
    length = max(round(_CLIP_S * rate_hz), len(word))
    clip = rng.normal(0.0, 10.0 ** (take.room_db / 20.0), length)
    start = round(take.place * (length - len(word)))
    clip[start : start + len(word)] += word * (10.0 ** (take.peak_db / 20.0) / np.abs(word).max())
    return np.clip(clip, -1.0, 1.0).astype(np.float32)


def _resampled(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    common = int(np.gcd(from_hz, to_hz))
    resampled = scipy.signal.resample_poly(samples, to_hz // common, from_hz // common)
    return np.asarray(resampled, np.float32)


def _write(path: Path, samples: NDArray[np.floating], rate_hz: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = np.round(np.asarray(samples) * 32767).astype(np.int16)
    soundfile.write(path, whole, rate_hz, subtype="PCM_16", format="WAV")


def _write_noise(folder: Path, rate_hz: int, seed: int) -> None:
    """White, pink and brown noise: a folder without them could make no silence."""
    for index, (name, slope) in enumerate((("white", 0.0), ("pink", 0.5), ("brown", 1.0))):
        rng = np.random.default_rng([seed, 3, index])
        spectrum = np.fft.rfft(rng.normal(size=round(_NOISE_S * rate_hz)))
        frequency = np.fft.rfftfreq(round(_NOISE_S * rate_hz), 1 / rate_hz)
        spectrum *= 1.0 / np.maximum(frequency, 20.0) ** slope
        noise = np.fft.irfft(spectrum)
        _write(folder / f"{name}.wav", 0.5 * noise / np.abs(noise).max(), rate_hz)


def _write_tables(planned: list[Take], folder: Path, made_with: dict[str, str | int]) -> None:
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(("file", "word", "speaker", "split"))
    rows.writerows((take.file, take.word, take.spoken.timbre, take.split) for take in planned)
    write_text(folder / "manifest.csv", table.getvalue())
    takes = [asdict(take) for take in planned]
    write_json(folder / "synthesis.json", {"made_with": made_with, "takes": takes})
