"""Keyword networks over five seeds: the cell of the chip at three sizes and under two decisions,
beside its memoryless control and baselines of other cells.

    python benchmarks/speech.py --data DIR [--data DIR] --run runs/speech --out reports/speech

Every line is a `codesign sweep` over seeds; what is finished is taken as it is, so an interrupted
benchmark continues. Validation chooses among the starts of a seed, test chooses nothing. Baselines
are free of the chip's limits (no grid, no margin, no mismatch): a minGRU of the chip's state size,
and LRU, BMRU and GRU of its number of parameters (d = 12, 14 and 9), two starts of 2000 steps each.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

LAST_FRAME = ("training.decision=last_frame", "training.initial_width_units=4.0")
SHORT = "training.steps=3000"
LONG = ("training.starts=6", "training.steps=8000")
MILD = ("training.mismatch_percent=5.0",)
WIDE = ("training.starts=48", SHORT, "training.initial_width_units=4.0", *MILD)
FREE = ("training.mismatch_percent=0.0", "training.starts=2", "training.steps=2000")


def networks(word: str) -> dict[str, tuple[str, ...]]:
    """Name of each sweep, and what it changes in the word's flow."""
    long = word == "right"
    sizes = {
        "d16": ("network.state_dim=16", *(LONG if long else ("training.starts=5",))),
        "d8": ("network.state_dim=8", f"training.starts={16 if long else 8}", SHORT),
        "d4": ("network.state_dim=4", *(WIDE if long else ("training.starts=16", *MILD))),
        "d16-last": (
            "network.state_dim=16", f"training.starts={5 if long else 4}", SHORT, *LAST_FRAME
        ),
    }  # fmt: skip
    baselines = (("mingru", 16), ("lru", 12), ("bmru", 14), ("gru", 9))
    others = {
        f"{cell}{units}": (f"network.state_dim={units}", f"network.cell={cell}", *FREE)
        for cell, units in baselines
    }
    found: dict[str, tuple[str, ...]] = {**sizes, **others}
    return {f"{word}-{name}": changes for name, changes in found.items()}


def sweep(word: str, changes: tuple[str, ...], data: list[Path], folder: Path, jobs: int) -> None:
    command = [sys.executable, "-m", "codesign", "sweep", f"kws_{word}", "--seeds", "5"]
    command += ["--over", changes[0], "--jobs", str(jobs), "--run", str(folder)]
    for change in changes[1:]:
        command += ["--set", change]
    for path in data:
        command += ["--data", str(path)]
    subprocess.run(command, check=True)


def row(name: str, folder: Path) -> dict[str, object]:
    runs = pd.read_parquet(folder / "runs.parquet")
    test = 100 * runs["test_balanced_accuracy"].to_numpy()
    control = 100 * runs["memoryless_test_balanced_accuracy"].to_numpy()
    return {
        "network": name,
        "parameters": int(runs["parameters"].iloc[0]),
        "starts x steps": f"{runs['starts'].iloc[0]} x {runs['steps'].iloc[0]}",
        "test, mean of 5": f"{test.mean():.1f}",
        "worst": f"{test.min():.1f}",
        "seeds": " ".join(f"{x:.1f}" for x in test),
        "validation": f"{100 * runs['validation_balanced_accuracy'].mean():.1f}",
        "no memory": "" if np.isnan(control).all() else f"{control.mean():.1f}",
        "s a run": f"{runs['wall_s'].mean():.0f}",
    }


def markdown(table: pd.DataFrame) -> str:
    heads = list(table.columns)
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    lines += ["| " + " | ".join(map(str, line)) + " |" for line in table.itertuples(index=False)]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--run", type=Path, default=Path("runs/speech"))
    parser.add_argument("--words", nargs="+", choices=("right", "yes"), default=["right", "yes"])
    parser.add_argument("--only", help="sweeps whose name contains this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, help="folder for speech.md")
    given = parser.parse_args()
    rows = []
    for word in given.words:
        for name, changes in networks(word).items():
            if given.only and given.only not in name:
                continue
            sweep(word, changes, given.data, given.run / name, given.jobs)
            rows.append(row(name, given.run / name))
    text = markdown(pd.DataFrame(rows))
    print(text)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "speech.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
