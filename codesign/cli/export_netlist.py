"""``codesign export-netlist``: map a run's network to transistors and write the netlists."""

from pathlib import Path
from typing import Any

import click

from codesign.analysis.strategies import strategy_lines
from codesign.circuit.export import export_design
from codesign.circuit.strategies import compare_strategies
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
@click.option(
    "--compare",
    is_flag=True,
    help="Also design, measure and price the other mapping strategies (strategies.json).",
)
def command(
    run: Path | None, overrides: tuple[str, ...], pdk_root: Path | None, compare: bool
) -> None:
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
    if compare:
        with console.status("comparing strategies") as status:
            found = compare_strategies(opened, pdk_root, lambda text: status.update(text))
        for line in strategy_lines(found):
            console.print(line, markup=False, highlight=False)
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
    for line in _range_lines(facts["ranges"]):
        console.print(line, markup=False)
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


def _range_lines(ranges: dict[str, Any]) -> list[str]:
    """Nodes outside the range the devices support, and the unit currents that keep all inside."""
    lines = [
        f"  out of range: {node['node']} {problem}"
        for node in ranges["outside"]
        for problem in node["problems"]
    ]
    for weights, raised in ranges["raised_states"].items():
        lines += [
            f"  {item['node']} can be {item['factor']:.3g} times larger for the same function with "
            f"{weights} weights" + ("." if item["enough"] else ", which is not enough.")
            for item in raised
        ]
    found, largest = ranges["suggestion"], ranges["largest"]
    if found["possible"]:
        lines.append(
            f"The largest node current is {largest['units']:.3g} units ({largest['node']}); unit "
            f"currents from {found['lowest_unit_a'] * 1e9:.3g} to "
            f"{found['highest_unit_a'] * 1e9:.3g} nA keep every node in range "
            f"({found['lowest_because']}, {found['highest_because']})."
        )
    else:
        lines.append(
            f"No unit current keeps every node in range: {found['lowest_because']} needs "
            f"{found['lowest_unit_a'] * 1e9:.3g} nA, {found['highest_because']} at most "
            f"{found['highest_unit_a'] * 1e9:.3g} nA."
        )
    return lines
