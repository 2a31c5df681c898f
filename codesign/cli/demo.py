"""``codesign demo``: all stages on embedded data."""

from pathlib import Path

import click

from codesign.circuit.export import export_design
from codesign.cli import export_netlist, simulate, simulated
from codesign.cli.options import console, pdk_root_option
from codesign.cli.train import train_run
from codesign.errors import EnvironmentMissing
from codesign.flows import Flow, load_flow
from codesign.pdk import find_pdk
from codesign.report import build_report
from codesign.simulation.run import Options
from codesign.spice.ngspice import find_ngspice

FLOW = "digits"
SHIPPED = "generic180"


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
    keeps what is finished. Where no PDK is installed it takes generic180, the textbook process
    that ships with codesign, and says so here and on the page.
    """
    # What the later stages need is looked for before minutes are spent on the first.
    find_ngspice()
    flow = _flow(overrides, pdk_root)
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
    simulated.describe(figures)
    console.print("[bold]4 of 4[/] report")
    click.echo(build_report(opened))


def _flow(overrides: tuple[str, ...], pdk_root: Path | None) -> Flow:
    """The demo's flow, in the process that ships where the default one has no models.

    A process or an installation that the user named is never replaced (EnvironmentMissing).
    """
    flow = load_flow(FLOW, overrides)
    named = pdk_root is not None or any(key.startswith("hardware.pdk=") for key in overrides)
    try:
        find_pdk(flow.hardware.pdk, pdk_root)
    except EnvironmentMissing:
        if named:
            raise
        console.print(
            f"[bold]No models of {flow.hardware.pdk} on this machine: the demo runs in {SHIPPED}"
            "[/], a process of textbook values that no silicon stands behind. "
            "'codesign doctor' says how to install a real one."
        )
        flow = load_flow(FLOW, (*overrides, f"hardware.pdk={SHIPPED}"))
    return flow
