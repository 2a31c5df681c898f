"""Which devices matter, whether first order and ngspice agree, and whether the twin may stand in.

    python benchmarks/sensitivity.py RUN [--chips 500] [--clips 2] [--of 10] [--ngspice 6] \
        [--substepped 0]

RUN has a design. The batched engine makes ``--chips`` chips on ``--of`` test clips; ``--clips`` of
them, those with most failing decisions and least margin, are looked at. Prints per clip the ranked
devices and roles, first order against the chips, and the slopes of the first ``--ngspice`` devices
in ngspice (exact options, two sigma either way); then the worst chips, each run again without the
devices named; the two-sample tests of the calibrated twin, and of a twin made wrong on purpose
(all currents 3 % up); with ``--substepped N`` those of the sub-stepped twin on N chips; and error
suppression over chips.
"""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.suppression_chips import suppression_chips_figures
from codesign.analysis.twosample import corrected, stands_in
from codesign.analysis.worst import worst_figures
from codesign.runs import Run
from codesign.simulation.confirm import confirm_slopes
from codesign.simulation.drawn_chips import make_probe, order_of_clips
from codesign.simulation.perturb_chips import suppression_over_chips
from codesign.simulation.probe import Chips, Probe
from codesign.simulation.sensitivity import measure_clip, one_at_a_time, sensitivity_figures
from codesign.simulation.setting import Options, Setting, set_up
from codesign.simulation.stand_in import compare_twin
from codesign.simulation.worst import worst_chips
from codesign.twin.twins import TwinArrays, TwinModel, TwinName, design_twin

WRONG = 1.03
TWO_SAMPLE = [
    "clip_id", "quantity", "p_holm", "ad_p_holm", "shift_sigma", "std_ratio", "paired_shift_sigma",
    "paired_std_ratio", "paired_error_rms", "paired_correlation",
]  # fmt: skip


@dataclass(frozen=True)
class Wrong(TwinModel):
    """The calibrated twin with every current up."""

    def run(self, *arguments: object, **keywords: object) -> TwinArrays:
        found = super().run(*arguments, **keywords)  # type: ignore[arg-type]
        return TwinArrays(WRONG * found.candidates, found.states, WRONG * found.logits)


def shown(table: pd.DataFrame) -> str:
    return table.to_string(index=False, float_format=lambda value: f"{value:.4g}")


def plan_of_chips(probe: Probe, chips: int) -> Chips:
    clips = len(probe.plan.clips)
    chip, at = np.divmod(np.arange(chips * clips), clips)
    draws = probe.draws(np.arange(chips))
    found = probe.run(at, draws.delvto_v, draws.mulu0, chip)
    rows = {"chip": chip, "at": at, "ok": found.ok, "margin_units": found.margin_units}
    return Chips(pd.DataFrame(rows), found)


def straight(probe: Probe, at: int, table: pd.DataFrame) -> NDArray[np.float64]:
    """The engine's slope over two sigma either way by that over half a sigma."""
    index = np.array([probe.engine.instances.index(name) for name in table["device"]])
    ends = [
        one_at_a_time(
            probe, at, index, np.zeros_like(index), np.full(len(index), 2.0 * way), probe.sigma()
        ).margin_units
        for way in (-1, 1)
    ]
    return np.asarray((ends[1] - ends[0]) / 4 / table["slope_units_per_sigma"].to_numpy())


def ranked(setting: Setting, probe: Probe, at: int, table: pd.DataFrame, judged: int) -> None:
    columns = ["rank", "label", "role", "polarity", "parameter", "sigma", "slope_units_per_sigma",
               "contribution_units"]  # fmt: skip
    print(shown(table[columns].head(20)))
    flips = table[table["flip_sigma"].notna()].sort_values("flip_sigma", key=np.abs)
    print(f"\nthresholds that flip a state within 3 sigma: {len(flips)} of {len(table) // 2}")
    if len(flips):
        print(shown(flips[["label", "flip_sigma", "flip_state", "flip_margin_units"]].head(10)))
    if not judged:
        return
    top = table[table["parameter"] == "vth"].head(judged)
    started = process_time()
    with tempfile.TemporaryDirectory() as name:
        found = confirm_slopes(probe, setting.bench, at, top["device"].tolist(), 2.0, Path(name))
    rows = [
        {"device": one.device, "ngspice_units_per_v": one.ngspice,
         "batched_units_per_v": one.batched, "ratio": one.batched / one.ngspice}
        for one in found
    ]  # fmt: skip
    print(
        f"\nslopes over two sigma either way, both engines ({process_time() - started:.0f} s here)"
    )
    print(shown(pd.DataFrame(rows).assign(slope_by_that_at_half_sigma=straight(probe, at, top))))


