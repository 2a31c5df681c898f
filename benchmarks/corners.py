"""The 45 points of the process on one run: cells, votes, states, power, reference current.

    python benchmarks/corners.py runs/demo --bias both --out reports/pvt

simulates what is missing (``codesign simulate --corners``, ngspice unless ``--batched``), prints
the matrices and, with ``--out``, writes them to ``<out>/<run>.txt`` under the command
and the table of points to ``<out>/<run>.csv``. Interrupted, the same command continues.
"""

import argparse
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from codesign.analysis.pvt import CELL_VALUES, CONDITION_WORDS
from codesign.files import write_text
from codesign.runs import open_run
from codesign.simulation.corners import BIASES, CornerOptions, simulate_corners
from codesign.simulation.points import CLIPS

_COLUMNS = [
    "condition", "corner", "supply_v", "temperature_c", "clips", "clips_ok", "votes_kept",
    "votes_as_nominal", "states", "states_differing", "states_changed",
    "states_changed_agreeing", "logit_margin_min_units", "logit_error_rms_units",
    "mean_power_w", "mean_power_cells_w", "mean_power_feedforward_w", "mean_power_bias_w",
    "reference_current_a", "reference_supply_current_a", "cells", "cells_bistable",
]  # fmt: skip


def matrix(points: pd.DataFrame, title: str, text: Callable[[Any], str]) -> str:
    """Corners down, supplies and temperatures across."""
    places = sorted({(r.supply_v, r.temperature_c) for r in points.itertuples()})
    head = "".join(f"{f'{v:g}V{c:g}':>10}" for v, c in places)
    lines = [f"{title}\n{'':10}{head}"]
    for corner in dict.fromkeys(points["corner"]):
        here = {
            (r.supply_v, r.temperature_c): text(r)
            for r in points[points["corner"] == corner].itertuples()
        }
        lines.append(f"{corner:10}" + "".join(f"{here.get(place, ''):>10}" for place in places))
    return "\n".join(lines)


def condition_text(points: pd.DataFrame) -> str:
    """Votes, states, margin, power and, where there is one, the reference's current."""
    parts = [
        matrix(points, "votes kept", lambda r: f"{r.votes_kept}/{r.clips}"),
        matrix(
            points, "states equal (%)",
            lambda r: f"{100 * (1 - r.states_differing / r.states):.2f}" if r.states else "-",
        ),
        matrix(points, "least logit margin (units)", lambda r: f"{r.logit_margin_min_units:.3f}"),
        matrix(points, "power (nW)", lambda r: f"{1e9 * r.mean_power_w:.1f}"),
    ]  # fmt: skip
    if points["reference_current_a"].notna().any():
        parts.append(
            matrix(points, "reference current (nA)", lambda r: f"{1e9 * r.reference_current_a:.4f}")
        )
    return "\n\n".join(parts)


def cells_text(points: pd.DataFrame, bias: str) -> str:
    """Errors of the design's cells, the worst and the rms of each value, per point."""
    here = points[points["bias"] == bias].drop_duplicates("point")
    parts = []
    for name in CELL_VALUES:
        for kind, against in (("error", "programmed"), ("error_nominal", "nominal")):
            worst, rms = f"{name}_{kind}_worst", f"{name}_{kind}_rms"
            if worst in here.columns:
                title = f"{name} against {against}, worst (rms), %"
                parts.append(matrix(here, title, _errors(worst, rms)))
    return "\n\n".join(parts)


def _errors(worst: str, rms: str) -> Callable[[Any], str]:
    return lambda row: f"{100 * getattr(row, worst):.1f}({100 * getattr(row, rms):.1f})"


def headline(figures: dict[str, Any]) -> str:
    """The numbers of summary.json, one a line."""
    names = [name for name in figures if name.startswith(("pvt_", "samples"))]
    return "\n".join(f"{name} = {figures[name]}" for name in names)


def report(figures: dict[str, Any], points: pd.DataFrame, command: str) -> str:
    parts = [
        command,
        f"{figures['pdk']}, {figures['ngspice']}, engine {figures['pvt_engine']}, "
        f"{figures['clips']} clips at each point: {', '.join(figures['clip_ids'])}",
        headline(figures),
    ]
    for words in CONDITION_WORDS:
        here = points[points["condition"] == words.name]
        if len(here):
            parts.append(f"== {words.title} ==\n\n{condition_text(here)}")
    if f"{CELL_VALUES[0]}_error_worst" in points.columns:
        parts += [
            f"== cells as built, {bias} reference ==\n\n{cells_text(points, bias)}"
            for bias in points["bias"].unique()
            if points.loc[points["bias"] == bias, f"{CELL_VALUES[0]}_error_worst"].notna().any()
        ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--clips", type=int, default=CLIPS)
    parser.add_argument("--bias", choices=BIASES, default="both")
    parser.add_argument("--batched", action="store_true", help="clips by the batched engine")
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--out", type=Path, help="folder for the text and the table")
    given = parser.parse_args()
    run = open_run(given.run)
    options = CornerOptions(
        clips=given.clips, bias=given.bias, batched=given.batched, jobs=given.jobs
    )
    figures = simulate_corners(run, options, say=lambda text: print(text, file=sys.stderr))
    points = pd.read_parquet(run.sim_dir("corners") / "points.parquet")
    words = ["benchmarks/corners.py", f"runs/{run.path.name}", *sys.argv[2:]]
    text = report(figures, points, f"$ python {shlex.join(words)}")
    print(text, end="")
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
        name = run.path.name + ("_batched" if given.batched else "")
        write_text(given.out / f"{name}.txt", text)
        kept = [column for column in _COLUMNS if column in points.columns]
        write_text(given.out / f"{name}.csv", points[kept].to_csv(index=False, float_format="%.6g"))


if __name__ == "__main__":
    main()
