"""Cells over chips: how far thresholds and gains lie from the nominal chip's, and the law's word.

Of a cell, beta_hi and alpha are carried by three devices each (bias mirror, line, copy), so the
mismatch law gives their relative standard deviation; beta_lo and the width come out of differences
and have none of their own.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.distributions import describe

QUANTITIES = ("beta_hi", "beta_lo", "width", "alpha")
# Those whose bias current alone makes them.
OF_THE_LAW = ("beta_hi", "alpha")


def relative_rows(
    drawn: pd.DataFrame, nominal: pd.DataFrame, programmed: Mapping[str, NDArray[np.float64]],
    law_sigma: float,
) -> pd.DataFrame:  # fmt: skip
    """One row per cell and quantity from cells of many chips (``chip``, ``layer``, ``unit``, one
    column per quantity, units) and of the nominal one; ``programmed`` arrays (layers, units).

    ``mean_relative`` and ``sigma_relative`` are of the chip over the nominal chip, minus one;
    ``law_sigma_relative`` is NaN where the law gives none.
    """
    base = nominal.set_index(["layer", "unit"])
    rows = []
    places = base.index.to_list()
    by_cell = drawn.groupby(["layer", "unit"])
    for layer, unit in places:
        cells = by_cell.get_group((layer, unit))
        for name in QUANTITIES:
            centre = float(base.loc[(layer, unit), f"{name}_units"])
            found = describe(cells[f"{name}_units"].to_numpy(np.float64) / centre - 1)
            if found is None:
                continue
            rows.append(
                {
                    "parameter": name, "layer": int(layer), "unit": int(unit),
                    "programmed": float(programmed[name][int(layer), int(unit)]),
                    "nominal": centre, "mean_relative": found.mean,
                    "sigma_relative": found.sigma, "sigma_units": found.sigma * abs(centre),
                    "law_sigma_relative": law_sigma if name in OF_THE_LAW else np.nan,
                    "skew": found.skew, "p_normal": found.p_normal, "shape": found.shape,
                    "chips": found.count,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)
