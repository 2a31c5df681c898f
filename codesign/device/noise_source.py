"""Noise sources: densities as ngspice current sources, for transients.

The source goes between drain and source of the device. Its value is a straight line between
samples ``step_s`` apart: its density is that asked for times sinc^4(f step_s), 3 dB down at
0.32/step_s, and its white noise has the rms sqrt(S / (3 step_s)). Two writers give the same
statistics:

- ``trnoise_line``: ngspice draws the samples. **No seed reaches them** (measured, ngspice 39):
  their generator is seeded from the process number; ``.option seed``, ``setseed`` and ``rndseed``
  leave every run different. For spectra and jitter, not for results to repeat.
- ``sampled_line`` with ``noise_samples``: the samples are drawn here from a seed and written as a
  PWL source. Repeatable, and any other engine can be given the same numbers.

``bypass=1`` with reltol=1e-3 distorts small noise: 70 % too much on a line of 100 pA at 50 us a
sample, nothing to see at 0.2 ms; reltol=1e-4 or no bypass cures it.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_PER_LINE = 8


def _amplitudes(
    white_a2_per_hz: float, flicker_a2_per_hz: float, slope: float, step_s: float
) -> tuple[float, float]:
    """Rms (A) of independent samples, and of those that Kasdin's filter turns into f^-slope.

    Samples of variance v, ``step_s`` apart, have the one-sided density 2 v step_s; the filter
    multiplies it by (2 sin(pi f step_s))^-slope, which is (2 pi f step_s)^-slope at low f.
    """
    if not 0 < slope < 2:
        raise ValueError(f"a flicker slope of {slope} is not between 0 and 2")
    white = math.sqrt(white_a2_per_hz / (2 * step_s))
    driving = math.sqrt(flicker_a2_per_hz * (2 * math.pi * step_s) ** slope / (2 * step_s))
    return white, driving


def trnoise_line(
    name: str,
    plus: str,
    minus: str,
    white_density_a2_per_hz: float,
    flicker_density_a2_per_hz: float,
    step_s: float,
    slope: float = 1.0,
) -> str:
    """An ngspice current source with these one-sided densities; every run draws another noise.

    ``flicker_density_a2_per_hz`` is the density at 1 Hz and falls as f^-slope (0 < slope < 2).
    The conversion is ``NA = sqrt(S / (2 NT))`` and
    ``NAMP = sqrt(flicker (2 pi NT)^slope / (2 NT))``, sqrt(pi flicker) for slope 1. Measured in
    ngspice 39, density over request and sinc^4(f NT): white 1.000(5), flicker 0.98 to 1.01(1)
    (slopes 0.95 to 1.12, NT 0.2 and 1 ms). The source is 0 at t = 0, its flicker part then starts
    from 0, and ngspice takes a breakpoint every NT.
    """
    white, driving = _amplitudes(white_density_a2_per_hz, flicker_density_a2_per_hz, slope, step_s)
    alpha = slope if driving > 0 else 0.0
    return (
        f"{name} {plus} {minus} dc 0 trnoise({white:.6g} {step_s:.6g} {alpha:.6g} {driving:.6g})\n"
    )


def noise_samples(
    white_density_a2_per_hz: float,
    flicker_density_a2_per_hz: float,
    step_s: float,
    count: int,
    seed: int | Sequence[int],
    slope: float = 1.0,
) -> NDArray[np.float64]:
    """``count`` samples (A), ``step_s`` apart, with the statistics of ``trnoise_line``.

    The flicker part is stationary over twice the record: its density holds down to about
    1/(count step_s), and it does not start from 0 as ngspice's does.
    """
    draw = np.random.Generator(np.random.PCG64(seed))
    white, driving = _amplitudes(white_density_a2_per_hz, flicker_density_a2_per_hz, slope, step_s)
    samples = white * draw.standard_normal(count)
    if driving > 0:
        length = 2 * count
        k = np.arange(1, length)
        taps = np.concatenate([[1.0], np.cumprod((slope / 2 + k - 1) / k)])
        spectrum = np.fft.rfft(taps) * np.fft.rfft(draw.standard_normal(length))
        spectrum[0] = 0  # a record's mean is an offset, not noise
        samples += driving * np.fft.irfft(spectrum, length)[:count]
    return samples


def sampled_line(
    name: str, plus: str, minus: str, samples_a: NDArray[np.float64], step_s: float
) -> str:
    """A PWL current source through ``samples_a``: the first at t = 0, one every ``step_s``.

    5000 samples cost ngspice 0.2 s, a hundred times a TRNOISE source's share.
    """
    pairs = [f"{k * step_s:.9g} {value:.6g}" for k, value in enumerate(samples_a.tolist())]
    rows = (" ".join(pairs[k : k + _PER_LINE]) for k in range(0, len(pairs), _PER_LINE))
    return f"{name} {plus} {minus} dc 0 pwl(\n+ " + "\n+ ".join(rows) + ")\n"
