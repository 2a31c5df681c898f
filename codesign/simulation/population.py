"""What a plan of chips says as a population: tables over chips and clips, yield, votes kept.

chips.parquet has one row per chip, spread.parquet one per clip, votes_lost.parquet the pairs whose
vote was not kept, yields.parquet and yield_curves.parquet the specifications,
distributions.parquet how a chip's figures lie over chips. They are made again
from samples.parquet by every call, so that a specification may change without a new simulation.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codesign.analysis.chips import chip_table, worst_chip
from codesign.analysis.distributions import distribution_table
from codesign.analysis.spread import lost_votes, spread_figures, spread_table
from codesign.analysis.yardstick import Yardstick
from codesign.analysis.yields import QUANTITIES, Spec, yield_curves, yield_figures, yield_table
from codesign.files import atomic_path
from codesign.simulation.plan import Plan
from codesign.simulation.setting import Setting
from codesign.simulation.traces import Traces


def population_figures(
    setting: Setting, samples: pd.DataFrame, shards: Iterable[Traces]
) -> dict[str, Any]:
    """The figures of ``write_population`` for a plan of chips; nothing for the nominal one.

    ``shards`` are the plan's samples, for decision_logits.parquet: how each class's logit at the
    decision lies over chips, by corner and clip.
    """
    plan, options, yardstick = setting.plan, setting.options, setting.yardstick
    if plan.chips is None:
        return {}
    states = int(yardstick.cells("alpha").size) * yardstick.timing.frames
    wanted = len(plan.clips) * plan.repeats
    figures = write_population(setting.folder, samples, states, wanted, options.specs)
    logits = distribution_table(
        decision_logits(plan, yardstick, shards), ["corner", "clip_id", "class_index"],
        ["logit_units"],
    )  # fmt: skip
    with atomic_path(setting.folder / "decision_logits.parquet") as path:
        logits.to_parquet(path, index=False)
    return figures | {"min_yield": options.min_yield}


def decision_logits(plan: Plan, yardstick: Yardstick, shards: Iterable[Traces]) -> pd.DataFrame:
    """The logits that the decision compares, of samples that ended well: one row per sample and
    class, units."""
    parts = []
    for traces in shards:
        read = traces.take(traces.ok)
        planned = plan.rows(read.sample)
        compared = yardstick.compared(read.logits_a / np.float64(yardstick.unit_current_a))
        row, class_index = (index.ravel() for index in np.indices(compared.shape))
        parts.append(
            pd.DataFrame(
                {
                    "corner": planned["corner"].to_numpy()[row],
                    "clip_id": planned["clip_id"].to_numpy()[row],
                    "class_index": class_index,
                    "logit_units": compared.ravel(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def write_population(
    folder: Path, samples: pd.DataFrame, states_per_sample: int, wanted: int, specs: Sequence[Spec]
) -> dict[str, Any]:
    """Write the tables of a plan of chips into its ``folder`` and return their headline figures.

    ``states_per_sample``: states compared in a sample; ``wanted``: samples of a whole chip (in one
    corner). Raises InputError when the folder cannot be written.
    """
    chips = chip_table(samples, states_per_sample, wanted)
    spread = spread_table(samples)
    yields = yield_table(chips, specs)
    tables = {
        "chips": chips,
        "spread": spread,
        "votes_lost": lost_votes(samples, spread),
        "yields": yields,
        "yield_curves": yield_curves(chips, specs),
        "distributions": distribution_table(chips, ["corner"], list(QUANTITIES)),
    }
    for name, table in tables.items():
        with atomic_path(folder / f"{name}.parquet") as path:
            table.to_parquet(path, index=False)
    figures = spread_figures(spread) | yield_figures(chips, yields)
    corners = [str(corner) for corner in chips["corner"].unique()]
    return figures | {
        "worst_chip": worst_chip(chips), "failures": _failures(samples), "corners": corners
    }  # fmt: skip


def _failures(samples: pd.DataFrame) -> dict[str, int]:
    """How many samples ended with each status other than ok."""
    counts = samples.loc[samples["status"] != "ok", "status"].value_counts()
    return {str(status): int(n) for status, n in counts.sort_index().items()}
