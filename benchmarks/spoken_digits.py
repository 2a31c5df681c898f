"""Spoken digits: FQ-BMRU, minGRU and no memory, on held-out voices and on held-out recordings.

    python benchmarks/spoken_digits.py --data DIR --out reports/spoken_digits

Every row is one training of ``flows/fsdd.toml`` with so many independent starts ("seeds": their
own initial weights and batches), each judged on the test split at the checkpoint that validation
chose; nothing is chosen by the test split. The protocol "speaker" holds out one voice for the test
and the next for validation, for each of the six voices in turn; "official" tests on recordings 0 to
4 of every voice. The memoryless column is the control trained beside FQ-BMRU (a quarter as many
starts, the kept one). Rows already in OUT/results.json are not trained again, so that an
interrupted call goes on; --only limits what is trained now.
"""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

from codesign.files import read_json, write_json, write_text
from codesign.flows import load_flow
from codesign.training import train

VOICES = ("theo", "george", "jackson", "lucas", "nicolas", "yweweler")
CELLS = ("fq_bmru", "mingru")


def protocols() -> dict[str, tuple[str, ...]]:
    """Name of each split of the data, and what it sets in the flow."""
    found: dict[str, tuple[str, ...]] = {"official": ("task.split=official",)}
    for number, voice in enumerate(VOICES):
        after = VOICES[(number + 1) % len(VOICES)]
        found[f"speaker {voice}"] = (
            "task.split=speaker",
            f'task.test_speakers=["{voice}"]',
            f'task.validation_speakers=["{after}"]',
        )
    return found


def measure(cell: str, settings: tuple[str, ...], data: Path, jobs: int) -> dict[str, Any]:
    """One training; balanced accuracies on the test split."""
    flow = load_flow("fsdd", (f"network.cell={cell}", *settings))
    began, cpu = time.monotonic(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        run = train(flow, Path(folder) / "run", data, jobs=jobs)
        metrics = read_json(run.metrics_file, "the metrics of a run")
    control = metrics.get("memoryless")
    return {
        "starts": [start["test_balanced_accuracy"] for start in metrics["starts"]],
        "kept": metrics["splits"]["test"]["balanced_accuracy"],
        "validation_kept": metrics["splits"]["validation"]["balanced_accuracy"],
        "memoryless_kept": control["test"]["balanced_accuracy"] if control else None,
        "test_clips": metrics["splits"]["test"]["count"],
        "parameters": metrics["parameters"]["total"],
        "wall_s": time.monotonic() - began,
        "cpu_s": time.process_time() - cpu,
    }


def table(results: dict[str, Any]) -> str:
    """The rows as a Markdown table, with the mean over voices last."""
    lines = [
        "| split | cell | parameters | test clips | mean | worst | best | kept | memoryless |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    by_cell: dict[str, list[dict[str, Any]]] = {}
    for key, row in results.items():
        protocol, cell, decision = key.split(" / ")
        lines.append(_line(f"{protocol}, {decision}", cell, row, row["starts"], [row]))
        if protocol.startswith("speaker"):
            by_cell.setdefault(f"{cell} / {decision}", []).append(row)
    for key, rows in by_cell.items():
        cell, decision = key.split(" / ")
        starts = [value for row in rows for value in row["starts"]]
        title = f"**{len(rows)} of {len(VOICES)} voices in turn, {decision}**"
        lines.append(_line(title, cell, rows[0], starts, rows))
    return "\n".join(lines) + "\n"


def _line(
    title: str, cell: str, row: dict[str, Any], starts: list[float], rows: list[dict[str, Any]]
) -> str:
    clips = sum(one["test_clips"] for one in rows)
    kept = np.mean([one["kept"] for one in rows])
    control = [one["memoryless_kept"] for one in rows if one["memoryless_kept"] is not None]
    figures = [np.mean(starts), min(starts), max(starts), kept]
    shown = [f"{100 * value:.1f} %" for value in figures]
    shown.append(f"{100 * np.mean(control):.1f} %" if control else "")
    return f"| {title} | {cell} | {row['parameters']} | {clips} | {' | '.join(shown)} |"


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--only", multiple=True, help="Part of a row's name, as in official or mingru.")
@click.option("--set", "overrides", multiple=True, help="Change one key of the flow in every row.")
@click.option("--decision", default="mean_logit", show_default=True)
@click.option("--jobs", type=int, default=0, help="Processes at a time [one per core].")
def main(
    data: Path,
    out: Path,
    only: tuple[str, ...],
    overrides: tuple[str, ...],
    decision: str,
    jobs: int,
) -> None:
    """Train what is missing and print the table."""
    file = out / "results.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    results: dict[str, Any] = known.get("rows", {})
    if known and known["overrides"] != list(overrides):
        raise click.UsageError(
            f"{file} was made with --set {known['overrides']}; take another --out."
        )
    for protocol, settings in protocols().items():
        for cell in CELLS:
            key = f"{protocol} / {cell} / {decision}"
            if key in results or not all(part in key for part in only):
                continue
            choice = (*settings, f'training.decision="{decision}"', *overrides)
            results[key] = measure(cell, choice, data, jobs)
            write_json(file, {"overrides": list(overrides), "rows": results})
            write_text(out / "table.md", table(results))
            click.echo(f"{key}: {json.dumps(results[key])}", err=True)
    click.echo(table(results))


if __name__ == "__main__":
    main()
