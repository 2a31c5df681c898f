"""Sound files and features: known spectra, causality, and one clear message per bad file."""

from pathlib import Path

import numpy as np
import pytest
from scipy.fft import idct

from codesign.errors import InputError
from codesign.tasks.audio import (
    FeatureSettings,
    Normalisation,
    fit_length,
    fit_normalisation,
    mel_filters,
    mfcc,
    read_clip,
)
from codesign.tasks.augment import Augmentation, at_level, augment_clip
from tests.tasks.sounds import RATE, tone, write

ALL = FeatureSettings(n_mfcc=40)  # as many coefficients as bands: the DCT can be undone


def bands_db(clip: np.ndarray, settings: FeatureSettings = ALL) -> np.ndarray:
    """Mel band levels [frames, n_mels], from all the coefficients."""
    return idct(mfcc(clip[None].astype(np.float32), settings)[0], type=2, norm="ortho", axis=-1)


def test_one_second_gives_101_frames_of_13() -> None:
    assert mfcc(np.zeros((2, 16000), np.float32), FeatureSettings()).shape == (2, 101, 13)


def test_matches_a_plain_loop() -> None:
    """The vectorised transform against the definition, frame by frame."""
    settings = FeatureSettings(n_fft=256, hop_samples=100, clip_samples=1000, n_mels=20, n_mfcc=7)
    clip = np.random.default_rng(1).normal(0, 0.1, 1000)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(256) / 256)
    filters = mel_filters(RATE, 256, 20).astype(np.float64)
    padded = np.concatenate([np.zeros(256), clip])
    for k, got in enumerate(mfcc(clip[None].astype(np.float32), settings)[0]):
        frame = padded[k * 100 : k * 100 + 256] * window
        n = np.arange(256)
        spectrum = np.array([np.sum(frame * np.exp(-2j * np.pi * b * n / 256)) for b in range(129)])
        power = np.abs(spectrum) ** 2 / np.sum(window**2)
        level = 10 * np.log10(filters @ power + 10 ** (settings.floor_db / 10))
        angles = np.pi * np.outer(np.arange(7), np.arange(20) + 0.5) / 20
        scale = np.sqrt(np.where(np.arange(7) == 0, 1, 2) / 20)
        np.testing.assert_allclose(got, scale * (np.cos(angles) @ level), rtol=2e-4, atol=2e-3)


def test_white_noise_has_its_variance_in_every_band() -> None:
    clip = np.random.default_rng(0).normal(0, 0.1, 16000)
    np.testing.assert_allclose(bands_db(clip)[10:].mean(axis=0), -20.0, atol=4.0)


def test_a_tone_is_loudest_in_its_own_band() -> None:
    clip = np.sin(2 * np.pi * 1000 * np.arange(16000) / RATE)
    response = mel_filters(RATE, 512, 40)[:, round(1000 / RATE * 512)]
    assert (bands_db(clip)[50:].argmax(axis=1) == response.argmax()).all()


def test_digital_silence_is_the_floor() -> None:
    np.testing.assert_allclose(bands_db(np.zeros(16000)), ALL.floor_db, atol=1e-2)


def test_padding_looks_like_a_quiet_room() -> None:
    """A clip padded with zeros must not be told from one recorded in a quiet room."""
    room = np.random.default_rng(0).normal(0, 2e-5, 16000)
    assert np.abs(bands_db(room) - bands_db(np.zeros(16000))).max() < 1.5


def test_frames_see_no_future() -> None:
    clip = tone(700)[None]
    later = clip.copy()
    later[:, 8000:] += 0.5
    same = mfcc(clip, FeatureSettings()) == mfcc(later, FeatureSettings())
    assert same[0, :51].all()  # frame 50 ends at sample 8000
    assert not same[0, 51].all()


@pytest.mark.parametrize("n_mels", [4, 40, 128])
def test_every_mel_filter_is_a_mean(n_mels: int) -> None:
    filters = mel_filters(RATE, 512, n_mels)
    np.testing.assert_allclose(filters.sum(axis=1), 1.0, rtol=1e-5)
    assert (filters >= 0).all()


def test_normalisation_maps_percentiles_and_clips() -> None:
    values = np.linspace(-50, 50, 101, dtype=np.float32)[None, :, None]
    scale = fit_normalisation(np.concatenate([values, values * 3], axis=2), 1.5, 0.1)
    units = scale.units(np.array([[-60.0, -147.0], [-49.0, 0.0], [49.0, 147.0], [999, 999]], "f4"))
    expected = np.array([[0.1, 0.1], [0.1, 0.55], [1, 1], [1.5, 1.5]])
    np.testing.assert_allclose(units, expected, atol=1e-6)


