"""Our draws held against the process's own: mismatch, and variation of the whole process.

    python benchmarks/mismatch.py [--chips 200] [--plans 3] [--network RUN --wafers 8] [PART ...]

Parts: ``cells`` (spread of a cell's thresholds and gain at three sizes, ours and by the wrappers of
GF180MCU's model file), ``sources`` (what one standard deviation of each number of the section
``statistical`` does to a device), ``process`` (currents and thresholds under that section and under
our law), ``network`` (a design's states under either). All in ngspice, with GF180MCU.

Two samples are compared by the ratio of their standard deviations with its 95 % interval (F
distribution) and by the Kolmogorov-Smirnov test.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from codesign.circuit.elements import Mosfet, Polarity
from codesign.circuit.flat import flat_text
from codesign.device.bench import DC_OPTIONS, ProcessPoint, find_point
from codesign.device.cell_loops import CellBias
from codesign.flows import HardwareSection
from codesign.pdk.adapter import ChipLaw, MismatchLaw, PairConstants
from codesign.runs import Run
from codesign.simulation.drawn_cells import (
    CellSpread,
    diode_cell,
    measure_cells_as,
    measure_drawn,
)
from codesign.simulation.draws import draw_mismatch
from codesign.simulation.native import STATISTICAL, native_header, wrapped_text
from codesign.simulation.plan import chip_seed
from codesign.simulation.sample import Job, run_sample, shard_path
from codesign.simulation.setting import Options, set_up
from codesign.simulation.traces import read_traces
from codesign.spice.ngspice import run_text
from codesign.twin.ideal import ideal_twin

Floats = NDArray[np.float64]
# Width, length (metres) and the spread of beta_hi that the circuit was planned with.
SIZES = ((2e-6, 5e-6, 0.080), (4e-6, 1e-5, 0.041), (8e-6, 9.9e-6, 0.030))
# In unit currents: threshold, width and gain of the cell whose spread is measured.
BIAS = CellBias(1.0, 0.5, 1.0)
# Wafers a cell is measured on: each is a process of ngspice for one cell.
CELL_WAFERS = 60
NONE = PairConstants(a_vt_v_m=0, a_k_m=0)
DEVICES: tuple[tuple[Polarity, float, float], ...] = (
    ("n", 4e-6, 1e-5), ("p", 4e-6, 1e-5), ("n", 1.2e-6, 1e-5), ("p", 1.2e-6, 1e-5),
    ("n", 2.4e-6, 2e-5), ("p", 2.4e-6, 2e-5), ("n", 8e-6, 2e-5), ("p", 8e-6, 2e-5),
)  # fmt: skip
SOURCES = (
    "sig_vth", "toxe", "xl", "xw", "xj", "sig_vthN", "toxeN", "xlN", "xwN", "xjN", "rdswN",
    "sig_vthP", "toxeP", "xlP", "xwP", "xjP", "rdswP",
)  # fmt: skip


def spread(values: Floats) -> str:
    """Standard deviation in per cent of the mean with its 95 % interval (chi square)."""
    found = values[np.isfinite(values)]
    sigma, freedom = 100 * found.std(ddof=1) / abs(found.mean()), len(found) - 1
    low, high = (np.sqrt(freedom / stats.chi2.ppf(q, freedom)) for q in (0.975, 0.025))
    return f"{sigma:.2f} ({sigma * low:.2f} to {sigma * high:.2f})"


def compared(ours: Floats, theirs: Floats) -> str:
    """Ratio of standard deviations with its interval, and the Kolmogorov-Smirnov test's p."""
    ours, theirs = ours[np.isfinite(ours)], theirs[np.isfinite(theirs)]
    ratio = ours.std(ddof=1) / theirs.std(ddof=1)
    freedom = len(ours) - 1, len(theirs) - 1
    low, high = (ratio / np.sqrt(stats.f.ppf(q, *freedom)) for q in (0.975, 0.025))
    p = stats.ks_2samp(ours, theirs).pvalue
    return f"{ratio:.3f} ({low:.3f} to {high:.3f}) | {p:.2f}"


def models(point: ProcessPoint) -> dict[str, str]:
    return {"n": point.pdk.nmos, "p": point.pdk.pmos}


def native_cells(point: ProcessPoint, w_m: float, l_m: float, chips: int, seed: int) -> CellSpread:
    """Cells in the wrappers that draw their own mismatch, one seed per deck of ``CHUNK``."""
    network = diode_cell(w_m, l_m, point.hardware)

    def header(first: int) -> str:
        return native_header(
            point.pdk,
            point.hardware.corner,
            1 + first + 100_000 * seed,
            mismatch=True,
            process=False,
        )

    return measure_cells_as(
        point, network, BIAS, range(chips), lambda _, placed: wrapped_text(placed, models(point)),
        header,
    )  # fmt: skip


