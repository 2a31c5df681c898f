"""Cells side by side on a sequence task: same data, loss, decision, steps and parameter budget.

    python benchmarks/sequences.py shakespeare --data DIR --parameters 8000 --steps 600
    python benchmarks/sequences.py smnist --data DIR --parameters 2000 --steps 100,200,400 \
        --cells fq_bmru,mingru,cmru --full 86000

Each cell gets the largest state dimension that stays within the budget, and one start. With several
numbers of steps each is a training of its own, with its whole schedule, so that the test errors at
their ends are a learning curve; ``--full`` extrapolates that curve by a power law, which is marked
as what it is. Prints a table and writes OUT/NAME.json, .md and .svg; what is in the JSON already is
not trained again.
"""

import argparse
import bisect
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from codesign.files import atomic_path, write_json, write_text
from codesign.flows import Flow, load_flow
from codesign.tasks import TaskData, load_task
from codesign.training.choice import cell_of, network_of, settings_of
from codesign.training.group import GroupSpec, GroupState, new_state, train_group
from codesign.training.packing import packing_of
from codesign.training.scores import split_scores

CELLS = "fq_bmru,cmru,alpha_cmru,mingru,lru"
_BASELINE_RATE = 0.01  # what suits the baselines; the flows' own rate is that of the chip's cell
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("flow")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--cells", default=CELLS)
    parser.add_argument("--parameters", type=int, default=8000, help="budget of each network")
    parser.add_argument("--steps", default="600", help="one number, or several for a curve")
    parser.add_argument("--full", type=int, default=0, help="steps to extrapolate to")
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--name", help="of the output files; the flow's by default")
    parser.add_argument("--out", type=Path, default=Path("reports/sequences"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    name = options.name or options.flow
    stored = options.out / f"{name}.json"
    rows: list[Row] = json.loads(stored.read_text())["rows"] if stored.is_file() else []
    first = load_flow(options.flow, tuple(options.overrides))
    data = load_task(first.task, options.data, first.seed)
    for steps in sorted(int(text) for text in options.steps.split(",")):
        for cell in options.cells.split(","):
            if any((row["cell"], row["steps"]) == (cell, steps) for row in rows):
                continue
            rows.append(_train(options.flow, tuple(options.overrides), cell, steps, data, options))
            write_json(stored, {"task": data.description, "chance": _chance(data), "rows": rows})
    table = _table(rows, data, options.full)
    write_text(options.out / f"{name}.md", table)
    print(table)
    _figure(rows, data, options.full, options.out / f"{name}.svg")


def _train(
    source: str,
    overrides: tuple[str, ...],
    cell: str,
    steps: int,
    data: TaskData,
    options: argparse.Namespace,
) -> Row:
    """One start of one cell, and the test scores of its best checkpoint on validation."""
    budget = (f"training.steps={steps}", f"training.evaluate_every={steps}")

    def flow_of(units: int) -> Flow:
        shape = (f"network.cell={cell}", f"network.state_dim={units}")
        rate = () if cell == "fq_bmru" else (f"training.learning_rate={_BASELINE_RATE}",)
        return load_flow(source, (*budget, *shape, *rate, *overrides))

    def size(units: int) -> int:
        return sum(packing_of(network_of(flow_of(units), data)).sizes)

    units = bisect.bisect_right(range(1, 513), options.parameters, key=size)
    flow, spec = flow_of(units), GroupSpec("network", (0,))
    began = time.perf_counter()

    def show(state: GroupState) -> None:
        last = state.history[-1]
        print(
            f"{cell} d={units} step {state.step}/{steps}: train {last['train_loss']:.3f}, "
            f"validation {last['validation_loss']:.3f}, accuracy {last['validation_accuracy']:.4f}",
            flush=True,
        )

    state = train_group(spec, flow, data, new_state(spec, flow, data), show)
    trained_s = time.perf_counter() - began
    packing = packing_of(network_of(flow, data))
    scores = split_scores(
        packing.unpack(state.best_rows[0]),
        data.test.to(flow.training.device),
        len(data.class_names),
        settings_of(flow),
        cell_of(flow),
    )
    return {
        "cell": cell,
        "state_dim": units,
        "parameters": size(units),
        "steps": steps,
        "epochs": steps * flow.training.batch_size / len(data.train),
        "seconds": trained_s,
        "test_accuracy": scores["accuracy"],
        "test_loss": scores["loss"],
        "test_count": scores["count"],
        "validation": [
            (item["step"], item["validation_loss"], item["validation_accuracy"])
            for item in state.history
        ],
    }


def _chance(data: TaskData) -> float:
    """Test accuracy of always naming the most frequent class of the training split."""
    labels = data.train.labels[data.train.labels >= 0]
    most = int(torch.bincount(labels).argmax())
    test = data.test.labels[data.test.labels >= 0]
    return float((test == most).double().mean())


def _curve(rows: list[Row], cell: str) -> tuple[np.ndarray, np.ndarray]:
    own = sorted((row["steps"], 1 - row["test_accuracy"]) for row in rows if row["cell"] == cell)
    return np.array([s for s, _ in own], float), np.array([e for _, e in own])


def _power_law(steps: np.ndarray, errors: np.ndarray) -> tuple[float, float] | None:
    """(log c, p) of error = c steps^-p by least squares; None with fewer than three points."""
    if len(steps) < 3:
        return None
    slope, intercept = np.polyfit(np.log(steps), np.log(errors), 1)
    return float(intercept), float(-slope)


def _table(rows: list[Row], data: TaskData, full: int) -> str:
    per_frame = data.per_frame
    lines = [
        f"{data.description}. Most frequent class: {100 * _chance(data):.1f} %. One start each.",
        "",
        "| cell | d | parameters | steps | epochs | minutes | test accuracy |"
        + (" bits per character |" if per_frame else " 95 % interval |")
        + (f" at {full} steps, extrapolated |" if full else ""),
        "|---|---|---|---|---|---|---|---|" + ("---|" if full else ""),
    ]
    for row in rows:
        accuracy, count = row["test_accuracy"], row["test_count"]
        half = 1.96 * math.sqrt(accuracy * (1 - accuracy) / count)
        extra = (
            f"{row['test_loss'] / math.log(2):.3f}" if per_frame else f"± {100 * half:.1f} points"
        )
        line = (
            f"| {row['cell']} | {row['state_dim']} | {row['parameters']} | {row['steps']} | "
            f"{row['epochs']:.2f} | {row['seconds'] / 60:.1f} | {100 * accuracy:.1f} % | {extra} |"
        )
        if full:
            steps, errors = _curve(rows, row["cell"])
            fit = _power_law(steps, errors)
            last = row["steps"] == steps.max()
            line += (
                f" {100 * (1 - math.exp(fit[0]) * full ** -fit[1]):.1f} % |"
                if fit and last and fit[1] > 0
                else " |"
            )
        lines.append(line)
    return "\n".join(lines) + "\n"


def _figure(rows: list[Row], data: TaskData, full: int, path: Path) -> None:
    """Test error against steps: measured points, and dashed what is extrapolated."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    for cell in dict.fromkeys(row["cell"] for row in rows):
        steps, errors = _curve(rows, cell)
        (line,) = axes.loglog(steps, errors, "o-", label=cell)
        if full and (fit := _power_law(steps, errors)):
            reach = np.geomspace(steps.max(), full, 20)
            axes.loglog(reach, np.exp(fit[0]) * reach ** -fit[1], "--", color=line.get_color())
    axes.axhline(1 - _chance(data), color="0.6", lw=0.8, label="most frequent class")
    axes.set(xlabel="training steps", ylabel="test error", title=data.description)
    if full:
        axes.annotate("dashed: extrapolated", (0.98, 0.02), xycoords="axes fraction", ha="right")
    axes.legend(frameon=False, fontsize="small")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
