"""``codesign pdk``: the process models on this machine."""

import os
from pathlib import Path

import click

from codesign.cli import pdk_compare
from codesign.cli.options import pdk_root_option
from codesign.device.bench import ProcessPoint
from codesign.device.suited import suited
from codesign.doctor.models import check_models
from codesign.doctor.promises import check_promises
from codesign.errors import SpecificationFailed
from codesign.flows import HardwareSection
from codesign.pdk import Pdk, adapter_names, find_pdk, load_adapter, search_pdk
from codesign.pdk.variation import sigma_vth_v
from codesign.spice.ngspice import find_ngspice, ngspice_version


@click.group("pdk")
def command() -> None:
    """List, show and check the process models found on this machine.

    Models are looked for under --pdk-root, then under PDK_ROOT (with PDK naming the variant),
    then in the installed Python package, then among what ships with codesign.
    """


@command.command("list")
@pdk_root_option
def list_pdks(pdk_root: Path | None) -> None:
    """Every known process, and where its models were found."""
    for name in adapter_names():
        adapter = load_adapter(name)
        pdk, places = search_pdk(adapter, pdk_root, os.environ)
        if pdk is not None:
            click.echo(f"{name:<12} {pdk.source:<11} {pdk.sha256[:16]}  {pdk.library}")
        else:
            searched = "; ".join(f"{place.where}: {place.reason}" for place in places)
            click.echo(f"{name:<12} {'not found':<11} {searched}")


@command.command("show")
@click.argument("name")
@pdk_root_option
def show(name: str, pdk_root: Path | None) -> None:
    """What the product knows about the process NAME."""
    pdk = find_pdk(name, pdk_root)
    for key, value in _facts(pdk):
        click.echo(f"{key:<18} {value}")
    click.echo(
        f"\nSPICE lines at the first corner:\n{pdk.header(next(iter(pdk.corners)))}", nl=False
    )


@command.command("check")
@click.argument("name")
@pdk_root_option
@click.option("--corner", "corners", multiple=True, help="Only this corner; may be repeated.")
def check(name: str, pdk_root: Path | None, corners: tuple[str, ...]) -> None:
    """Try in ngspice everything the adapter of NAME promises.

    At each corner the models load and a device of each polarity conducts like a transistor; corners
    are called what they are; every size within the limits has a model; mismatch and noise reach
    the simulator; models lifted out of subcircuits equal the subcircuits; the memory cell holds
    two states. Exit code 1 when a promise is broken, 3 when the models do not load.
    """
    program = find_ngspice()
    pdk = find_pdk(name, pdk_root)
    for corner in corners:
        pdk.header(corner)  # an unknown corner is an error before anything is printed
    hw, changed = suited(HardwareSection(), pdk)
    click.echo(f"{pdk.name} from {pdk.source}: {pdk.library}")
    for line in changed:
        click.echo(f"for this process, {line}")
    click.echo(
        f"diode-connected device of {hw.weight_grid} units of {_size(hw.unit_w_m, hw.unit_l_m)} "
        f"at 1 nA, 27 degC; off current of a {_size(hw.switch_w_m, hw.switch_l_m)} switch\n"
    )
    click.echo(f"{'corner':<10} {'device':<32} {'Vgs (V)':>8} {'slope':>6} {'off (A)':>10}")
    checks = {}
    for corner in corners or tuple(pdk.corners):
        checks[corner] = check_models(program, pdk, corner, hw)
        for device in checks[corner]:
            click.echo(
                f"{corner:<10} {device.model:<32} {device.vgs_v:8.4f} {device.slope_factor:6.3f} "
                f"{device.off_a:10.2e}"
            )
    click.echo()
    point = ProcessPoint(
        pdk, hw.model_copy(update={"corner": next(iter(checks))}), program, ngspice_version(program)
    )
    broken = []
    for promise in check_promises(point, checks):
        click.echo(f"{'ok' if promise.holds else 'BROKEN':<7} {promise.name:<20} {promise.detail}")
        broken += [promise.name] * (not promise.holds)
    if broken:
        raise SpecificationFailed(
            f"The adapter '{pdk.name}' promises what its models do not hold: {', '.join(broken)}. "
            "Correct the adapter (docs/pdk.md says what each key means)."
        )


def _size(w_m: float, l_m: float) -> str:
    return f"{w_m * 1e6:g} um / {l_m * 1e6:g} um"


def _process_sigma(pdk: Pdk) -> str:
    if not pdk.process_variation:
        return "not in the adapter (no --process-variation)"
    n_v, p_v = (sigma_vth_v(pdk.process_variation, polarity) for polarity in ("n", "p"))
    return f"{n_v * 1e3:.3g} (N), {p_v * 1e3:.3g} (P) mV, shared by all devices of a chip"


def _facts(pdk: Pdk) -> list[tuple[str, str]]:
    limits = pdk.limits
    law = pdk.mismatch
    return [
        ("name", pdk.name),
        ("title", pdk.title),
        ("found", pdk.source),
        ("library", str(pdk.library)),
        ("model files", ", ".join(path.name for path in pdk.model_files)),
        ("sha256", pdk.sha256),
        ("NMOS, PMOS", f"{pdk.nmos}, {pdk.pmos}"),
        ("corners", ", ".join(f"{name} ({lib})" for name, lib in pdk.corners.items())),
        ("largest supply", f"{pdk.supply_max_v:g} V"),
        ("width", f"{limits.w_min_m * 1e6:g} to {limits.w_max_m * 1e6:g} um"),
        ("length", f"{limits.l_min_m * 1e6:g} to {limits.l_max_m * 1e6:g} um"),
        (
            "A_VT (pair)",
            f"{law.nmos.a_vt_v_m * 1e9:.3g} (N), {law.pmos.a_vt_v_m * 1e9:.3g} (P) mV um",
        ),
        ("A_K (pair)", f"{law.nmos.a_k_m * 1e8:.3g} (N), {law.pmos.a_k_m * 1e8:.3g} (P) % um"),
        ("process, sigma(Vth)", _process_sigma(pdk)),
    ]


command.add_command(pdk_compare.command)
