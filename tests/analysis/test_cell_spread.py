"""Cells over chips, by hand."""

import numpy as np
import pandas as pd
import pytest

from codesign.analysis.cell_spread import QUANTITIES, relative_rows


def cells(chip: int, factor: float) -> dict[str, float]:
    return {"chip": chip, "layer": 0, "unit": 0} | {
        f"{name}_units": 2.0 * factor for name in QUANTITIES
    }


def test_deviations_are_from_the_nominal_chip() -> None:
    factors = (0.97, 1.0, 1.06)
    drawn = pd.DataFrame([cells(k, factor) for k, factor in enumerate(factors)])
    nominal = pd.DataFrame([cells(-1, 1.0)])
    programmed = dict.fromkeys(QUANTITIES, np.array([[1.9]]))
    table = relative_rows(drawn, nominal, programmed, 0.03).set_index("parameter")
    assert list(table.index) == list(QUANTITIES)
    high = table.loc["beta_hi"]
    assert high["mean_relative"] == pytest.approx(0.01)
    assert high["sigma_relative"] == pytest.approx(np.std(factors, ddof=1))
    assert high["sigma_units"] == pytest.approx(2 * np.std(factors, ddof=1))
    assert (high["programmed"], high["nominal"], high["chips"]) == (1.9, 2.0, 3)
    assert high["law_sigma_relative"] == 0.03
    # A difference of currents has no law of its own.
    assert table["law_sigma_relative"].isna().tolist() == [False, True, True, False]