def cells(point: ProcessPoint, chips: int, plans: int, seed: int, sizes: Sequence[float]) -> None:
    count = chips * plans
    print(f"\n## Cells: {count} chips of ours, {count} of the model file's own\n")
    print(
        "Standard deviation over chips in per cent of the mean, 95 % interval in brackets; ideal "
        "bias currents\nof 1, 0.5 and 1 nA into diodes of the cell's own mirror size. Ours are the "
        f"first {chips} chips of the\nrun seeds {seed} to {seed + plans - 1}; "
        '"by plan" is each by itself.\n'
    )
    print("| size | quantity | planned | ours | by plan | native | ours / native | KS p |")
    print("|---|---|---|---|---|---|---|---|")
    runs = range(seed, seed + plans)
    seeds = [chip_seed(plan, chip) for plan in runs for chip in range(chips)]
    for w_m, l_m, planned in (
        size for size in SIZES if not sizes or round(size[0] * 1e6, 3) in sizes
    ):
        network = diode_cell(w_m, l_m, point.hardware)
        draws = draw_mismatch(network.mosfets, point.pdk.mismatch, seeds)
        ours = measure_drawn(point, network, BIAS, draws)
        native = native_cells(point, w_m, l_m, count, seed)
        for name in ("beta_hi", "beta_lo", "alpha"):
            mine, theirs = getattr(ours, name), getattr(native, name)
            parts = [part[np.isfinite(part)] for part in np.split(mine, plans)]
            each = ", ".join(f"{100 * part.std(ddof=1) / part.mean():.2f}" for part in parts)
            size = f"{w_m * 1e6:g}u/{l_m * 1e6:g}u"
            print(
                f"| {size} | {name} | {f'{100 * planned:.1f}' if name == 'beta_hi' else ''} | "
                f"{spread(mine)} | {each} | {spread(theirs)} | {compared(mine, theirs)} |",
                flush=True,
            )
        if not (ours.bistable.all() and native.bistable.all()):
            lost = [int((~found.bistable).sum()) for found in (ours, native)]
            print(f"\nWithout a hysteresis: {lost[0]} of ours, {lost[1]} native.\n")


def device_text(name: str, polarity: Polarity, w_m: float, l_m: float, change: str = "") -> str:
    """A saturated device whose gate follows the node ``gn`` (or ``gp`` below the supply)."""
    gate = {"n": "gn 0 0 {n}", "p": "gp vdd vdd {p}"}[polarity]
    return f"m{name} d{polarity} {gate} w={w_m:.9g} l={l_m:.9g} {change}\n"


def device_deck(point: ProcessPoint, header: str, body: str, sweep: str) -> str:
    text = body.format(**models(point))
    saved = "".join(
        f".save @{line.split()[0]}[id]\n" for line in text.splitlines() if line[:1] == "m"
    )
    supply = point.hardware.supply_v
    return (
        f"* devices\n{header}{DC_OPTIONS}.temp {point.hardware.temperature_c:g}\n"
        f"vdd vdd 0 {supply:g}\nvg gn 0 0\negp vdd gp gn 0 1\nvdn dn 0 0.6\nvdp dp 0 "
        f"{supply - 0.6:g}\n{text}{saved}.control\ndc vg {sweep}\nwrite out.raw\n.endc\n.end\n"
    )


def device_currents(point: ProcessPoint, header: str, body: str, sweep: str) -> dict[str, Floats]:
    """Currents of the devices of ``body`` by name."""
    outcome = run_text(point.ngspice, device_deck(point, header, body, sweep))
    assert outcome.status == "ok", outcome.log
    (plot,) = outcome.plots
    names = [line.split()[0] for line in body.splitlines() if line[:1] == "m"]
    return {name: np.abs(plot[f"@{name}[id]"]) for name in names}


