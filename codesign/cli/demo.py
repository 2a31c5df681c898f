"""``codesign demo``: all stages on embedded data."""

from pathlib import Path

import click

from codesign.circuit.export import export_design
from codesign.cli import export_netlist, simulate
from codesign.cli.options import console, pdk_root_option
from codesign.cli.train import train_run
from codesign.flows import load_flow
from codesign.pdk import find_pdk
from codesign.report import build_report
from codesign.simulation.run import Options
from codesign.spice.ngspice import find_ngspice

FLOW = "digits"


@click.command()
@click.argument("run", required=False, type=click.Path(path_type=Path), default=Path("runs/demo"))
@click.option("--clips", type=click.IntRange(min=1), help="Test clips to simulate.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes at a time.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one key of the flow, as in training.starts=2.",
)
@click.option("--force", is_flag=True, help="Train again although RUN is finished.")
@pdk_root_option
def command(
    run: Path,
    clips: int | None,
    jobs: int | None,
    overrides: tuple[str, ...],
    force: bool,
    pdk_root: Path | None,
) -> None:
    """Train on real digits, map to transistors, simulate, compare and report, into RUN.

    Everything it needs is embedded. Without RUN it writes runs/demo. A demo that is run again
    keeps what is finished.
    """
    flow = load_flow(FLOW, overrides)
    # What the later stages need is looked for before minutes are spent on the first.
    find_ngspice()
    find_pdk(flow.hardware.pdk, pdk_root)
    console.print("[bold]1 of 4[/] train")
    opened = train_run(flow, run, jobs, force)
    console.print("[bold]2 of 4[/] map to transistors")
    with console.status("mapping") as status:
        folder = export_design(opened, None, pdk_root, lambda text: status.update(text))
    export_netlist.describe(folder)
    console.print("[bold]3 of 4[/] simulate at transistor level")
    figures = simulate.simulate_with_progress(
        opened, Options(clips=clips, jobs=jobs, pdk_root=pdk_root)
    )
    simulate.describe(figures)
    console.print("[bold]4 of 4[/] report")
    click.echo(build_report(opened))
