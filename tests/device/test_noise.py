"""Noise densities of the models, and the transients that carry them, in real ngspice."""

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from codesign.device.bench import ProcessPoint
from codesign.device.noise import (
    CHARGE_C,
    Geometry,
    NoiseDensity,
    measure_noise,
)
from codesign.device.noise_source import noise_samples, sampled_line, trnoise_line
from codesign.errors import EnvironmentMissing
from codesign.flows import HardwareSection
from codesign.pdk import find_pdk
from codesign.spice.ngspice import find_ngspice, ngspice_version, run_text
from codesign.spice.rawfile import Plot

UNIT_N, UNIT_P = Geometry("nmos", 1.2e-6, 1e-5), Geometry("pmos", 1.2e-6, 1e-5)
STEP_S = 1e-3
WHITE, FLICKER = 4e-28, 1e-26
Array = NDArray[np.float64]


def _point(**hardware: object) -> ProcessPoint:
    ngspice = find_ngspice()
    section = HardwareSection.model_validate(hardware)
    return ProcessPoint(find_pdk(section.pdk), section, ngspice, ngspice_version(ngspice))


def _transient(deck: str) -> Plot:
    outcome = run_text(find_ngspice(), f"* noise\n{deck}.end\n")
    assert outcome.status == "ok", outcome.log
    return outcome.plots[0]


def _probe(line: str, stop_s: float) -> Plot:
    """The source's current as the voltage over 1 ohm."""
    return _transient(
        f"{line}rprobe 0 probe 1\n.options abstol=1e-20 vntol=1e-20\n.save v(probe)\n"
        f".control\ntran {STEP_S} {stop_s} 0 {STEP_S}\nwrite out.raw\n.endc\n"
    )


