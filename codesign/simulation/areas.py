"""The same plan at several gate areas, side by side: what area buys, what it costs.

The chips are the same ones at every scale (same seeds, same names of devices), only their devices
are larger, so two rows differ by the area and by nothing else.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codesign.errors import InputError
from codesign.files import atomic_path, write_json
from codesign.mapping.exported import load_exported
from codesign.runs import Run
from codesign.simulation.area import settling_frame_s, variant_of
from codesign.simulation.run import Options, Progress, Say, simulate

# What a row takes from the summary of its plan as it is.
COPIED = (
    "plan", "gate_area_m2", "chips", "samples_ok", "samples_failed", "vote_agreement",
    "vote_agreement_interval", "chips_all_decisions_agreeing", "state_agreement",
    "accuracy_chip_mean", "accuracy_chip_p5", "accuracy_chip_min", "mean_power_w", "frame_s",
    "yield", "yield_count", "yield_interval",
    "margin_sigma_units_median", "judge_verdict",
    "yield", "yield_count", "yield_chips", "yield_interval",
)  # fmt: skip
NAME = "area_scale"
_BY = ["clip", "layer", "unit", "frame"]
# Candidates below this are off: a ReLU has cut them, on every chip.
_ON_UNITS = 0.1


def simulate_areas(
    run: Run,
    options: Options,
    scales: Sequence[float],
    progress: Progress,
    say: Say,
    each: Callable[[dict[str, Any]], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Simulate the plan of ``options`` at every scale and write ``sim/area_scale.json`` and
    ``.parquet``: one row per scale, in order.

    ``each`` is called with the summary of each scale as it is done. Raises InputError and
    EnvironmentMissing as ``simulate`` does, and InputError when a scale fails before any sample.
    """
    if options.chips is None:
        raise InputError("--area-scale is about chips with mismatch: add --mc CHIPS.")
    rows = []
    for scale in sorted(set(scales)):
        say(f"area scale {scale:g}")
        figures = simulate(run, replace(options, area_scale=scale), progress, say)
        row = area_row(scale, figures, run.sim_dir(figures["plan"]))
        exported = load_exported(replace(run, variant=variant_of(scale)))
        rows.append(row | {"settling_frame_s": settling_frame_s(exported)})
        each(figures)
        write_areas(run, rows)
    return rows


def area_row(scale: float, figures: dict[str, Any], folder: Path) -> dict[str, Any]:
    """One row of the table, from the summary of a plan and its table of states in ``folder``."""
    spread = candidate_spread(folder) if figures.get("states_in_table") == "all" else {}
    return {
        "area_scale": scale,
        **{name: figures.get(name) for name in COPIED},
        "candidate_sigma_units": spread.get("sigma_units"),
        "candidate_offset_units": spread.get("offset_units"),
    }


def candidate_spread(folder: Path) -> dict[str, float]:
    """How candidates scatter over chips, and how far their mean lies from the twin's.

    ``sigma_units``: standard deviation over the chips of one candidate (of a clip, unit and frame)
    that is on in the twin, the median of all of them; ``offset_units``: the median distance of the
    chips' median from the twin's candidate, which is what all chips share: settling, for the most
    part. Medians, so that neither is moved by the few candidates behind a state that differs.
    """
    columns = ["sample", *_BY[1:], "chip_candidate_units", "twin_candidate_units"]
    states = pd.read_parquet(folder / "states.parquet", columns=columns)
    clip = pd.read_parquet(folder / "samples.parquet", columns=["sample", "clip"])
    table = states[states["twin_candidate_units"] > _ON_UNITS].merge(clip, on="sample")
    grouped = table.groupby(_BY)["chip_candidate_units"]
    offset = grouped.median() - table.groupby(_BY)["twin_candidate_units"].first()
    if not len(table):
        return {}
    return {
        "sigma_units": float(np.median(grouped.std(ddof=1).dropna())),
        "offset_units": float(np.median(np.abs(offset))),
    }


def write_areas(run: Run, rows: list[dict[str, Any]]) -> None:
    """Write the table as JSON, for pages, and as parquet, for everything else."""
    write_json(run.sim_dir(f"{NAME}.json"), rows)
    table = pd.DataFrame(rows)
    for name in ("vote_agreement", "yield"):
        interval = table.pop(f"{name}_interval")
        for at, end in enumerate(("low", "high")):
            table[f"{name}_{end}"] = [None if pair is None else pair[at] for pair in interval]
    with atomic_path(run.sim_dir(f"{NAME}.parquet")) as path:
        table.to_parquet(path, index=False)
