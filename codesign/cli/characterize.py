"""``codesign characterize``: measure the devices of a process point and write what was found."""

from pathlib import Path

import click
import numpy as np

from codesign.checkpoint import load_chip_model
from codesign.circuit.export import check_limits
from codesign.cli.export_netlist import hardware_of
from codesign.cli.options import console, hardware_set_option, pdk_root_option
from codesign.device.bench import find_point
from codesign.device.calibrate import Values, calibrate
from codesign.device.characterise import characterise
from codesign.device.characterization_files import read_characterization, write_characterization
from codesign.errors import InputError, SpecificationFailed
from codesign.flows import HardwareSection, default_hardware
from codesign.provenance import made_with
from codesign.report.characterization import build_characterization
from codesign.runs import Run, open_run


@click.command("characterize")
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--pdk", metavar="NAME", help="Process, as hardware.pdk does.")
@click.option("--corner", metavar="NAME", help="Corner, as hardware.corner does.")
@hardware_set_option
@pdk_root_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder to write to [RUN/characterization, or characterization/PDK_CORNER].",
)
def command(
    run: Path | None,
    pdk: str | None,
    corner: str | None,
    overrides: tuple[str, ...],
    pdk_root: Path | None,
    out: Path | None,
) -> None:
    """Measure mirrors, weights, cells, capacitances, leakage, mismatch and noise in ngspice.

    Without RUN: the default hardware specification, and cells spread over the bias range. With
    RUN: the specification of that run's flow, and the cells its network asks for. Every sweep is
    remembered by what it depends on (model files, sizes, supply, temperature, corner, ngspice).

    Writes one parquet file per sweep, characterization.json and characterization.html. Exit code 1
    when a weight or a cell is further off than the targets.
    """
    chosen = (*_as_overrides(pdk, corner), *overrides)
    opened = None if run is None else open_run(run)
    hardware = _hardware(chosen) if opened is None else hardware_of(opened, chosen)
    point = find_point(hardware, pdk_root)
    check_limits(hardware, point.pdk)
    with console.status("measuring mirrors and the cell's map in ngspice") as status:
        calibration = calibrate(point)
        targets = [] if opened is None else _targets(opened, hardware)
        measured = characterise(calibration, targets, lambda text: status.update(text))
        folder = out or _folder(opened, hardware)
        name = None if opened is None else opened.path.resolve().name
        facts = write_characterization(folder, measured, made_with(), name)
        page = build_characterization(folder, read_characterization(folder))
    for target in facts["targets"].values():
        verdict = "met   " if target["met"] else "MISSED"
        console.print(
            f"{verdict} {target['of']}: {100 * target['value']:.3f} % "
            f"(at most {100 * target['limit']:g} %)"
        )
    for sentence in facts["outside_range"]:
        console.print(sentence, markup=False)
    click.echo(page)
    missed = [target["of"] for target in facts["targets"].values() if not target["met"]]
    if missed:
        raise SpecificationFailed(f"further off than the target: {'; '.join(missed)}.")


def _as_overrides(pdk: str | None, corner: str | None) -> tuple[str, ...]:
    named = {"pdk": pdk, "corner": corner}
    return tuple(f"hardware.{key}={value}" for key, value in named.items() if value is not None)


def _hardware(overrides: tuple[str, ...]) -> HardwareSection:
    for override in overrides:
        if not override.startswith("hardware."):
            raise InputError(
                f"--set {override}: only hardware keys matter to a characterisation, as in "
                "hardware.supply_v=1.62."
            )
    return default_hardware(overrides)


def _targets(run: Run, hardware: HardwareSection) -> list[Values]:
    """(beta_hi, width, alpha) of every cell of the run's network, inside the bias range."""
    model = load_chip_model(run)
    state = {
        key: value.detach().double().numpy() for key, value in model.network.state_dict().items()
    }
    low, high = hardware.bias_min_units, hardware.bias_max_units
    targets: list[Values] = []
    for layer in range(model.layers):
        wanted = [
            np.clip(state[f"layers.{layer}.cell.{key}"], low, high)
            for key in ("beta_hi", "width", "alpha")
        ]
        targets += [(float(a), float(b), float(c)) for a, b, c in zip(*wanted, strict=True)]
    return targets


def _folder(run: Run | None, hardware: HardwareSection) -> Path:
    if run is not None:
        return run.path / "characterization"
    return Path("characterization") / f"{hardware.pdk}_{hardware.corner}"
