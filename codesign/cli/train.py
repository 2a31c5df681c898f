"""``codesign train``: learn a network from a flow."""

from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from codesign.cli.options import console, data_option, pdk_root_option
from codesign.errors import InputError
from codesign.files import read_json
from codesign.flows import Flow, load_flow
from codesign.report import build_report
from codesign.runs import RUNS, Run, open_run
from codesign.tasks import DataDirs
from codesign.training import is_finished, train


@click.command()
@click.argument("flow", required=False)
@click.option(
    "--refine",
    "source",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Continue the network of RUN on the sub-stepped twin of its circuit [into RUN-refined].",
)
@click.option(
    "--run", "run_dir", type=click.Path(path_type=Path), help="Run folder [runs/<flow name>]."
)
@data_option
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one key of the flow, as in training.steps=500.",
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Seed of the flow.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes at a time [one per core].")
@click.option(
    "--force",
    is_flag=True,
    help="Train again, discarding the model in the run folder and all that was made from it.",
)
@pdk_root_option
def command(
    flow: str | None,
    source: Path | None,
    run_dir: Path | None,
    data_dirs: tuple[Path, ...],
    overrides: tuple[str, ...],
    seed: int | None,
    jobs: int | None,
    force: bool,
    pdk_root: Path | None,
) -> None:
    """Train FLOW, a TOML file or the name of a shipped flow (digits without one).

    Several independent starts are trained and validation chooses among them; a control without
    memory is trained beside them. An interrupted call is continued by the same call, and the
    result does not depend on --jobs. Writes the run folder and its report.

    With --refine the flow is that of RUN, changed by --set; its network goes on learning with the
    transistors' delays, charges and drains in its forward pass, which needs ngspice and the PDK.
    """
    if seed is not None:
        overrides = (*overrides, f"seed={seed}")
    if source is not None:
        if flow is not None or force or jobs is not None:
            raise InputError(
                "--refine takes the flow of its run and one process: leave FLOW, --jobs and "
                "--force away."
            )
        run = refine_run(open_run(source), run_dir, overrides, data_dirs, pdk_root)
        build_report(run)
        click.echo(run.path)
        return
    recipe = load_flow(flow or "digits", overrides)
    run = train_run(recipe, run_dir or RUNS / recipe.name, jobs, force, data_dirs)
    build_report(run)
    click.echo(run.path)


def train_run(
    flow: Flow, run_dir: Path, jobs: int | None, force: bool, data_dir: DataDirs = None
) -> Run:
    """Train with a progress bar, then say what was reached."""
    reused = is_finished(Run(run_dir)) and not force
    columns = (
        TextColumn("training"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None, visible=not reused)

        def show(done: int, total: int, note: str) -> None:
            bar.update(task, completed=done, total=total, description=note)

        run = train(flow, run_dir, data_dir, jobs=jobs or 0, force=force, on_progress=show)
    if reused:
        console.print(
            f"{run.path} is finished; reusing its model (--force trains it again)", markup=False
        )
    metrics = read_json(run.metrics_file, "the metrics of a run")
    try:
        describe(metrics)
    except (KeyError, TypeError, ValueError, StopIteration, AttributeError) as error:
        raise InputError(
            f"{run.metrics_file} is not the metrics of a finished training ({error!r}); train it "
            "again with 'codesign train --force'."
        ) from error
    return run


def refine_run(
    source: Run,
    run_dir: Path | None,
    overrides: tuple[str, ...],
    data_dir: DataDirs,
    pdk_root: Path | None,
) -> Run:
    """Refine with a progress bar, then say what was gained."""
    # Late: the twins load the circuit and device modules, which training does without.
    from codesign.refine import refine

    target = run_dir or source.path.with_name(f"{source.path.name}-refined")
    recipe = load_flow(source.flow_file, overrides)
    columns = (
        TextColumn("refining"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def show(done: int, total: int, note: str) -> None:
            bar.update(task, completed=done, total=total, description=note)

        run = refine(source, target, recipe, data_dir, pdk_root, show)
    metrics = read_json(run.metrics_file, "the metrics of a run")
    describe(metrics)
    describe_refined(metrics["refined"])
    return run


def describe_refined(refined: dict[str, Any]) -> None:
    """Before and after, on test clips, as the sub-stepped twin sees them."""
    table = Table(
        title=f"refined from {escape(refined['source'])}: step {refined['step']} of "
        f"{refined['steps']} kept; circuit as the sub-stepped twin predicts it, test clips",
        title_style="",
        title_justify="left",
    )
    names = ("", "accuracy", "decisions differing", "states differing", "where they change",
             "candidates apart")  # fmt: skip
    for name in names:
        table.add_column(name, justify="right" if name else "left")
    for name, item in refined["test"].items():
        table.add_row(
            name,
            _percent(item["accuracy"]),
            f"{item['decisions_differing']} of {item['clips']}",
            f"{item['states_differing']} of {item['states']}",
            f"{item['changes_differing']} of {item['changes']}",
            f"{item['candidate_error_units']:.4f} units",
        )
    console.print(table)


def describe(metrics: dict[str, Any]) -> None:
    """Accuracy beside the memoryless control, and the margins a circuit depends on.

    A baseline has neither.
    """
    control, margin = metrics.get("memoryless"), metrics.get("margin")
    table = Table(
        title=escape(metrics["task"]["description"]), title_style="", title_justify="left"
    )
    table.add_column("split")
    for name in ("clips", "accuracy", "balanced", *(["balanced, no memory"] if control else [])):
        table.add_column(name, justify="right")
    for name, scores in metrics["splits"].items():
        table.add_row(
            name,
            str(scores["count"]),
            _percent(scores["accuracy"]),
            _percent(scores["balanced_accuracy"]),
            *([_percent(control[name]["balanced_accuracy"])] if control else []),
        )
    console.print(table)
    if "bits_per_frame" in metrics["splits"]["test"]:
        console.print(f"test: {metrics['splits']['test']['bits_per_frame']:.3f} bits per frame")
    if margin:
        console.print(
            f"margins on test clips: {_percent(margin['fraction_within_0.05_units'])} of "
            f"candidates within 0.05 units of a threshold, {_percent(margin['near_tie_fraction'])} "
            "of decisions within 0.1 units; largest node current "
            f"{margin['max_node_current_units']:.1f} units"
        )
    starts = metrics["starts"]
    kept = next(start for start in starts if start["selected"])
    console.print(
        f"kept start {kept['start']} of {len(starts)} by {metrics['selection']}; "
        f"{metrics['parameters']['total']} parameters of a {metrics['cell']} network, "
        f"{metrics['wall_s']:.1f} s"
    )


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"