def sources(point: ProcessPoint) -> None:
    print("\n## Sources: one standard deviation of each number of the section `statistical`\n")
    print(
        "As shift of the threshold (mV, as `delvto`) and change of the current factor (%), fitted "
        "to ln I from\n2 pA to 2 uA per square of 1.2u/10u; in brackets ln I at 1/8 nA per such "
        "square.\n"
    )
    sweep = "0.2 1.2 0.02"
    body = "".join(
        device_text(f"{k}{change}", *device, text)
        for k, device in enumerate(DEVICES)
        for change, text in (("a", ""), ("b", "delvto=1m"), ("c", "mulu0=1.01"))
    )
    pdk, corner = point.pdk, point.hardware.corner
    header = native_header(pdk, corner, 1, mismatch=False, process=True)

    def shifted(source: str, by: float) -> dict[str, Floats]:
        numbers = " ".join(f"mc_{name}={by / 3 if name == source else 0:g}" for name in SOURCES)
        return device_currents(point, f"{header}.param {numbers}\n", body, sweep)

    nominal = shifted("", 0.0)
    plain = device_currents(point, pdk.header(corner), body, sweep)
    off = max(float(np.abs(np.log(nominal[name] / plain[name])).max()) for name in nominal)
    print(f"At zero the section's cards are the corner's to {off:.1e} of a current.\n")
    sizes = [f"{d[0].upper()} {d[1] * 1e6:g}u/{d[2] * 1e6:g}u" for d in DEVICES]
    print(f"| number | {' | '.join(sizes)} |\n|---|{'---|' * len(sizes)}")
    for source in SOURCES:
        up, down = shifted(source, 1.0), shifted(source, -1.0)
        found = []
        for k, (_, w_m, l_m) in enumerate(DEVICES):
            current = nominal[f"m{k}a"]
            per_square = current / (w_m / l_m / 0.12)
            used = (per_square > 2e-12) & (per_square < 2e-6)
            moved = np.log(up[f"m{k}a"] / down[f"m{k}a"])[used] / 2
            columns = np.stack(
                [
                    np.log(nominal[f"m{k}b"] / current)[used] / 1e-3,
                    np.log(nominal[f"m{k}c"] / current)[used] / np.log(1.01),
                ],
                axis=1,
            )
            volts, factor = np.linalg.lstsq(columns, moved, rcond=None)[0]
            weak = int(np.argmin(np.abs(np.log(per_square[used] / 1.25e-10))))
            found.append(f"{1e3 * volts:.2f}, {100 * factor:.2f} ({moved[weak]:.3f})")
        print(f"| {source} | {' | '.join(found)} |", flush=True)


def process(point: ProcessPoint, chips: int) -> None:
    print(f"\n## Process: {chips} wafers of the section `statistical`, {chips} of our law\n")
    print(
        "ln of the current of single devices at a fixed gate voltage of 0.46 V, and the thresholds "
        "of a cell of\n4u/10u fed by ideal currents; no mismatch. Per cent.\n"
    )
    pdk, corner = point.pdk, point.hardware.corner
    law = ChipLaw(nmos=NONE, pmos=NONE, process=dict(pdk.process_variation))
    gate = "0.46 0.46 1"

    def native(wafer: int) -> str:
        return native_header(pdk, corner, 1 + wafer, mismatch=False, process=True)

    plain = "".join(device_text(f"{k}", *device) for k, device in enumerate(DEVICES))
    theirs = [device_currents(point, native(k), plain, gate) for k in range(chips)]
    named = [
        Mosfet(f"m{k}", "", "", "", "", polarity, w_m, l_m)
        for k, (polarity, w_m, l_m) in enumerate(DEVICES)
    ]
    draws = draw_mismatch(named, law, [chip_seed(0, chip) for chip in range(chips)])
    drawn = "".join(
        device_text(
            f"{k}x{chip}", *device,
            f"delvto={draws.delvto_v[chip, k]:.9g} mulu0={draws.mulu0[chip, k]:.9g}",
        )
        for chip in range(chips) for k, device in enumerate(DEVICES)
    )  # fmt: skip
    ours = device_currents(point, pdk.header(corner), drawn, gate)
    logs: dict[str, tuple[Floats, Floats]] = {}
    for k, (polarity, w_m, l_m) in enumerate(DEVICES):
        logs[f"ln I, {polarity.upper()} {w_m * 1e6:g}u/{l_m * 1e6:g}u"] = (
            np.array([np.log(ours[f"m{k}x{chip}"][0]) for chip in range(chips)]),
            np.array([np.log(wafer[f"m{k}"][0]) for wafer in theirs]),
        )
    print("| quantity | sigma ours | sigma native | ours / native | KS p |\n|---|---|---|---|---|")
    for name, (mine, other) in logs.items():
        print(
            f"| {name} | {100 * mine.std(ddof=1):.1f} | {100 * other.std(ddof=1):.1f} | "
            f"{compared(mine, other)} |"
        )
    (n_ours, n_native), (p_ours, p_native) = list(logs.values())[:2]
    print(
        f"\nCorrelation of N and P at 4u/10u: ours {stats.pearsonr(n_ours, p_ours).statistic:.2f}, "
        f"native {stats.pearsonr(n_native, p_native).statistic:.2f}.\n"
    )
    network = diode_cell(4e-6, 1e-5, point.hardware)
    few = min(chips, CELL_WAFERS)
    chosen = draw_mismatch(network.mosfets, law, [chip_seed(0, chip) for chip in range(few)])
    mine_cells = measure_drawn(point, network, BIAS, chosen)
    ones = draw_mismatch(network.mosfets, MismatchLaw(nmos=NONE, pmos=NONE), [0])
    native_values = measure_cells_as(
        point, network, BIAS, range(few),
        lambda _, placed: flat_text(placed, models(point), ones.delvto_v[0], ones.mulu0[0]),
        native, chunk=1,
    )  # fmt: skip
    print(
        f"| cell, {few} wafers | sigma ours | sigma native | ours / native | KS p |\n"
        "|---|---|---|---|---|"
    )
    for name in ("beta_hi", "beta_lo", "alpha"):
        mine, other = getattr(mine_cells, name), getattr(native_values, name)
        print(
            f"| {name} | {spread(mine)} | {spread(other)} | {compared(mine, other)} |", flush=True
        )


