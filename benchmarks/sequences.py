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
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from codesign.files import atomic_path, write_json, write_text
from codesign.flows import Flow, load_flow
from codesign.tasks import Split, TaskData, load_task
from codesign.training.choice import cell_of, network_of, settings_of
from codesign.training.group import GroupSpec, GroupState, new_state, train_group
from codesign.training.packing import packing_of
from codesign.training.scores import split_scores

CELLS = "fq_bmru,cmru,alpha_cmru,mingru,lru"
_BASELINE_RATE = 0.01  # what suits the baselines; the flows' own rate is that of the chip's cell
Row = dict[str, Any]
Found = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("flow")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--cells", default=CELLS)
    parser.add_argument("--parameters", type=int, default=8000, help="budget of each network")
    parser.add_argument("--steps", default="600", help="one number, or several for a curve")
    parser.add_argument("--full", type=int, default=0, help="steps to extrapolate to")
    parser.add_argument(
        "--score", type=int, default=0, help="clips of validation and of test to score"
    )
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--name", help="of the output files; the flow's by default")
    parser.add_argument("--out", type=Path, default=Path("reports/sequences"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    name = options.name or options.flow
    stored = options.out / f"{name}.json"
    found: Found = json.loads(stored.read_text()) if stored.is_file() else {"rows": []}
    done = {(row["cell"], row["steps"]) for row in found["rows"]}
    wanted = [
        (cell, steps)
        for steps in sorted(int(text) for text in options.steps.split(","))
        for cell in options.cells.split(",")
    ]
    if missing := [pair for pair in wanted if pair not in done]:
        data = _load(options)
        found |= {"task": data.description, "chance": _chance(data), "per_frame": data.per_frame}
        for cell, steps in missing:
            found["rows"].append(_train(cell, steps, data, options))
            write_json(stored, found)
    table = _table(found, options.full)
    write_text(options.out / f"{name}.md", table)
    print(table)
    _figure(found, options.full, options.out / f"{name}.svg")


def _load(options: argparse.Namespace) -> TaskData:
    flow = load_flow(options.flow, tuple(options.overrides))
    data = load_task(flow.task, options.data, flow.seed)
    if not options.score:
        return data
    count = options.score
    return replace(data, validation=_some(data.validation, count), test=_some(data.test, count))


def _some(split: Split, clips: int) -> Split:
    """Clips spread evenly over a split: the first test images of MNIST are easier than the last."""
    count = min(clips, len(split))
    index = torch.arange(count) * len(split) // count
    ids = tuple(split.ids[number] for number in index.tolist())
    return Split(split.inputs[index], split.labels[index], ids, split.lines)


def _train(cell: str, steps: int, data: TaskData, options: argparse.Namespace) -> Row:
    """One start of one cell, and the test scores of its best checkpoint on validation."""
    budget = (f"training.steps={steps}", f"training.evaluate_every={steps}")

    def flow_of(units: int) -> Flow:
        shape = (f"network.cell={cell}", f"network.state_dim={units}")
        rate = () if cell == "fq_bmru" else (f"training.learning_rate={_BASELINE_RATE}",)
        return load_flow(options.flow, (*budget, *shape, *rate, *options.overrides))

    def size(units: int) -> int:
        return sum(packing_of(network_of(flow_of(units), data)).sizes)

    units = bisect.bisect_right(range(1, 513), options.parameters, key=size)
    flow, spec = flow_of(units), GroupSpec("network", (0,))
    began = time.process_time()

    def show(state: GroupState) -> None:
        last = state.history[-1]
        print(
            f"{cell} d={units} step {state.step}/{steps}: train {last['train_loss']:.3f}, "
            f"validation {last['validation_loss']:.3f}, accuracy {last['validation_accuracy']:.4f}",
            flush=True,
        )

    state = train_group(spec, flow, data, new_state(spec, flow, data), show)
    trained_s = time.process_time() - began
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
        "cpu_s": trained_s,
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


def _curve(rows: list[Row], cell: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(steps, test errors, test clips) of a cell, by steps."""
    own = sorted(
        (r["steps"], 1 - r["test_accuracy"], r["test_count"]) for r in rows if r["cell"] == cell
    )
    steps, errors, counts = zip(*own, strict=True)
    return np.array(steps, float), np.array(errors), np.array(counts)


def _extrapolated(rows: list[Row], cell: str, at: np.ndarray) -> np.ndarray | None:
    """Test errors [3, len(at)] by error = c steps^-p: least squares, and the 2.5th and 97.5th
    percentile over redrawn test clips. None with fewer than three points, or where more
    steps did not help: a curve at chance has no direction.

    The range holds the chance of the test clips alone, not whether a power law goes on so far.
    """
    steps, errors, counts = _curve(rows, cell)
    if len(steps) < 3 or (np.diff(errors) >= 0).any():
        return None
    rng = np.random.default_rng(0)
    drawn = rng.binomial(counts, errors, (2000, len(steps))).clip(1) / counts
    logs = np.log(np.concatenate([errors[None], drawn]))
    slope, intercept = np.polyfit(np.log(steps), logs.T, 1)
    curves = np.exp(intercept[:, None] + slope[:, None] * np.log(at)).clip(max=1.0)
    return np.stack([curves[0], *np.percentile(curves[1:], [2.5, 97.5], axis=0)])


def _table(found: Found, full: int) -> str:
    rows, per_frame = found["rows"], found["per_frame"]
    lines = [
        f"{found['task']}. Most frequent class: {100 * found['chance']:.1f} %. One start each.",
        "",
        "| cell | d | parameters | steps | epochs | CPU s | test accuracy |"
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
            f"{row['epochs']:.2f} | {row['cpu_s']:.0f} | {100 * accuracy:.1f} % | {extra} |"
        )
        if full:
            at = _extrapolated(rows, row["cell"], np.array([float(full)]))
            last = row["steps"] == max(r["steps"] for r in rows if r["cell"] == row["cell"])
            if at is not None and last:
                best, high, low = (100 * (1 - float(value)) for value in at[:, 0])
                line += f" {best:.0f} % ({low:.0f} to {high:.0f}) |"
            else:
                line += " |"
        lines.append(line)
    return "\n".join(lines) + "\n"


def _figure(found: Found, full: int, path: Path) -> None:
    """Test error against steps: measured points, and dashed what is extrapolated."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = found["rows"]
    figure, axes = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    for cell in dict.fromkeys(row["cell"] for row in rows):
        steps, errors, _ = _curve(rows, cell)
        (line,) = axes.loglog(steps, errors, "o-", label=cell)
        reach = np.geomspace(steps.max(), max(full, steps.max()), 20)
        if full and (ahead := _extrapolated(rows, cell, reach)) is not None:
            axes.loglog(reach, ahead[0], "--", color=line.get_color())
            axes.fill_between(reach, ahead[1], ahead[2], color=line.get_color(), alpha=0.12, lw=0)
    axes.axhline(1 - found["chance"], color="0.6", lw=0.8, label="most frequent class")
    axes.set(xlabel="training steps", ylabel="test error", title=found["task"])
    if full:
        axes.annotate("dashed: extrapolated", (0.98, 0.02), xycoords="axes fraction", ha="right")
    axes.legend(frameon=False, fontsize="small")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