def twins(setting: Setting, probe: Probe, chips: Chips, clips: list[int], substepped: int) -> None:
    point = setting.points[setting.exported.hardware.corner]

    def test(name: TwinName, wrong: bool = False, some: Chips = chips) -> None:
        model = design_twin(name, setting.exported, point, probe.yardstick.parameters)
        model = Wrong(**model.__dict__) if wrong else model
        started = process_time()
        table = corrected(pd.concat([compare_twin(probe, some, model, at) for at in clips]))
        figures = stands_in(table)
        what = f"{name}, all currents times {WRONG:g}" if wrong else name
        print(
            f"\n{what} twin, {figures['twin_chips']} chips against as many others: may stand in: "
            f"{figures['twin_stands_in'].upper()} ({figures['twin_quantities_differing']} of "
            f"{figures['twin_quantities_tested']} quantities differ; detectable: a shift of "
            f"{figures['twin_detectable_shift_sigma']:.2f} sigma, a standard deviation times "
            f"{figures['twin_detectable_std_ratio']:.2f}); decisions unlike on the same chips: "
            f"{figures['twin_decisions_unlike']} of {figures['twin_decisions_compared']}; "
            f"{process_time() - started:.1f} CPU s"
        )
        print(shown(table[TWO_SAMPLE]))

    test("calibrated")
    test("calibrated", wrong=True)
    if substepped:
        few = np.flatnonzero(chips.rows["chip"].to_numpy() < substepped)
        test("substepped", some=Chips(chips.rows.iloc[few], chips.seen.take(few)))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--chips", type=int, default=500)
    parser.add_argument("--of", type=int, default=10, help="clips of the plan")
    parser.add_argument("--clips", type=int, default=2, help="clips that are looked at")
    parser.add_argument("--ngspice", type=int, default=6, help="devices whose slope it confirms")
    parser.add_argument("--substepped", type=int, default=0, help="chips of the sub-stepped twin")
    given = parser.parse_args()
    setting = set_up(
        Run(given.run), Options(chips=given.chips, clips=given.of, sensitivity=given.clips, jobs=1)
    )
    probe, reason = make_probe(setting, None, print)
    if probe is None:
        raise SystemExit(reason)
    started = process_time()
    chips = plan_of_chips(probe, given.chips)
    failing = int((chips.rows["margin_units"] < 0).sum())
    print(
        f"{len(probe.devices)} transistors; {given.chips} chips x {given.of} clips in "
        f"{process_time() - started:.1f} CPU s: {failing} decisions are not the ideal twin's"
    )
    clips = order_of_clips(probe, chips)[: given.clips]
    tables = {}
    for at in clips:
        started = process_time()
        tables[at] = measure_clip(probe, at)
        print(f"\n== clip {probe.plan.clip_ids[at]}: {process_time() - started:.1f} CPU s")
        ranked(setting, probe, at, tables[at], given.ngspice if at == clips[0] else 0)
    figures = sensitivity_figures(probe, chips, tables)["sensitivity_clips"]
    print("\n== first order against the chips")
    print(shown(pd.DataFrame(figures).drop(columns=["roles", "top"]).T.reset_index()))
    for clip in figures:
        print(f"\nroles, {clip['clip_id']}\n{shown(pd.DataFrame(clip['roles']))}")
    print("\n== worst chips")
    worst = worst_chips(probe, chips, tables, setting.exported.hardware.corner)
    summed = worst_figures(worst)
    print(
        f"of {summed['worst_chips_failing']} failing, {summed['worst_chips_recovered']} decide "
        "rightly with the draws of at most the ten devices named set to zero"
    )
    print(shown(pd.DataFrame(summed["worst_chips"]).drop(columns=["fails"])))
    columns = ["chip", "rank", "label", "delvto_sigma", "share_units", "margin_units",
               "margin_without_units", "margin_only_units"]  # fmt: skip
    print(shown(worst[worst["rank"] <= 3][columns].head(15)))
    print("\n== twins")
    twins(setting, probe, chips, clips, given.substepped)
    print("\n== error suppression over chips, input noise held per frame")
    suppressed = suppression_chips_figures(suppression_over_chips(probe))
    print(shown(pd.DataFrame(suppressed["suppression_chips_by_sigma"])))


if __name__ == "__main__":
    main()
