"""From a sound file to frames of mel-frequency cepstral coefficients (MFCC).

Every step looks only at sound already heard, as a front end on a chip must: frame k ends at
sample k * hop, and the logarithm has an absolute floor instead of one relative to the loudest
frame of the clip. The floor also hides digital silence: zero padding looks like a quiet room.

Equations: Hann window; power spectrum; triangular filters equally spaced on the mel scale
m = 2595 log10(1 + f / 700 Hz) (O'Shaughnessy, 1987); decibels; DCT-II (Davis and Mermelstein,
1980).
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import scipy.fft
import scipy.sparse
import soundfile
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from codesign.errors import InputError

Samples = NDArray[np.float32]
Pad = Literal["end", "front"]

_BATCH = 64  # clips transformed together: bounds memory to some tens of megabytes


@dataclass(frozen=True)
class FeatureSettings:
    """How sound becomes coefficients; lengths in samples, levels in dB of full scale.

    pad: where a short clip gets its silence, and a long one is cut: at the "end" or in "front".
    level_db: what the loud parts of every clip are brought to; 0 leaves clips as recorded.
    """

    sample_rate_hz: int = 16000
    clip_samples: int = 16000
    n_fft: int = 512
    hop_samples: int = 160
    n_mels: int = 40
    n_mfcc: int = 13
    low_hz: float = 20.0
    floor_db: float = -75.0
    pad: Pad = "end"
    level_db: float = 0.0

    @property
    def frames(self) -> int:
        """Frames per clip, the first of which ends where the clip begins."""
        return self.clip_samples // self.hop_samples + 1


@dataclass(frozen=True)
class Normalisation:
    """Coefficient -> input current, per coefficient: ``low`` is ``floor_units``, ``high`` 1 unit.

    The floor keeps a line from running empty: one that does takes milliseconds to come back.
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    max_units: float
    floor_units: float

    def units(self, coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
        """Input currents in units [..., frames, n_mfcc], inside [floor_units, max_units]."""
        scaled = (coefficients - self.low) / (self.high - self.low)
        units = self.floor_units + (1 - self.floor_units) * scaled
        return np.clip(units, self.floor_units, self.max_units).astype(np.float32)

    def as_notes(self) -> dict[str, Any]:
        """JSON-able form, read back by ``from_notes``."""
        return {
            "low": [float(value) for value in self.low],
            "high": [float(value) for value in self.high],
            "max_units": self.max_units,
            "floor_units": self.floor_units,
        }

    @staticmethod
    def from_notes(notes: dict[str, Any]) -> "Normalisation":
        """The normalisation a training run wrote down."""
        return Normalisation(
            np.asarray(notes["low"], np.float32),
            np.asarray(notes["high"], np.float32),
            float(notes["max_units"]),
            float(notes["floor_units"]),
        )


def fit_normalisation(
    coefficients: NDArray[np.float32],
    max_units: float,
    floor_units: float,
    percentile: float = 1.0,
) -> Normalisation:
    """Percentiles of training coefficients [clips, frames, n_mfcc], per coefficient."""
    flat = coefficients.reshape(-1, coefficients.shape[-1])
    low, high = np.percentile(flat, [percentile, 100.0 - percentile], axis=0).astype(np.float32)
    # A coefficient that never moves would divide by zero; it then carries nothing but the floor.
    return Normalisation(low, np.maximum(high, low + 1e-3), max_units, floor_units)


def mel_filters(
    sample_rate_hz: int, n_fft: int, n_mels: int, low_hz: float = 20.0
) -> NDArray[np.float32]:
    """Triangular filters [n_mels, n_fft // 2 + 1] from ``low_hz`` to half the sample rate.

    Each sums to 1. A filter narrower than the spacing of bins takes its nearest bin, so that no
    band is empty.
    """
    top = 2595.0 * np.log10(1.0 + sample_rate_hz / 2 / 700.0)
    bottom = 2595.0 * np.log10(1.0 + low_hz / 700.0)
    edges = 700.0 * (10.0 ** (np.linspace(bottom, top, n_mels + 2) / 2595.0) - 1.0)
    bins = np.arange(n_fft // 2 + 1) * (sample_rate_hz / n_fft)
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising = (bins - left) / (centre - left)
    falling = (right - bins) / (right - centre)
    weights = np.maximum(0.0, np.minimum(rising, falling))
    empty = weights.sum(axis=1) < 0.1
    nearest = np.abs(bins - centre).argmin(axis=1)
    weights[empty] = 0.0
    weights[empty, nearest[empty]] = 1.0
    filters: NDArray[np.float32] = weights / weights.sum(axis=1, keepdims=True)
    return filters.astype(np.float32)


def mfcc(clips: Samples, settings: FeatureSettings) -> NDArray[np.float32]:
    """Coefficients [N, frames, n_mfcc] of clips [N, clip_samples], amplitudes inside [-1, 1]."""
    window = np.hanning(settings.n_fft + 1)[:-1].astype(np.float32)  # periodic Hann
    window /= np.sqrt(np.sum(window**2))  # white noise of variance v has power v in every bin
    floor = np.float32(10.0 ** (settings.floor_db / 10.0))
    # Sparse: a bin feeds two bands at most, and threaded matrix products crawl on busy machines.
    filters = scipy.sparse.csr_array(
        mel_filters(settings.sample_rate_hz, settings.n_fft, settings.n_mels, settings.low_hz)
    )
    out = np.empty((len(clips), settings.frames, settings.n_mfcc), np.float32)
    for start in range(0, len(clips), _BATCH):
        batch = np.pad(clips[start : start + _BATCH], ((0, 0), (settings.n_fft, 0)))
        frames = sliding_window_view(batch, settings.n_fft, axis=1)[:, :: settings.hop_samples]
        spectrum = scipy.fft.rfft(frames[:, : settings.frames] * window, axis=-1)
        power = spectrum.real**2 + spectrum.imag**2
        bands = (filters @ power.reshape(-1, power.shape[-1]).T).T
        level_db = 10.0 * np.log10(bands.reshape(*power.shape[:2], -1) + floor)
        cepstrum = scipy.fft.dct(level_db, type=2, norm="ortho", axis=-1)
        out[start : start + _BATCH] = cepstrum[..., : settings.n_mfcc]
    return out


def fit_length(samples: Samples, length: int, pad: Pad = "end") -> Samples:
    """Pad with digital silence, or cut, to ``length`` samples, at the end or in front."""
    missing = length - len(samples)
    if missing <= 0:
        return samples[:length] if pad == "end" else samples[-missing:]
    return np.pad(samples, (0, missing) if pad == "end" else (missing, 0))


def prepared(samples: Samples, settings: FeatureSettings) -> Samples:
    """A clip of any length at the settings' level and length [clip_samples]."""
    if settings.level_db < 0.0:
        loud_db = loud_level_db(samples, settings.sample_rate_hz)
        if np.isfinite(loud_db):
            gain = np.float32(10.0 ** ((settings.level_db - loud_db) / 20.0))
            samples = np.clip(samples * gain, -1.0, 1.0)
    return fit_length(samples, settings.clip_samples, settings.pad)


def loud_level_db(samples: Samples, sample_rate_hz: int) -> float:
    """The rms in dB of full scale that a tenth of the clip's 20 ms stretches reaches.

    Silence around a word does not count, nor does one click. Minus infinity for digital silence.
    """
    size = min(len(samples), max(1, round(0.02 * sample_rate_hz)))
    whole = samples[: len(samples) // size * size].astype(np.float64).reshape(-1, size)
    power = float(np.quantile((whole**2).mean(axis=1), 0.9))
    return 10.0 * float(np.log10(power)) if power > 0.0 else -np.inf


def read_clip(path: Path, sample_rate_hz: int) -> Samples:
    """All samples of a mono sound file [n], amplitudes inside [-1, 1], n >= 1.

    Raises InputError for a file that is missing, not sound, truncated, empty, stereo, at another
    sample rate, or holding values that are not numbers.
    """
    try:
        with soundfile.SoundFile(path) as file:
            if file.channels != 1:
                raise InputError(
                    f"{path} has {file.channels} channels, but one microphone is expected; "
                    f"convert it to mono, for example: sox {path.name} mono.wav remix 1"
                )
            if file.samplerate != sample_rate_hz:
                raise InputError(
                    f"{path} is sampled at {file.samplerate} Hz, but task.sample_rate_hz is "
                    f"{sample_rate_hz}; resample the folder, for example: sox {path.name} "
                    f"-r {sample_rate_hz} resampled.wav, or change task.sample_rate_hz."
                )
            declared = _declared_frames(path, file)
            samples: Samples = file.read(dtype="float32")
    except soundfile.LibsndfileError as error:
        if not path.is_file():
            raise InputError(f"There is no sound file {path}.") from error
        if path.stat().st_size == 0:
            raise InputError(f"{path} is an empty file; remove it or record it again.") from error
        raise InputError(
            f"{path} cannot be read as sound ({error.error_string.rstrip('. ')}); it may be "
            "truncated or damaged: copy it again or remove it."
        ) from error
    if len(samples) < declared:
        raise InputError(
            f"{path} is truncated: its header announces {declared} samples and it holds "
            f"{len(samples)}; copy it again or remove it."
        )
    if len(samples) == 0:
        raise InputError(f"{path} has zero length; remove it or record it again.")
    if not np.isfinite(samples).all():
        raise InputError(f"{path} holds samples that are not finite numbers; export it again.")
    return samples


def _declared_frames(path: Path, file: soundfile.SoundFile) -> int:
    """Samples the header announces: libsndfile trims those of a truncated wav file silently."""
    if file.format not in ("WAV", "WAVEX"):
        return int(file.frames)
    with path.open("rb") as raw:
        raw.seek(12)
        block_align = 0
        while len(head := raw.read(8)) == 8:
            kind, size = struct.unpack("<4sI", head)
            if kind == b"data":
                return size // block_align if block_align else int(file.frames)
            body = raw.read(size + size % 2)
            if kind == b"fmt " and len(body) >= 14:
                block_align = struct.unpack_from("<H", body, 12)[0]
    return int(file.frames)
