"""``codesign export-netlist``: map a run's network to transistors and write the netlists."""

from pathlib import Path

import click

from codesign.circuit.export import export_design
from codesign.cli.options import console, hardware_set_option, pdk_root_option, run_argument
from codesign.errors import InputError
from codesign.files import read_json
from codesign.flows import HardwareSection, load_flow
from codesign.runs import Run, open_run


def hardware_of(run: Run, overrides: tuple[str, ...]) -> HardwareSection:
    """The hardware specification of a run with changes; only ``hardware`` keys may change."""
    for override in overrides:
        if not override.startswith("hardware."):
            raise InputError(
                f"--set {override}: only hardware keys can change after training, as in "
                "hardware.cell=async; for the others train again."
            )
    return load_flow(run.flow_file, overrides).hardware


@click.command("export-netlist")
@run_argument
@hardware_set_option
@pdk_root_option
def command(run: Path | None, overrides: tuple[str, ...], pdk_root: Path | None) -> None:
    """Map every learned parameter of RUN to one device and write the design.

    Writes RUN/design: mapping.csv, design.json, network.cir with its cell library, a stimulus and
    a test bench ('ngspice -b testbench.cir' runs it). RUN is a run folder; without it the newest
    run under ./runs is taken.
    """
    opened = open_run(run)
    hardware = hardware_of(opened, overrides)
    with console.status("mapping") as status:
        folder = export_design(opened, hardware, pdk_root, lambda text: status.update(text))
    describe(folder)
    click.echo(folder)


def describe(folder: Path) -> None:
    """What was made, and by name what the hardware cannot represent."""
    facts = read_json(folder / "design.json", "the design")
    power = facts["predicted_power_w"]["total"]
    console.print(
        f"{facts['parameters_learned']} parameters in {facts['parameter_rows']} rows "
        f"({facts['zero_weights']} weights are zero and need no device), "
        f"{facts['transistors']} transistors, {facts['gate_area_m2'] * 1e12:,.0f} um2 of gate, "
        f"about {power * 1e9:.0f} nW expected."
    )
    problems = facts["unrepresentable"]
    for item in problems:
        console.print(
            f"  not representable: {item['parameter']} = {item['software_value']:.6g} "
            f"-> {item['realised_value']:.6g} ({item['reason']})",
            markup=False,
        )
    effect = facts["unrepresentable_effect"]
    if effect:
        console.print(
            f"  effect on test accuracy: {100 * effect['accuracy_software']:.2f} % in software, "
            f"{100 * effect['accuracy_realised']:.2f} % as realised."
        )
