"""``codesign pdk compare``: the same network in several processes, side by side."""

from pathlib import Path
from typing import Any, cast

import click

from codesign.cli.export_netlist import hardware_of
from codesign.cli.options import console, hardware_set_option, pdk_root_option, run_argument
from codesign.errors import SpecificationFailed
from codesign.report.processes import build_processes_page, table_text
from codesign.runs import open_run
from codesign.simulation.engines import EngineName
from codesign.simulation.processes import PROCESSES, compare_processes, processes_dir
from codesign.simulation.run import Options

CLIPS = 8


def _names(_context: click.Context, _option: click.Parameter, given: str | None) -> Any:
    if given is None:
        return None
    names = [name.strip() for name in given.split(",") if name.strip()]
    if not names:
        raise click.BadParameter("names no process; give names with commas between.")
    return names


@click.command("compare")
@run_argument
@click.option(
    "--pdks",
    callback=_names,
    metavar="NAME,NAME",
    help=f"Processes to compare. [default: those of {', '.join(PROCESSES)} on this machine]",
)
@click.option(
    "--clips", type=click.IntRange(min=1), default=CLIPS, show_default=True,
    help="Test clips simulated in each process, the same ones.",
)  # fmt: skip
@click.option(
    "--engine", type=click.Choice(("auto", "ngspice", "batched")), default="ngspice",
    show_default=True, help="What advances the transistors, as in 'codesign simulate'.",
)  # fmt: skip
@click.option("--jobs", type=click.IntRange(min=1), help="ngspice processes at a time.")
@hardware_set_option
@pdk_root_option
def command(
    run: Path | None,
    pdks: list[str] | None,
    clips: int,
    engine: str,
    jobs: int | None,
    overrides: tuple[str, ...],
    pdk_root: Path | None,
) -> None:
    """Map RUN's network in each process, simulate the same clips, and put the results in a table.

    Each process is calibrated by itself and gets a run folder, RUN/pdks/NAME, on which the other
    commands work; the table is RUN/pdks/index.html and summary.json. Sizes and supplies that a
    process cannot take are moved to its limits, and listed. Exit code 1 when the network cannot
    be built or simulated in one of them.
    """
    opened = open_run(run)
    options = Options(clips=clips, jobs=jobs, pdk_root=pdk_root, engine=cast(EngineName, engine))
    with console.status("mapping") as status:

        def show(done: int, total: int, failed: int, retried: int = 0, kept: int = 0) -> None:
            status.update(f"simulating: {done} of {total}" + f", {failed} failed" * bool(failed))

        summary = compare_processes(
            opened, pdks, hardware_of(opened, overrides), options, show,
            lambda line: console.print(line, markup=False),
        )  # fmt: skip
    page = build_processes_page(processes_dir(opened), summary)
    console.print(table_text(summary), markup=False)
    click.echo(page)
    failed = [name for name, facts in summary["processes"].items() if "failed" in facts]
    if failed:
        raise SpecificationFailed(
            f"The network could not be built or simulated in {', '.join(failed)}; {page} says why."
        )