def _psd(samples: Array, step_s: float, pieces: int) -> tuple[Array, Array]:
    """One-sided density by Welch's method: Hann windows, half overlapping."""
    length = len(samples) // pieces
    window = np.hanning(length)
    starts = range(0, len(samples) - length + 1, length // 2)
    parts = np.stack([samples[k : k + length] for k in starts])
    parts = (parts - parts.mean(axis=1, keepdims=True)) * window
    power = np.mean(np.abs(np.fft.rfft(parts, axis=1)) ** 2, axis=0)
    density = 2 * step_s * power / (window**2).sum()
    return np.fft.rfftfreq(length, step_s).astype(np.float64), density.astype(np.float64)


def _spectrum(plot: Plot, stop_s: float) -> tuple[Array, Array]:
    """Density of v(probe) with the filter of the straight lines between samples taken out."""
    time = np.arange(0, stop_s, STEP_S / 4)
    values = np.interp(time, plot.scale, plot["v(probe)"].real)
    frequency, density = _psd(values, STEP_S / 4, 16)
    keep = (frequency > 2) & (frequency < 0.4 / STEP_S)
    return frequency[keep], density[keep] / np.sinc(frequency[keep] * STEP_S) ** 4


def test_densities_of_parallel_devices_add() -> None:
    one = NoiseDensity("nmos", 1.2e-6, 1e-5, 1.9, 1.7e-8, 8e-9, 2.0, 0.95, 0.01)
    for m in (2, 8, 30):
        for frequency in (0.3, 10.0, 3e3):
            together = one.density_a2_per_hz(frequency, m * 3e-10, m)
            assert together == pytest.approx(m * one.density_a2_per_hz(frequency, 3e-10))
    assert one.density_a2_per_hz(1.0, 0.0) == 0


@pytest.mark.ngspice
@pytest.mark.parametrize("pdk", ["gf180mcu", "generic180"])
def test_white_noise_is_the_models_level(
    pdk: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Close to twice shot noise in weak inversion, and flicker that goes as the current squared."""
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path))
    for found in measure_noise(_point(pdk=pdk), [UNIT_N, UNIT_P]):
        assert found.error < 0.04
        assert found.exponent == pytest.approx(2, abs=0.03)
        assert found.slope == pytest.approx(1, abs=0.15)
        for current in (1e-11, 1e-10):
            shot = 2 * CHARGE_C * current
            assert found.white_a2_per_hz(current) / shot == pytest.approx(1.9, rel=0.15)


@pytest.mark.ngspice
def test_noise_is_remembered_per_geometry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path))
    point = _point(pdk="generic180")
    both = measure_noise(point, [UNIT_N, UNIT_P])
    (stored,) = tmp_path.rglob("noise/*.json")
    written = stored.stat().st_mtime_ns
    assert measure_noise(point, [UNIT_N, UNIT_P]) == both
    assert stored.stat().st_mtime_ns == written
    (alone,) = measure_noise(point, [UNIT_P])
    assert alone.white_factor == pytest.approx(both[1].white_factor, rel=1e-6)
    assert len(list(tmp_path.rglob("noise/*.json"))) == 2


@pytest.mark.ngspice
def test_a_model_without_flicker_noise_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path))
    point = _point(pdk="generic180")
    text = point.pdk.library.read_text(encoding="utf-8")
    quiet = tmp_path / "quiet.lib"
    quiet.write_text(
        text.replace("noia=6e41 noib=3e25 noic=9e9", "noia=0 noib=0 noic=0")
        .replace("generic180.lib", "quiet.lib"),
        encoding="utf-8",
    )  # fmt: skip
    without = replace(point, pdk=replace(point.pdk, spice_library=quiet, sha256="quiet"))
    n, p = measure_noise(without, [UNIT_N, UNIT_P])
    assert n.flicker == 0
    assert n.density_a2_per_hz(0.1, 1e-9) == n.white_a2_per_hz(1e-9)
    assert p.flicker > 0


@pytest.mark.ngspice
def test_a_device_that_cannot_carry_the_currents_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path))
    long = Geometry("pmos", 2.2e-7, 4e-3)
    with pytest.raises(EnvironmentMissing, match="does not span"):
        measure_noise(_point(pdk="generic180", supply_v=0.9), [long])


@pytest.mark.ngspice
def test_trnoise_has_the_white_density_asked_for() -> None:
    stop_s = 12.0
    _, density = _spectrum(
        _probe(trnoise_line("in", "0", "probe", WHITE, 0, STEP_S), stop_s), stop_s
    )
    assert density.mean() == pytest.approx(WHITE, rel=0.1)


@pytest.mark.ngspice
@pytest.mark.parametrize("slope", [0.95, 1.12])
def test_trnoise_has_the_flicker_density_asked_for(slope: float) -> None:
    stop_s = 24.0
    line = trnoise_line("in", "0", "probe", 0, FLICKER, STEP_S, slope)
    frequency, density = _spectrum(_probe(line, stop_s), stop_s)
    for low, high in pairwise((2, 20, 80)):
        band = (frequency > low) & (frequency < high)
        ratio = density[band] * frequency[band] ** slope / FLICKER
        assert ratio.mean() == pytest.approx(1, rel=0.25)


def test_drawn_samples_have_the_densities_asked_for_and_repeat() -> None:
    draw = noise_samples(WHITE, FLICKER, STEP_S, 60_000, (7, 3), 1.12)
    assert np.array_equal(draw, noise_samples(WHITE, FLICKER, STEP_S, 60_000, (7, 3), 1.12))
    assert not np.array_equal(draw, noise_samples(WHITE, FLICKER, STEP_S, 60_000, (7, 4), 1.12))
    frequency, density = _psd(draw, STEP_S, 100)
    for low, high in pairwise((4, 20, 60, 150)):
        band = (frequency > low) & (frequency < high)
        expected = WHITE + FLICKER * frequency[band] ** -1.12
        assert (density[band] / expected).mean() == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("slope", [0.0, 2.0])
def test_slopes_that_no_such_noise_has_are_refused(slope: float) -> None:
    with pytest.raises(ValueError, match="slope"):
        trnoise_line("in", "0", "probe", WHITE, FLICKER, STEP_S, slope)


@pytest.mark.ngspice
def test_ngspice_runs_straight_through_the_drawn_samples() -> None:
    samples = noise_samples(WHITE, FLICKER, STEP_S, 301, 1)
    plot = _probe(sampled_line("in", "0", "probe", samples, STEP_S), 0.3)
    time = plot.scale
    expected = np.interp(time, STEP_S * np.arange(301), samples)
    assert plot["v(probe)"].real == pytest.approx(expected, abs=1e-5 * np.abs(samples).max())


@pytest.mark.ngspice
def test_a_noisy_mirror_has_the_rms_of_the_noise_analysis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unit mirror of 8 devices at 1 nA: both devices' noise, in a transient and in ``.noise``."""
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path))
    point = _point()
    (unit,) = measure_noise(point, [UNIT_N])
    step_s, stop_s, m, current_a = 2e-4, 0.5, 8, 1e-9
    size = f"{point.pdk.nmos} w=1.2u l=10u m={m}"
    mirror = (
        f"ib vdd g {current_a}\nmdiode g g 0 0 {size}\nmcopy d g 0 0 {size}\n"
        f"vcopy mid d 0\nvmid mid 0 0.9\n"
    )
    (quiet,) = point.run_dc(
        "mirror noise",
        f"{mirror}hout out 0 vcopy 1e9\nvinput input 0 0 ac 1\n.control\nset sqrnoise\n"
        f"noise v(out) vinput dec 20 {1 / stop_s} {2 / step_s}\nsetplot noise1\nwrite out.raw\n"
        ".endc\n",
    )
    frequency = quiet.scale
    density = quiet["onoise_spectrum"].real / 1e18 * np.sinc(frequency * step_s) ** 4
    expected_a = math.sqrt(np.trapezoid(density, frequency))

    white, flicker = unit.white_a2_per_hz(current_a, m), unit.flicker_a2_per_hz(current_a, m)
    sources = trnoise_line("in1", "g", "0", white, flicker, step_s, unit.slope)
    sources += trnoise_line("in2", "d", "0", white, flicker, step_s, unit.slope)
    (noisy,) = point.run_dc(
        "noisy mirror",
        f".options method=gear reltol=1e-4\n{mirror}{sources}.save i(vcopy)\n.control\n"
        f"tran {step_s} {stop_s} 0 {step_s}\nwrite out.raw\n.endc\n",
    )
    time = np.arange(20 * step_s, stop_s, step_s / 4)
    copied_a = np.interp(time, noisy.scale, noisy["i(vcopy)"].real)
    assert copied_a.std() == pytest.approx(expected_a, rel=0.1)
