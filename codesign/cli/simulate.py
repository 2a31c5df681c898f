"""``codesign simulate``: test clips through ngspice, compared with the software twin."""

from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from codesign.cli.options import console, pdk_root_option, run_argument
from codesign.errors import SpecificationFailed
from codesign.report import build_report
from codesign.runs import Run, open_run
from codesign.simulation.run import Options, simulate
from codesign.simulation.sample import Ending


@click.command()
@run_argument
@click.option("--clips", type=click.IntRange(min=1), help="Test clips to simulate.")
@click.option("--jobs", type=click.IntRange(min=1), help="ngspice processes at a time.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds after which a sample is stopped and counted as failed.",
)
@click.option(
    "--min-agreement",
    type=click.FloatRange(0, 1),
    help="Exit with 1 when fewer decisions than this part equal the twin's.",
)
@click.option("--fresh", is_flag=True, help="Discard finished samples and simulate all again.")
@pdk_root_option
def command(
    run: Path | None,
    clips: int | None,
    jobs: int | None,
    timeout_s: float | None,
    min_agreement: float | None,
    fresh: bool,
    pdk_root: Path | None,
) -> None:
    """Simulate test clips of RUN at transistor level and compare them with the software twin.

    One ngspice process per clip. Finished samples are kept: an interrupted call is continued by
    the same call. Writes RUN/sim/nominal and the report. RUN is a run folder; without it the
    newest run under ./runs is taken.
    """
    opened = open_run(run)
    options = Options(clips, jobs, timeout_s, min_agreement, pdk_root, fresh)
    figures = simulate_with_progress(opened, options)
    describe(figures)
    build_report(opened)
    click.echo(opened.sim_dir())
    check_agreement(figures, min_agreement)


def simulate_with_progress(run: Run, options: Options) -> dict[str, Any]:
    """Simulate with a bar that counts samples and failures."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[failed]}"),
    )  # fmt: skip
    failed = 0
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("ngspice", total=None, failed="")

        def show(done: int, total: int, ending: Ending | None) -> None:
            nonlocal failed
            failed += ending is not None and ending.status != "ok"
            bar.update(task, completed=done, total=total, failed=f"{failed} failed" * bool(failed))

        return simulate(run, options, show)


def describe(figures: dict[str, Any]) -> None:
    """The headline figures, with their denominators."""
    console.print(f"samples: {figures['samples_ok']} of {figures['samples_total']} ran to the end")
    if not figures["samples_ok"]:
        return
    low, high = figures["vote_agreement_interval"]
    console.print(
        f"decisions equal to the twin's: {figures['decisions_agreeing']} of "
        f"{figures['samples_ok']} (95 % interval {100 * low:.1f} to {100 * high:.1f} %), "
        f"{len(figures['near_ties'])} near-ties"
    )
    for item in figures["differing"]:
        console.print(f"  differs: {item['clip_id']}: {item['explanation']}", markup=False)
    changed = figures["state_agreement_changed"]
    console.print(
        f"states equal: {100 * figures['state_agreement']:.3f} % of {figures['state_count']}"
        + (
            f", {100 * changed:.2f} % of the {figures['state_changed_count']} that change"
            if changed is not None
            else ""
        )
    )
    console.print(
        f"accuracy on these clips: {100 * figures['chip_accuracy']:.1f} % transistors, "
        f"{100 * figures['twin_accuracy']:.1f} % software"
    )
    console.print(
        f"mean power {figures['mean_power_w'] * 1e9:.1f} nW: recurrent cells "
        f"{figures['mean_power_cells_w'] * 1e9:.1f}, feed-forward "
        f"{figures['mean_power_feedforward_w'] * 1e9:.1f}, bias "
        f"{figures['mean_power_bias_w'] * 1e9:.1f}"
    )


def check_agreement(figures: dict[str, Any], min_agreement: float | None) -> None:
    """Raise SpecificationFailed when the stated agreement was not reached."""
    if min_agreement is None:
        return
    agreement = figures["vote_agreement"]
    if agreement is None or agreement < min_agreement:
        shown = "no sample" if agreement is None else f"{100 * agreement:.2f} % of decisions"
        raise SpecificationFailed(
            f"The specification --min-agreement {min_agreement:g} failed: {shown} agreed."
        )
