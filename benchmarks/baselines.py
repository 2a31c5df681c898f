"""Baselines on the digits: learning rate and start of each cell against accuracy.

    python benchmarks/baselines.py     # reports/probes/digits.txt holds its first rows

Ten classes by rows of eight pixels, decided at the last row; d = 8 and two layers unless a row says
otherwise, five seeds advanced together, the same loss, batches and number of steps for all. Choices
are to be made on the validation column; the test columns are the mean and the worst seed.
"""

import argparse
import time
from typing import Any

import torch

from codesign.flows import parse_flow
from codesign.tasks import load_task
from codesign.training.choice import cell_of, network_of
from codesign.training.group import GroupSpec, new_state, train_group
from codesign.training.packing import packing_of
from codesign.training.scores import balanced_accuracy, predictions_of

RATES = (1e-2, 3e-2)
TUNED = ("mingru", "lru", "bmru", "cmru", "alpha_cmru", "gru", "nbrc", "hybrid")
STARTS: tuple[tuple[str, dict[str, float]], ...] = (
    ("mingru", {"slow_frames": 2}),
    ("mingru", {"slow_frames": 50}),
    ("lru", {"slow_frames": 2}),
    ("lru", {"slow_frames": 50}),
    ("lru", {"phase": 3.14}),
    ("bmru", {"threshold": 1}),
    ("cmru", {"threshold": 1}),
)


def measure(
    cell: str, rate: float | None, start: dict[str, float], given: argparse.Namespace, **more: Any
) -> None:
    """Train the seeds of one row and print it."""
    training: dict[str, Any] = {"steps": given.steps, "evaluate_every": 50}
    if rate is not None:
        training["learning_rate"] = rate
    flow = parse_flow(
        {
            "task": {"name": "digits", "classes": list(range(10))},
            "network": {"cell": cell, "state_dim": 8, "start": start, **more},
            "training": training,
        },
        cell,
    )
    data = load_task(flow.task, None, flow.seed)
    spec = GroupSpec("network", tuple(range(given.seeds)))
    began = time.process_time()
    state = train_group(spec, flow, data, new_state(spec, flow, data), lambda _: None)
    packing = packing_of(network_of(flow, data))
    predictions = predictions_of(
        packing.unpack(state.best_rows), data.test, flow.training.decision, cell_of(flow)
    )
    test = balanced_accuracy(predictions, data.test.labels, len(data.class_names))
    said = ", ".join(f"{key} {value:g}" for key, value in (start | more).items()) or "-"
    print(
        f"{cell:<12}{said:<18}{sum(packing.sizes):>7}{flow.training.learning_rate:>8g}"
        f"{float(state.best_accuracy.mean()):>12.1%}{float(test.mean()):>8.1%}"
        f"{float(test.min()):>8.1%}{time.process_time() - began:>8.1f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=600)
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(f"digits, ten classes, last frame, {given.seeds} seeds, {given.steps} steps")
    print(f"{'cell':<12}{'start':<18}{'params':>7}{'rate':>8}{'validation':>12}{'test':>8}"
          f"{'worst':>8}{'cpu s':>8}")  # fmt: skip
    for cell in TUNED:
        for rate in RATES:
            measure(cell, rate, {}, given)
    for cell, start in STARTS:
        measure(cell, None, start, given)
    for cell in ("mingru", "lru", "fq_bmru"):
        measure(cell, None, {}, given, state_dim=16)
    measure("deep_mingru", None, {}, given, layers=4)


if __name__ == "__main__":
    main()
