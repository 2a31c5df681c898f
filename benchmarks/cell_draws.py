"""Thresholds and gains of drawn chips: the calibrated twin against ngspice.

Every cell of a design is traced in ngspice by the bench of the design folder (a slow triangular
candidate, bias mirrors and reference as built), with the draws that the chip's transistors get, and
beside it the same cell of the same chip as the twin has it. Two transistors of a cell keep to the
drawing: in the twin m1 belongs to the candidate's path and m4 to that of the readers.

    python benchmarks/cell_draws.py RUN [--chips 3]
"""

import argparse
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from codesign.circuit.elements import Capacitor, Mosfet, flatten
from codesign.circuit.flat import FlatNetwork, flat_text
from codesign.circuit.library import read_network
from codesign.errors import InputError
from codesign.runs import open_run
from codesign.simulation.cell_spread import drawn_cells
from codesign.simulation.draws import draw_mismatch
from codesign.simulation.hysteresis import read_loops
from codesign.simulation.plan import chip_seed
from codesign.simulation.setting import Options, Setting, set_up
from codesign.spice.ngspice import run_text
from codesign.twin.twins import design_twin

AS_DRAWN = re.compile(r"xcell\.xunit_\d+\.m[14]$")
QUANTITIES = ("beta_hi", "beta_lo", "alpha")


def block(setting: Setting, top: str) -> FlatNetwork:
    """One subcircuit of the network, flat."""
    pdk = setting.point.pdk
    library = read_network(setting.exported.folder, pdk.nmos, pdk.pmos)
    devices = list(flatten(replace(library, top=top)))
    return FlatNetwork(
        library.subcircuits[top].ports,
        tuple(device for device in devices if isinstance(device, Mosfet)),
        tuple(device for device in devices if isinstance(device, Capacitor)),
    )


def flat_block(setting: Setting, top: str, path: str, call: str, seed: int | None) -> str:
    """The text of an instance ``call`` of ``top`` with the draws of the devices under ``path``;
    without a seed as drawn on paper."""
    instance, *nodes, _ = call.split()
    network = block(setting, top)
    named = [replace(device, name=f"{path}.{device.name}") for device in network.mosfets]
    shift, factor = np.zeros(len(named)), np.ones(len(named))
    if seed is not None:
        draws = draw_mismatch(named, setting.bench.law, [seed])
        kept = np.array([AS_DRAWN.search(name) is not None for name in draws.instances])
        shift = np.where(kept, 0.0, draws.delvto_v[0])
        factor = np.where(kept, 1.0, draws.mulu0[0])
    models = {"n": setting.point.pdk.nmos, "p": setting.point.pdk.pmos}
    return flat_text(network.at(instance, nodes), models, shift, factor)


def measured(setting: Setting, layer: int, seed: int | None) -> pd.DataFrame:
    """The cells of one layer of a chip in ngspice, units."""
    exported = setting.exported
    text = (exported.folder / f"cells_layer_{layer}.cir").read_text(encoding="utf-8")
    text = text.replace("\n+ ", " ").replace(".include 'pdk.cir'\n", "")
    first, _, body = text.partition("\n")
    for name, top, path in (
        ("xcell", f"layers_{layer}_cell", f"xlayers_{layer}.xcell"),
        ("xreference", "reference", "xreference"),
    ):
        call = re.search(rf"(?m)^{name} .*$", body)
        if call is None:
            raise InputError(f"cells_layer_{layer}.cir has no instance {name}.")
        body = body.replace(call[0], flat_block(setting, top, path, call[0], seed))
    body = body.replace("'network.cir'", f"'{exported.network_file.resolve()}'")
    body = body.replace("write cells.raw", "write out.raw")
    header = setting.point.pdk.header(exported.hardware.corner)
    outcome = run_text(setting.bench.ngspice, f"{first}\n{header}{body}\n")
    if outcome.status != "ok":
        raise InputError(f"ngspice: {outcome.status}: {outcome.message}")
    unit_a = exported.hardware.unit_current_a
    rows = [
        {"layer": layer, "unit": facts["unit"]}
        | {
            f"{name}_units": np.nan
            if facts["measured"][f"{name}_a"] is None
            else facts["measured"][f"{name}_a"] / unit_a
            for name in QUANTITIES
        }
        for facts, _ in read_loops(outcome.plots[0], exported, setting.yardstick.parameters, layer)
    ]
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--chips", type=int, default=3)
    given = parser.parse_args()
    setting = set_up(open_run(given.run), Options(chips=given.chips))
    point = setting.points[setting.exported.hardware.corner]
    model = design_twin("calibrated", setting.exported, point, setting.yardstick.parameters)
    layers = range(setting.exported.shape.layers)
    paper = pd.concat([measured(setting, layer, None) for layer in layers])
    nominal = drawn_cells(setting, model, None)
    twin = drawn_cells(setting, model, np.arange(given.chips))
    keys, parts = ["layer", "unit"], []
    for chip in range(given.chips):
        seed = chip_seed(setting.plan.run_seed, chip)
        found = pd.concat([measured(setting, layer, seed) for layer in layers])
        both = found.merge(paper, on=keys, suffixes=("", "_paper"))
        both = both.merge(twin[twin["chip"] == chip], on=keys, suffixes=("", "_twin"))
        parts.append(both.merge(nominal, on=keys, suffixes=("", "_nominal")))
    table = pd.concat(parts)
    print(f"{given.chips} chips of {given.run.name}, {len(paper)} cells each: deviation from the")
    print("nominal chip, of beta_hi; twin against ngspice")
    print(f"{'':10}{'cells':>7}{'no loop':>9}{'sigma':>10}{'twin':>10}{'error rms':>11}{'corr':>8}")
    scale = table["beta_hi_units_paper"]
    for name in QUANTITIES:
        over = table[f"{name}_units_paper"] if name == "alpha" else scale
        spice = (table[f"{name}_units"] - table[f"{name}_units_paper"]) / over
        own = (table[f"{name}_units_twin"] - table[f"{name}_units_nominal"]) / over
        seen = spice.notna()
        a, b = spice[seen].to_numpy(float), own[seen].to_numpy(float)
        rms = [float(np.sqrt(np.mean(v**2))) for v in (a, b, b - a)]
        print(
            f"{name:10}{len(a):7}{int((~seen).sum()):9}{100 * rms[0]:9.2f}%{100 * rms[1]:9.2f}%"
            f"{100 * rms[2]:10.3f}%{np.corrcoef(a, b)[0, 1]:8.4f}"
        )
    never = table["beta_lo_units"].isna()
    below = table["beta_lo_units_twin"] <= 0
    print(
        f"{int(never.sum())} cells have no lower threshold above zero in ngspice; the twin says so "
        f"of {int((never & below).sum())} of them and of {int((~never & below).sum())} others"
    )


if __name__ == "__main__":
    main()