def test_normalisation_of_a_constant_is_finite_and_survives_json() -> None:
    scale = fit_normalisation(np.full((2, 5, 3), -9.0, np.float32), 1.5, 0.1)
    again = Normalisation.from_notes(scale.as_notes())
    assert (again.units(np.full((1, 3), -9.0, np.float32)) == np.float32(0.1)).all()


def test_wav_and_flac_read_alike(tmp_path: Path) -> None:
    samples = tone(500)
    wav, flac = (read_clip(write(tmp_path / f"a.{s}", samples), RATE) for s in ("wav", "flac"))
    np.testing.assert_array_equal(wav, flac)
    np.testing.assert_allclose(wav, samples, atol=0.51 / 32768)


def test_lengths_are_padded_and_cut_at_the_end() -> None:
    np.testing.assert_array_equal(fit_length(np.ones(2, "f4"), 3), [1, 1, 0])
    np.testing.assert_array_equal(fit_length(np.arange(4, dtype="f4"), 3), [0, 1, 2])


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_clip(path, RATE)
    message = str(caught.value)
    assert path.name in message
    assert "\n" not in message
    return message


def test_a_stereo_clip_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "two.wav", np.zeros((800, 2)))
    assert "2 channels" in refusal(path)


def test_an_8_khz_clip_is_refused_with_the_way_out(tmp_path: Path) -> None:
    message = refusal(write(tmp_path / "slow.wav", np.zeros(800), rate=8000))
    assert "8000 Hz" in message
    assert "task.sample_rate_hz is 16000" in message
    assert "resample" in message


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_truncated_clip_is_refused(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"cut.{suffix}", tone(500))
    path.write_bytes(path.read_bytes()[:6001])
    assert "truncated" in refusal(path)


def test_a_wav_cut_inside_its_header_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "cut.wav", tone(500))
    path.write_bytes(path.read_bytes()[:30])
    assert "cannot be read as sound" in refusal(path)


def test_a_wav_with_other_chunks_before_its_sound_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "tagged.wav", tone(500))
    raw = path.read_bytes()
    extra = b"LIST" + (5).to_bytes(4, "little") + b"INFO?\0"  # odd size: padded to even
    path.write_bytes(raw[:36] + extra + raw[36:])
    assert len(read_clip(path, RATE)) == RATE


def test_a_text_file_called_wav_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter.wav"
    path.write_text("not sound")
    assert "cannot be read as sound" in refusal(path)


def test_a_clip_of_zero_length_is_refused(tmp_path: Path) -> None:
    assert "zero length" in refusal(write(tmp_path / "none.wav", np.zeros(0)))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "void.wav"
    path.touch()
    assert "empty file" in refusal(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "no sound file" in refusal(tmp_path / "gone.wav")


def test_samples_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    import soundfile

    path = tmp_path / "nan.wav"
    soundfile.write(path, np.array([0.0, np.nan]), RATE, subtype="FLOAT")
    assert "not finite" in refusal(path)


def test_augmentation_is_repeatable_and_bounded() -> None:
    clip, noise = tone(500, level=0.9), (np.random.default_rng(3).normal(0, 1, 500).astype("f4"),)
    once = augment_clip(clip, noise, RATE, np.random.default_rng(5))
    again = augment_clip(clip, noise, RATE, np.random.default_rng(5))
    other = augment_clip(clip, noise, RATE, np.random.default_rng(6))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, other)
    assert once.shape == clip.shape
    assert once.dtype == np.float32
    assert np.abs(once).max() <= 1


def test_augmentation_shifts_by_at_most_its_range() -> None:
    clip = np.zeros(16000, np.float32)
    clip[8000] = 0.5
    only_shift = Augmentation(shift_s=0.1, speed=0.0, gain_db=0.0, noise_share=0.0)
    places = [
        int(augment_clip(clip, (), RATE, np.random.default_rng(n), only_shift).argmax())
        for n in range(50)
    ]
    assert 6400 <= min(places) < 7500
    assert 8500 < max(places) <= 9600


def test_noise_is_mixed_at_its_level() -> None:
    ranges = Augmentation(speed=0.0, gain_db=0.0, noise_db=(-30.0, -30.0), noise_share=1.0)
    noise = (np.random.default_rng(0).normal(0, 0.3, 40000).astype("f4"),)
    copy = augment_clip(np.zeros(16000, "f4"), noise, RATE, np.random.default_rng(0), ranges)
    assert 20 * np.log10(np.sqrt(np.mean(copy**2))) == pytest.approx(-30.0, abs=0.1)
    assert not at_level(np.zeros(5, "f4"), -30.0).any()
