"""Transistors against the twin on many networks: the table behind the claim of agreement.

    python benchmarks/agreement.py RUN [RUN ...] [--clips N] [--judge N] [--engine E] [--export]

Each run's nominal chip is simulated on N test clips and compared with the ideal twin, state by
state. One row per run: decisions equal among clips that are not near-ties, states equal of all
(unit, frame) and of those in which the twin's state changes, logit residual after gain and offset
(% of full scale, over frames whose states agree), error suppression at the cells (median over
units and clips, at the sigma in brackets), where disagreements began, and what ngspice said of the
batched engine. --export makes the designs anew first.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codesign.circuit.export import export_design
from codesign.files import read_json
from codesign.runs import Run, open_run
from codesign.simulation.run import Options, simulate

HEADER = (
    "run", "d", "test accuracy", "clips", "decisions", "states", "where they change",
    "logit residual", "suppression", "disagreements begin", "power", "judge (ngspice)",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--judge", type=int, default=4)
    parser.add_argument("--engine", choices=("batched", "ngspice"), default="batched")
    parser.add_argument("--jobs", type=int, default=None)
    parser.add_argument("--export", action="store_true")
    given = parser.parse_args()
    print(f"| {' | '.join(HEADER)} |\n|{'---|' * len(HEADER)}", flush=True)
    total: dict[str, float] = {}
    for path in given.runs:
        run = open_run(path)
        if given.export:
            export_design(run)
        figures = simulate(
            run,
            Options(clips=given.clips, judge=given.judge, engine=given.engine, jobs=given.jobs),
        )
        print(f"| {' | '.join(_row(run, figures))} |", flush=True)
        for key, value in _counts(figures).items():
            total[key] = total.get(key, 0) + value
    print(
        f"\nTogether: decisions {_part(total, 'decisions', 'clips')}, states "
        f"{_part(total, 'states', 'pairs')}, where they change {_part(total, 'caught', 'changes')}."
    )


def _counts(figures: Mapping[str, Any]) -> dict[str, float]:
    clips = figures["samples_not_near_tie"]
    pairs, changes = figures["state_count"], figures["state_changed_count"]
    return {
        "clips": clips,
        "decisions": round((figures["vote_agreement_not_near_tie"] or 0) * clips),
        "pairs": pairs,
        "states": round(figures["state_agreement"] * pairs),
        "changes": changes,
        "caught": round((figures["state_agreement_changed"] or 0) * changes),
    }


def _row(run: Run, figures: Mapping[str, Any]) -> list[str]:
    accuracy = read_json(run.metrics_file, "metrics")["splits"]["test"]["balanced_accuracy"]
    counts = _counts(figures)
    causes = ", ".join(f"{n} {name}" for name, n in figures["root_causes"].items()) or "nowhere"
    suppression = "not measured"
    if "suppression_ratio_median" in figures:
        suppression = (
            f"{figures['suppression_ratio_median']:.3g} ({figures['suppression_sigma_units']:g})"
        )
    judge = "all of it"
    if figures["engine"] == "batched":
        judge = (
            f"{figures['judge_verdict']}, {figures['judge_samples_compared']} clips, "
            f"{figures['judge_states_differing']} of {figures['judge_states_compared']} states"
            if figures["judge_samples"]
            else "not asked"
        )
    return [
        run.path.name,
        str(run.flow().network.state_dim),
        f"{100 * accuracy:.1f} %",
        f"{figures['samples_ok']} of {figures['samples_total']}",
        _part(counts, "decisions", "clips"),
        _part(counts, "states", "pairs"),
        _part(counts, "caught", "changes"),
        f"{100 * figures['logit_residual_of_full_scale']:.2f} %",
        suppression,
        causes,
        f"{figures['mean_power_w'] * 1e9:.0f} nW",
        judge,
    ]


def _part(counts: Mapping[str, float], some: str, every: str) -> str:
    if not counts[every]:
        return "none"
    return f"{100 * counts[some] / counts[every]:.2f} % of {counts[every]:.0f}"


if __name__ == "__main__":
    main()
