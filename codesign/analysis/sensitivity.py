"""Which devices matter: from margins of chips with one device changed to a ranked table.

Of a clip, M(x) is the signed decision margin of the nominal chip with one parameter of one device
off by x of its standard deviations sigma under the PDK's mismatch law. The slope is the central
difference over x = -STEP..STEP. States are bistable, so M jumps where one flips:

    slope         without flips: where a state flipped on one side the other side's difference is
                  taken, where it flipped on both there is none
    slope_total   as it comes, jumps included

``contribution`` = |slope| sigma is what the device adds to the margin's standard deviation: devices
are independent, so to first order contributions add as squares. Where there is no slope without
flips the total is taken. Each parameter's rank is by contribution, within its clip.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.roles import device_role

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Half a sigma: far above what the engine resolves, and of little curvature.
STEP = 0.5
PARAMETERS = ("vth", "k")


@dataclass(frozen=True)
class Around:
    """Margins about a chip. ``margin_units`` and ``flipped`` (devices, parameters, 2) are those of
    the samples at -STEP and +STEP sigma, ``sigma`` (devices, parameters) in volts and relative;
    NaN where a sample failed."""

    nominal_units: float
    margin_units: Floats
    flipped: Bools
    sigma: Floats


def slopes_per_sigma(around: Around) -> tuple[Floats, Floats]:
    """Slopes in units per sigma, (devices, parameters): without flips (NaN where there is none),
    and total."""
    low, high = around.margin_units[..., 0], around.margin_units[..., 1]
    total = (high - low) / (2 * STEP)
    down, up = around.flipped[..., 0], around.flipped[..., 1]
    slope = np.where(down, (high - around.nominal_units) / STEP, total)
    slope = np.where(up, (around.nominal_units - low) / STEP, slope)
    return np.where(down & up, np.nan, slope), total


def sensitivity_rows(
    clip_id: str, around: Around, instances: tuple[str, ...], polarities: tuple[str, ...]
) -> pd.DataFrame:
    """Two rows per device, one for its threshold and one for its current factor, by rank.

    ``sigma``, ``d_margin_units_per_v`` (vth) and ``d_margin_units_per_unit`` (k, relative) are
    NaN in rows of the other parameter; ``states_flipped_at_step``: on how many of the two sides a
    state differed from the nominal chip's.
    """
    slope, total = slopes_per_sigma(around)
    used = np.where(np.isnan(slope), total, slope)
    rows = []
    for p, parameter in enumerate(PARAMETERS):
        per = "d_margin_units_per_v" if parameter == "vth" else "d_margin_units_per_unit"
        sigma = around.sigma[:, p]
        with np.errstate(divide="ignore", invalid="ignore"):
            physical = used[:, p] / sigma
        named = [device_role(name) for name in instances]
        rows.append(
            pd.DataFrame(
                {
                    "clip_id": clip_id,
                    "device": instances,
                    "label": [device.label for device in named],
                    "role": [device.role for device in named],
                    "polarity": polarities,
                    "parameter": parameter,
                    "margin_units": around.nominal_units,
                    "d_margin_units_per_v": np.nan,
                    "d_margin_units_per_unit": np.nan,
                    "sigma": sigma,
                    "slope_units_per_sigma": used[:, p],
                    "slope_total_units_per_sigma": total[:, p],
                    "states_flipped_at_step": around.flipped[:, p].sum(axis=1),
                    "contribution_units": np.abs(used[:, p]),
                }
                | {per: physical}
            )
        )
    table = pd.concat(rows, ignore_index=True)
    table = table.sort_values(
        ["contribution_units", "device", "parameter"], ascending=[False, True, True]
    )
    return table.assign(rank=np.arange(1, len(table) + 1)).reset_index(drop=True)


def predicted_sigma(table: pd.DataFrame) -> float:
    """Standard deviation of the margin of one clip to first order, units."""
    return float(np.sqrt(np.nansum(table["contribution_units"] ** 2)))


def by_role(table: pd.DataFrame) -> list[dict[str, Any]]:
    """What each role adds to the variance of one clip's margin, largest first.

    ``contribution_units`` is the root of the sum of squares, ``part`` of the variance of all.
    """
    squares = (table["contribution_units"] ** 2).groupby(table["role"].astype(str)).sum()
    devices = table.groupby("role")["device"].nunique().to_dict()
    total = float(squares.sum())
    return [
        {
            "role": str(role),
            "devices": int(devices[str(role)]),
            "contribution_units": float(square**0.5),
            "part": float(square / total) if total else 0.0,
        }
        for role, square in squares.sort_values(ascending=False).items()
    ]


def agreement_of_sigma(
    predicted_units: float, margin_units: Floats, first_order_units: Floats, flipped: Bools
) -> dict[str, Any]:
    """First order against chips of one clip: (chips,) margins, first order's, any state flipped.

    Chips without a flipped state are what first order speaks of; a standard deviation of n chips
    is itself uncertain by 1 / sqrt(2 (n - 1)).
    """
    still = ~flipped
    n = int(still.sum())
    known = n > 2
    return {
        "predicted_sigma_units": predicted_units,
        "chips": len(margin_units),
        "chips_without_flips": n,
        "observed_mean_units": float(margin_units.mean()) if len(margin_units) else None,
        "observed_sigma_units": float(margin_units.std(ddof=1)) if len(margin_units) > 1 else None,
        "observed_sigma_without_flips_units": float(margin_units[still].std(ddof=1))
        if known
        else None,
        "sigma_uncertainty": float(1 / np.sqrt(2 * (n - 1))) if known else None,
        "correlation_without_flips": float(
            np.corrcoef(margin_units[still], first_order_units[still])[0, 1]
        )
        if known
        else None,
        "error_rms_without_flips_units": float(
            np.sqrt(np.mean((margin_units - first_order_units)[still] ** 2))
        )
        if known
        else None,
    }
