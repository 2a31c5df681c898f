"""The error of logits, split into what a comparison of classes survives and what it does not.

Per class the transistors' logits are fitted by a gain and an offset, chip = gain * twin + offset
(least squares); what is left is the residual. A gain common to all classes changes no decision, the
residual does. Fits are from sums, so that samples can be added in any number: over frames whose
states all agree (the logit circuit's own error), and over all frames.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MOMENTS = ("n", "x", "y", "xx", "xy", "yy")


def moments(twin: Floats, chip: Floats, kept: Bools) -> Floats:
    """Sums (classes, 6) of ``MOMENTS`` with x = twin, y = chip (n, frames, classes), units.

    ``kept`` (n, frames): the frames that count.
    """
    x, y = twin[kept], chip[kept]
    sums = [np.ones_like(x), x, y, x * x, x * y, y * y]
    return np.stack([values.sum(axis=0) for values in sums], axis=1)


def fit(sums: Floats, full_scale_units: float) -> list[dict[str, Any]]:
    """One entry per class: count, gain, offset_units, error and residual rms in units and of full
    scale. A class whose twin never moves has gain 1."""
    rows = []
    for n, x, y, xx, xy, yy in sums:
        if not n:
            continue
        spread = xx - x * x / n
        gain = (xy - x * y / n) / spread if spread > 1e-9 * max(xx, 1e-30) else 1.0
        offset = (y - gain * x) / n
        error = max(0.0, (yy - 2 * xy + xx) / n)
        about = (yy - y * y / n) - 2 * gain * (xy - x * y / n) + gain * gain * spread
        residual = max(0.0, about / n) ** 0.5
        rows.append(
            {
                "count": int(n),
                # What differs beyond depends on the order in which samples were added.
                "gain": round(float(gain), 6),
                "offset_units": round(float(offset), 6),
                "error_rms_units": round(float(error**0.5), 6),
                "residual_rms_units": round(float(residual), 6),
                "residual_of_full_scale": round(float(residual / full_scale_units), 6)
                if full_scale_units
                else None,
            }
        )
    return rows


def residual_of_full_scale(rows: list[dict[str, Any]], full_scale_units: float) -> float | None:
    """Root mean square over all classes, of full scale; None where there is nothing."""
    count = sum(row["count"] for row in rows)
    if not count or not full_scale_units:
        return None
    square = sum(row["count"] * row["residual_rms_units"] ** 2 for row in rows) / count
    return float(square**0.5 / full_scale_units)