def network(folder: Path, wafers: int) -> None:
    setting = set_up(Run(folder), Options(chips=wafers, clips=1, process=True))
    bench, plan = setting.bench, setting.plan
    pdk, corner = setting.point.pdk, bench.hardware.corner
    law = ChipLaw(nmos=NONE, pmos=NONE, process=dict(pdk.process_variation))
    clip = plan.clips[0]
    inputs = setting.inputs_units()[clip]
    (twin,) = ideal_twin(setting.yardstick.parameters, inputs[None], setting.yardstick.rule)
    print(f"\n## Network: {folder.name}, {wafers} wafers, one clip, no mismatch\n")
    print("| wafers of | states as the twin's | decisions as the twin's | candidates, rms units |")
    print("|---|---|---|---|")
    zero = MismatchLaw(nmos=NONE, pmos=NONE)
    cases: tuple[tuple[str, Callable[[int], str], MismatchLaw, bool], ...] = (
        ("the corner alone", lambda _: pdk.header(corner), zero, False),
        ("our law", lambda _: pdk.header(corner), law, True),
        (
            f"the section `{STATISTICAL}`",
            lambda k: native_header(pdk, corner, 1 + k, mismatch=False, process=True),
            zero, False,
        ),
    )  # fmt: skip
    unit_a = bench.hardware.unit_current_a
    for name, header, drawn, own_draws in cases:
        count = wafers if name != "the corner alone" else 1
        states = decisions = 0
        total, squares = 0, 0.0
        with tempfile.TemporaryDirectory() as temporary:
            work = Path(temporary)
            for part in ("shards", "logs", "work"):
                (work / part).mkdir()
            for k in range(count):
                planned = replace(plan.sample(k), sample=k)
                if not own_draws:
                    planned = replace(planned, chip=None, chip_seed=None)
                varied = replace(bench, pdk_header=header(k), law=drawn)
                run_sample(Job(varied, planned, inputs, work, keep_waves=False))
                traces = read_traces(shard_path(work, k))
                assert traces is not None
                assert traces.status == ("ok",), traces.message
                high = (
                    traces.states_a[0] > 0.5 * unit_a * setting.yardstick.cells("alpha")[..., None]
                )
                states += int((high == (twin.states > 0)).sum())
                total += high.size
                logits = traces.logits_a / np.float64(unit_a)
                decisions += int(setting.yardstick.decide(logits)[0] == twin.decision)
                squares += float(np.sum((traces.candidates_a[0] / unit_a - twin.candidates) ** 2))
        print(
            f"| {name} | {states} of {total} | {decisions} of {count} | "
            f"{np.sqrt(squares / total):.3f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--chips", type=int, default=200)
    parser.add_argument("--plans", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0, help="first run seed of the cells")
    parser.add_argument("--widths", type=float, nargs="*", default=(), help="of cells, in um")
    parser.add_argument("--network", type=Path)
    parser.add_argument("--wafers", type=int, default=8)
    given = parser.parse_args()
    parts: Sequence[str] = given.parts or ["cells", "sources", "process", "network"]
    point = find_point(HardwareSection())
    print(f"{point.pdk.title}, corner {point.hardware.corner}, {point.ngspice_version}.")
    if "cells" in parts:
        cells(point, given.chips, given.plans, given.seed, given.widths)
    if "sources" in parts:
        sources(point)
    if "process" in parts:
        process(point, given.chips)
    if "network" in parts and given.network is not None:
        network(given.network, given.wafers)


if __name__ == "__main__":
    main()
