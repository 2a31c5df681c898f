"""Thresholds and gains of every memory cell over drawn chips, as the calibrated twin has them.

The twin makes each chip's cells from the draws its transistors get (``twin.memories``): the curve
of every cell with its own mirrors, whose folds are the thresholds. No transient is run, so that
this costs seconds. cell_draws.parquet has the cells of up to ``CHIPS`` chips, thresholds.parquet
one row per cell and quantity: its mean and standard deviation relative to the nominal chip's, and
the standard deviation that the mismatch law gives for the mirrors that carry its bias current.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch

from codesign.analysis.cell_spread import QUANTITIES, relative_rows
from codesign.errors import EnvironmentMissing
from codesign.files import atomic_path
from codesign.simulation.draws import draw_mismatch
from codesign.simulation.limits import threshold_sigma
from codesign.simulation.plan import chip_seed
from codesign.simulation.setting import Setting
from codesign.twin.chips import Chips
from codesign.twin.memories import memories
from codesign.twin.twins import TwinModel, design_twin

# The first chips of a plan: more would tell sigma no better than these do (to 2.2 %).
CHIPS = 1000
# Fewer say little of a distribution, and the devices have to be measured first.
LEAST = 50
# Chips at a time: curves of some tens of megabytes.
_BLOCK = 100
TABLES = ("thresholds", "cell_draws")


def measure_cell_spread(setting: Setting, say: Callable[[str], None]) -> dict[str, Any]:
    """Write both tables for a plan of chips; ``cell_spread`` says "done", or why it was not.

    Also ``threshold_sigma_relative`` and ``gain_sigma_relative`` (medians over cells),
    ``threshold_law_sigma_relative``, ``cell_spread_chips``, and of ``cells_drawn`` those whose
    lower threshold is not above zero: candidates are not negative, so that such a cell never lets
    go.
    """
    plan, folder = setting.plan, setting.folder
    for name in TABLES:
        (folder / f"{name}.parquet").unlink(missing_ok=True)
    if plan.chips is None:
        return {}
    hw, corner = setting.exported.hardware, setting.exported.hardware.corner
    if plan.chips < LEAST and setting.options.twin == "ideal":
        return {"cell_spread": f"fewer than {LEAST} chips"}
    if corner not in setting.points:
        return {"cell_spread": f"the plan does not have the design's own corner, {corner}"}
    parameters = setting.yardstick.parameters
    try:
        model = design_twin("calibrated", setting.exported, setting.points[corner], parameters)
    except Exception as error:
        # Unsupported is of a package that is loaded late: told by its name.
        if not isinstance(error, EnvironmentMissing) and type(error).__name__ != "Unsupported":
            raise
        say(f"thresholds over chips: not available: {error}")
        return {"cell_spread": f"the calibrated twin cannot be made here: {error}"}
    drawn = _drawn(setting, model, min(plan.chips, CHIPS))
    programmed = {name: setting.yardstick.cells(name) for name in ("beta_hi", "width", "alpha")}
    programmed["beta_lo"] = programmed["beta_hi"] - programmed["width"]
    law = threshold_sigma(hw, setting.bench.law)
    table = relative_rows(drawn, drawn_cells(setting, model, None), programmed, law)
    for name, rows in zip(TABLES, (table, drawn), strict=True):
        with atomic_path(folder / f"{name}.parquet") as path:
            rows.to_parquet(path, index=False)
    median = table.groupby("parameter")["sigma_relative"].median()
    return {
        "cell_spread": "done",
        "cell_spread_chips": int(drawn["chip"].nunique()),
        "threshold_sigma_relative": float(median["beta_hi"]),
        "threshold_law_sigma_relative": law,
        "gain_sigma_relative": float(median["alpha"]),
        "cells_drawn": len(drawn),
        "cells_that_never_let_go": int((drawn["beta_lo_units"] <= 0).sum()),
    }


def _drawn(setting: Setting, model: TwinModel, chips: int) -> pd.DataFrame:
    parts = [
        drawn_cells(setting, model, np.arange(start, min(start + _BLOCK, chips)))
        for start in range(0, chips, _BLOCK)
    ]
    return pd.concat(parts, ignore_index=True)


def drawn_cells(
    setting: Setting, model: TwinModel, chips: "np.ndarray[Any, np.dtype[np.int64]] | None"
) -> pd.DataFrame:
    """Every cell of these chips of the plan, or of the nominal chip: one row per chip and cell."""
    bench, run_seed = setting.bench, setting.plan.run_seed
    draws = None
    if chips is not None:
        seeds = [chip_seed(run_seed, int(chip)) for chip in chips]
        draws = draw_mismatch(bench.network.mosfets, bench.law, seeds)
    like = torch.zeros(1, dtype=torch.float64)
    values = {
        key: torch.from_numpy(np.asarray(value, np.float64))
        for key, value in setting.yardstick.parameters.items()
        if ".cell." in key
    }
    if model.cells:
        values |= {key: value.to(like) for key, value in model.cells.items()}
    with torch.no_grad():
        made = memories(
            model.shapes, values, model.shape.layers,
            Chips(model.transfer, draws, like, model.fitted),
        )  # fmt: skip
    tables = []
    for layer, memory in enumerate(made):
        found = {
            "beta_hi": memory.beta_hi, "beta_lo": memory.beta_hi - memory.width,
            "width": memory.width, "alpha": memory.alpha,
        }  # fmt: skip
        arrays = {name: np.atleast_2d(found[name].numpy()) for name in QUANTITIES}
        row, unit = (index.ravel() for index in np.indices(arrays["beta_hi"].shape))
        chip = row - 1 if chips is None else chips[row]
        tables.append(
            pd.DataFrame(
                {
                    "chip": chip, "layer": layer, "unit": unit,
                    **{f"{name}_units": value.ravel() for name, value in arrays.items()},
                }
            )
        )  # fmt: skip
    return pd.concat(tables, ignore_index=True)
