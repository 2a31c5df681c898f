"""Which cells learn to remember, from which start: seeds that converge, and after how many steps.

    python benchmarks/memory_probes.py --frames 50     # reports/probes/copy_first.txt

Task: copy_first, four symbols (chance 25 %); the symbol of the first frame is to be named at the
last, every other frame shows a random symbol (with --distractors a share of them; 0: silence). One
recurrent layer of eight units, five seeds advanced together, the same loss, batches, optimiser and
learning rate for all cells. A seed has converged at the first validation, of the deployed cell
(eps = 0), at which at least 95 % of its decisions are right; a row ends when all have, or after
--steps steps.

Each cell has three starts that differ in how long a new unit remembers: a few frames, some twenty,
or about the whole sequence (leaky units: their time constants; threshold units: how far thresholds
lie from the candidates, so how rarely a frame writes).
"""

import argparse
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch

from codesign.flows import Flow, parse_flow
from codesign.tasks import load_task
from codesign.tasks.base import TaskData
from codesign.training.group import GroupSpec, GroupState, new_state, train_group

STARTS = ("short", "medium", "long")
_WRITES = {"short": 0.5, "medium": 2.0, "long": 3.0}
_WINDOWS = {"short": (0.5, 1.0), "medium": (2.5, 1.0), "long": (4.0, 0.8)}
_NO_ANNEALING = {"leak_start": 0.0, "leak_fraction": 0.0}
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "CMRU": ("cmru", {}),
    "alphaCMRU": ("alpha_cmru", {}),
    "BMRU": ("bmru", {}),
    "BMRU, eps = 0": ("bmru", _NO_ANNEALING),
    "FQ-BMRU": ("fq_bmru", {}),
    "FQ-BMRU, eps = 0": ("fq_bmru", {"surrogate_sharpness": 3.0, **_NO_ANNEALING}),
    "minGRU": ("mingru", {}),
    "LRU": ("lru", {}),
}


class Converged(Exception):  # noqa: N818 - what was hoped for
    """Every seed has; nothing is left to learn."""


@dataclass(frozen=True)
class Outcome:
    """Steps at which each seed converged, None where it did not, and its best accuracy."""

    steps: tuple[int | None, ...]
    best: tuple[float, ...]


def flow_of(row: str, start: str, given: argparse.Namespace, frames: int) -> Flow:
    """The recipe of one row: a cell, one of its starts, a length."""
    cell, changes = ROWS[row]
    training: dict[str, Any] = {
        "steps": given.steps, "batch_size": given.batch, "learning_rate": given.rate,
        "evaluate_every": 25, "mismatch_percent": 0.0, "grid_fraction": 0.0, "margin_weight": 0.0,
        "current_weight": 0.0, "leak_current_units": 0.0,
    }  # fmt: skip
    network: dict[str, Any] = {"cell": cell, "state_dim": 8, "layers": 1}
    if cell in ("mingru", "lru"):
        remembers = {"short": 3.0, "medium": 20.0, "long": float(frames)}[start]
        network["start"] = {"fast_frames": remembers, "slow_frames": remembers}
    elif cell == "fq_bmru":
        width, spread = _WINDOWS[start]
        training |= {"initial_width_units": width, "initial_spread_units": spread}
    else:
        network["start"] = {"threshold": _WRITES[start]}
    task = {
        "name": "probe", "kind": "copy_first", "frames": frames, "classes": 4,
        "distractor_rate": given.distractors, "train_clips": given.clips,
        "validation_clips": 128, "test_clips": 4,
    }  # fmt: skip
    return parse_flow({"task": task, "network": network, "training": training | changes}, row)


def outcome(flow: Flow, data: TaskData, seeds: int, enough: float) -> Outcome:
    """Train the seeds of one row together until all have converged."""
    steps: dict[int, int] = {}
    best = dict.fromkeys(range(seeds), 0.0)

    def look(state: GroupState) -> None:
        for row in state.history[-seeds:]:
            if row["on_grid"]:
                best[row["start"]] = max(best[row["start"]], row["validation_accuracy"])
                if row["validation_accuracy"] >= enough:
                    steps.setdefault(row["start"], row["step"])
        if len(steps) == seeds:
            raise Converged

    spec = GroupSpec("network", tuple(range(seeds)))
    with suppress(Converged):
        train_group(spec, flow, data, new_state(spec, flow, data), look)
    return Outcome(tuple(steps.get(seed) for seed in range(seeds)), tuple(best.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="+", default=[50, 100, 300, 1000])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--starts", nargs="+", choices=STARTS, default=list(STARTS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--clips", type=int, default=2048, help="different training clips")
    parser.add_argument(
        "--distractors", type=float, default=1.0, help="share of later frames with a symbol"
    )
    parser.add_argument("--rate", type=float, default=1e-2)
    parser.add_argument("--enough", type=float, default=0.95)
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"copy_first, 4 symbols, 1 layer of 8 units, {given.seeds} seeds, at most {given.steps} "
        f"steps of {given.batch} of {given.clips} clips, Adam at {given.rate:g}; a symbol in "
        f"{given.distractors:.0%} of the later frames; converged: {given.enough:.0%}"
    )
    print(f"{'frames':>6} {'cell':<17}{'start':<8}{'converged':>10}{'steps':>26}"
          f"{'worst':>8}{'best':>7}{'cpu s':>7}")  # fmt: skip
    total: dict[str, list[int]] = {row: [0, 0] for row in given.rows}
    for frames in given.frames:
        data: TaskData | None = None
        for row in given.rows:
            for start in given.starts:
                flow = flow_of(row, start, given, frames)
                data = data or load_task(flow.task, None, flow.seed)
                began = time.process_time()
                found = outcome(flow, data, given.seeds, given.enough)
                reached = [step for step in found.steps if step is not None]
                total[row][0] += len(reached)
                total[row][1] += given.seeds
                steps = " ".join("-" if step is None else str(step) for step in found.steps)
                print(
                    f"{frames:>6} {row:<17}{start:<8}{f'{len(reached)} of {given.seeds}':>10}"
                    f"{steps:>26}{min(found.best):>8.1%}{max(found.best):>7.1%}"
                    f"{time.process_time() - began:>7.1f}",
                    flush=True,
                )
    sums = "; ".join(f"{row} {part} of {whole}" for row, (part, whole) in total.items())
    print(f"converged over all lengths and starts: {sums}")


if __name__ == "__main__":
    main()
