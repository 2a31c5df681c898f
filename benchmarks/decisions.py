"""Networks trained under every decision rule, each scored under every rule.

    python benchmarks/decisions.py digits --out reports/decisions
    python benchmarks/decisions.py yes --data DIR --out reports/decisions
    python benchmarks/decisions.py right --data DIR --steps 3000 --starts 5 --out reports/decisions

For each rule some starts of a network and one of its memoryless control are trained; of every
start the checkpoint chosen on validation by its own rule is scored on the test split under all
rules (mean and worst of the starts, balanced accuracy; nothing is selected on test). Prints the
table and writes it, with every start, to OUT/<task>.csv and <task>.md. Nothing but the rule
differs: the flows are `digits` with ten classes and `kws_yes`, both at d = 8, and `kws_right` at
d = 16.
"""

import argparse
import csv
import sys
import time
from pathlib import Path
from typing import Any

import torch

from codesign.flows import Flow, load_flow
from codesign.rules import parse_rule
from codesign.tasks import TaskData, load_task
from codesign.training.choice import Kind, cell_of, network_of
from codesign.training.group import GroupSpec, new_state, train_group
from codesign.training.packing import packing_of
from codesign.training.scores import balanced_accuracy, predictions_of

_KEYWORD = ("last_frame", "last_k:20", "mean_logit", "majority", "latch:2")
RULES = {
    "digits": ("last_frame", "last_k:4", "mean_logit", "majority", "latch:2"),
    "yes": _KEYWORD,
    "right": _KEYWORD,
}
STATE_DIM = {"digits": 8, "yes": 8, "right": 16}


def flow_of(task: str, rule: str, steps: int) -> Flow:
    common = (
        f"network.state_dim={STATE_DIM[task]}",
        f"training.decision={rule}",
        f"training.steps={steps}",
    )
    if task == "digits":
        return load_flow("digits", (*common, "task.classes=[0,1,2,3,4,5,6,7,8,9]"))
    return load_flow(f"kws_{task}", (*common, "training.evaluate_every=100"))


def trained(kind: Kind, flow: Flow, data: TaskData, starts: int) -> dict[str, torch.Tensor]:
    """The checkpoints of some starts, with a leading dimension [starts]."""
    spec = GroupSpec(kind, tuple(range(starts)))
    state = train_group(spec, flow, data, new_state(spec, flow, data), lambda _: None)
    packing = packing_of(network_of(flow, data))
    return packing.unpack(state.best_rows)


def rows_of(task: str, data: TaskData, starts: int, steps: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    classes = len(data.class_names)
    for rule in RULES[task]:
        began = time.process_time()
        flow = flow_of(task, rule, steps)
        kinds: tuple[tuple[Kind, int], ...] = (("network", starts), ("memoryless", 1))
        for kind, count in kinds:
            parameters = trained(kind, flow, data, count)
            for judged in RULES[task]:
                found = predictions_of(
                    parameters, data.test, parse_rule(judged), cell_of(flow, kind)
                )
                scores = balanced_accuracy(found, data.test.labels, classes)
                rows += [
                    {"task": task, "model": kind, "trained": rule, "decided": judged,
                     "start": k, "test_balanced_accuracy": round(float(score), 4)}
                    for k, score in enumerate(scores)
                ]  # fmt: skip
        spent = time.process_time() - began
        print(f"{task} {rule}: {spent:.0f} s of CPU", file=sys.stderr, flush=True)
    return rows


def table(task: str, rows: list[dict[str, Any]], starts: int) -> str:
    rules = RULES[task]

    def cell(model: str, trained_: str, decided: str) -> str:
        values = [
            100 * row["test_balanced_accuracy"]
            for row in rows
            if (row["model"], row["trained"], row["decided"]) == (model, trained_, decided)
        ]
        mean = sum(values) / len(values)
        shown = f"{mean:.1f} ({min(values):.1f})" if len(values) > 1 else f"{mean:.1f}"
        return f"**{shown}**" if trained_ == decided and model == "network" else shown

    lines = [
        f"Mean (worst) of {starts} starts, balanced test accuracy, %. Rows: the rule in training; "
        "columns: the rule that decides.",
        "",
        "| trained \\ decided | " + " | ".join(rules) + " | memoryless, own rule |",
        "|---|" + "---|" * (len(rules) + 1),
    ]
    for rule in rules:
        cells = [cell("network", rule, judged) for judged in rules]
        lines.append(f"| {rule} | {' | '.join(cells)} | {cell('memoryless', rule, rule)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=sorted(RULES))
    parser.add_argument(
        "--data", type=Path, action="append", help="Speech Commands folder, for a word; or several"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--starts", type=int, default=4)
    parser.add_argument("--steps", type=int, default=1200)
    given = parser.parse_args()
    torch.set_num_threads(1)
    began = time.process_time()
    flow = flow_of(given.task, RULES[given.task][0], given.steps)
    data = load_task(flow.task, tuple(given.data or ()), flow.seed)
    rows = rows_of(given.task, data, given.starts, given.steps)
    text = table(given.task, rows, given.starts)
    print(text)
    given.out.mkdir(parents=True, exist_ok=True)
    with (given.out / f"{given.task}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    sizes = ", ".join(f"{len(split)} {name}" for name, split in data.splits().items())
    note = (
        f"{data.description}; {sizes} clips (training clips with altered copies); "
        f"d = {STATE_DIM[given.task]}, two layers, {given.steps} steps; "
        f"{time.process_time() - began:.0f} s of CPU.\n"
    )
    (given.out / f"{given.task}.md").write_text(f"{note}\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
