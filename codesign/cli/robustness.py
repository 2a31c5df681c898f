"""``codesign robustness``: what parameter noise, leaks and offsets cost trained networks."""

import math
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from codesign.cli.options import console
from codesign.errors import InputError
from codesign.report.robustness import build_robustness_page
from codesign.robustness.results import study_runs, write_results
from codesign.robustness.study import Conditions, load_subject
from codesign.runs import RUNS, open_run

_SHORT = {
    "percent": "noise, %",
    "leak": "leak",
    "leak_uniform": "leak, unit",
    "offset": "offset, unit",
}
_MOST_PERCENT, _MOST_UNITS = 300.0, 10.0


@click.command()
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path), metavar="[RUN]...")
@click.option(
    "--percent", default="5,10,15", show_default=True, metavar="P,P",
    help="Noise on every parameter, percent; a three-sigma figure.",
)  # fmt: skip
@click.option(
    "--leak", default="0.01,0.02,0.03,0.05", show_default=True, metavar="U,U",
    help="Currents into the candidates, in units: a leak that all share, one drawn for every unit, "
    "and an offset of either sign.",
)  # fmt: skip
@click.option(
    "--draws", type=click.IntRange(2, 100_000), default=200, show_default=True,
    help="Draws of each disturbance that is drawn.",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True,
    help="Seed of the draws; draw k depends on it and k alone.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path),
    help="Folder of the results [RUN/robustness, of several runs runs/robustness].",
)  # fmt: skip
def command(
    runs: tuple[Path, ...], percent: str, leak: str, draws: int, seed: int, out: Path | None
) -> None:
    """Disturb the networks of trained runs and decide their stored test clips again.

    Any cell; several runs are shown side by side, grouped by cell and size (seeds of one network
    belong together). Writes robustness.json, robustness.parquet and robustness.html. Without RUN
    the newest run is taken.
    """
    conditions = Conditions(
        _levels("--percent", percent, _MOST_PERCENT), _levels("--leak", leak, _MOST_UNITS),
        draws, seed,
    )  # fmt: skip
    subjects = [load_subject(open_run(path)) for path in runs or (None,)]
    if out is None:
        single = len(subjects) == 1
        out = subjects[0].run.path / "robustness" if single else RUNS / "robustness"
    columns = (
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        tasks = {str(s.run.path): bar.add_task(escape(str(s.run.path))) for s in subjects}

        def show(run: str, done: int, total: int) -> None:
            bar.update(tasks[run], completed=done, total=total)

        table = study_runs(subjects, conditions, show)
    result = write_results(out, subjects, conditions, table)
    build_robustness_page(out)
    console.print(table_of(result))
    for item in result["targets"]:
        console.print(
            f"{item['group']}: {item['name']} at {item['level']:g}: {item['lost_points']:.2f} "
            f"points, target below {item['limit_points']:g}: {'met' if item['met'] else 'missed'}",
            markup=False,
        )
    click.echo(out)


def _levels(option: str, text: str, most: float) -> tuple[float, ...]:
    """Numbers between commas, above 0 and at most ``most``, in order."""
    levels = []
    for part in text.split(","):
        try:
            value = float(part)
        except ValueError:
            value = math.nan
        if not 0 < value <= most:
            raise InputError(
                f"{option} {text}: '{part.strip()}' is no number above 0 and at most {most:g}; "
                "give numbers with commas between."
            )
        levels.append(value)
    return tuple(sorted(set(levels)))


def table_of(result: dict[str, Any]) -> Table:
    """Groups as a table of the terminal: balanced accuracy in percent, losses in points."""
    table = Table(box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    for head in ("networks", "disturbance"):
        table.add_column(head, no_wrap=True)
    for head in ("level", "runs", "mean", "at 5%", "worst", "lost", "lost 5%"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in result["groups"]:
        if row["kind"] not in _SHORT:
            continue
        table.add_row(
            escape(row["group"]), _SHORT[row["kind"]], f"{row['level']:g}",
            str(row["runs"]), *(f"{100 * row[k]:.1f}" for k in ("mean", "p5", "worst")),
            f"{row['lost_mean_points']:.2f}", f"{row['lost_p5_points']:.2f}",
        )  # fmt: skip
    return table
