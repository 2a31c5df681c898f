"""``codesign sweep``: train a flow in many variants and seeds, and say how they compare."""

from pathlib import Path

import click
from rich import box
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from codesign.cli.options import console, data_option
from codesign.errors import SpecificationFailed
from codesign.flows import load_flow
from codesign.report.sweep import build_sweep_page, label
from codesign.runs import RUNS
from codesign.search.execute import cores
from codesign.search.leaderboard import NOTE, RUN_COLUMNS
from codesign.search.plan import plan_runs
from codesign.search.run import Sweep, SweepOptions, run_sweep
from codesign.search.space import drawn, grid, parse_axis
from codesign.simulation.cluster import check_scheduler

_LISTED = 30


@click.command()
@click.argument("flow", required=False)
@click.option(
    "--over",
    "axes",
    multiple=True,
    metavar="KEY=VALUE,VALUE",
    help="A key of the flow and the values to try, as in network.state_dim=4,8,16; repeat it for "
    "all combinations. With --random also KEY=LOW..HIGH, or LOW..HIGH:log.",
)
@click.option(
    "--seeds", type=click.IntRange(1, 1000), default=5, show_default=True,
    help="Seeds of each combination, from the flow's own on.",
)  # fmt: skip
@click.option(
    "--random", "count", type=click.IntRange(1, 100_000), metavar="N",
    help="Try N random combinations instead of all.",
)  # fmt: skip
@click.option(
    "--random-seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True,
    help="Which random combinations; a larger N keeps those of a smaller one.",
)  # fmt: skip
@click.option(
    "--run",
    "folder",
    type=click.Path(path_type=Path),
    help="Sweep folder [runs/<flow name>-sweep].",
)
@data_option
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE",
    help="Change one key of the flow in all combinations, as in training.steps=500.",
)  # fmt: skip
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Runs at a time, one core each [one per core]."
)
@click.option(
    "--scheduler", metavar="ADDRESS",
    help="Train the runs on a Dask cluster: tcp://host:port of its scheduler, or local[:N] for one "
    "of this machine. The sweep folder must be on a disk that all workers share.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Train finished runs again.")
def command(
    flow: str | None,
    axes: tuple[str, ...],
    seeds: int,
    count: int | None,
    random_seed: int,
    folder: Path | None,
    data_dirs: tuple[Path, ...],
    overrides: tuple[str, ...],
    jobs: int | None,
    scheduler: str | None,
    force: bool,
) -> None:
    """Train FLOW in every combination of --over and --seeds, and rank the combinations.

    Each combination and seed is an ordinary run folder below the sweep's. The ranking is by the
    mean on validation over seeds, never by test; leaderboard.parquet, runs.parquet and sweep.html
    hold it. A run that fails is reported with its reason and stops no other; the exit code is then
    1. The same command continues an interrupted sweep, takes finished runs as they are and tries
    failed ones again.
    """
    if scheduler is not None:
        check_scheduler(scheduler)
    parsed = [parse_axis(text) for text in axes]
    combinations = grid(parsed) if count is None else drawn(parsed, count, random_seed)
    source = flow or "digits"
    planned = plan_runs(source, overrides, combinations, seeds)
    name = load_flow(source, overrides).name
    asked = {
        "flow": source, "over": list(axes), "set": list(overrides), "seeds": seeds,
        "random": count, "random_seed": random_seed,
        "data": [str(folder) for folder in data_dirs],
    }  # fmt: skip
    options = SweepOptions(data_dirs, jobs or cores(), scheduler, force)
    columns = (
        TextColumn("runs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)

        said = 0

        def show(done: float, total: int, failed: int, note: str) -> None:
            nonlocal said
            told = f"{failed} failed, {note}" if failed else note
            bar.update(task, completed=done, total=total, description=escape(told))
            if not console.is_terminal and note and int(done) > said:
                said = int(done)
                console.print(f"{said} of {total} runs: {told}", markup=False)

        def say(text: str) -> None:
            console.print(text, markup=False)

        sweep = run_sweep(planned, folder or RUNS / f"{name}-sweep", asked, options, show, say)
    build_sweep_page(sweep.folder)
    console.print(board_of(sweep))
    console.print(NOTE, markup=False)
    click.echo(sweep.folder)
    _refuse_failed(sweep)


def board_of(sweep: Sweep) -> Table:
    """The first combinations as a table of the terminal, percent."""
    keys = [key for key in sweep.runs.columns if key not in RUN_COLUMNS]
    left = len(sweep.board) - _LISTED
    more = f" ({left} more in leaderboard.parquet)" if left > 0 else ""
    table = Table(
        title=escape(f"{sweep.folder}: balanced accuracy over seeds, %{more}"), title_style="",
        title_justify="left", box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0),
    )  # fmt: skip
    table.add_column("", justify="right")
    table.add_column("", no_wrap=True)
    heads = ("valid.", "test", "worst", "best", "no mem.", "seeds", "param.", "steps", "s/run")
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    for row in sweep.board.head(_LISTED).to_dict("records"):
        seeds = f"{row['finished']}" + (f", {row['failed']} failed" if row["failed"] else "")
        shares = ("validation_mean", "test_mean", "test_worst", "test_best", "memoryless_mean")
        table.add_row(
            str(row["rank"] or "-"),
            escape(label(row, keys).replace(", ", "\n")),
            *(_shown(100 * row[share], ".1f") for share in shares),
            seeds,
            _shown(row["parameters"], ".0f"),
            str(row["steps"]),
            _shown(row["wall_s"], ".1f"),
        )
    return table


def _shown(value: float, form: str) -> str:
    return "-" if value != value else format(value, form)


def _refuse_failed(sweep: Sweep) -> None:
    failed = sweep.failed
    if failed.empty:
        return
    for _, row in failed.iterrows():
        console.print(f"{row['run']}: {row['reason']}", markup=False)
    raise SpecificationFailed(
        f"{len(failed)} of {len(sweep.runs)} runs failed, for the reasons above; the others have "
        "finished. The same command tries them again."
    )
