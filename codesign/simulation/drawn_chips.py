"""What is learned from drawn chips beyond the comparison: which devices matter, and why.

It needs the batched engine, whichever engine made the samples, and looks at the corner the design
was made for. The tables lie in the plan's folder and are absent where they were not made.

sensitivity.parquet   per clip, device and parameter (``analysis.sensitivity``, ``sensitivity``)
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.sensitivity import agreement_of_sigma, by_role, predicted_sigma
from codesign.errors import EnvironmentMissing
from codesign.files import atomic_path
from codesign.simulation.engines import Batch, choose_engines, engine_devices
from codesign.simulation.plan import Plan
from codesign.simulation.probe import Probe, Seen, joined, seen
from codesign.simulation.sensitivity import any_differs, measure_clip
from codesign.simulation.setting import Setting
from codesign.simulation.traces import Traces
from codesign.twin.ideal import ideal_twin

Say = Callable[[str], None]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TABLES = ("sensitivity.parquet",)
# Fewer chips say little of a distribution.
CHIPS = 50
# Clips whose sensitivities are measured unless asked for otherwise: at most so many, and none
# beyond this much work, in runs x transistors x frames: about a minute of one core.
CLIPS = 4
WORK = 125_000_000
_RUNS_PER_DEVICE = 6
_TOP = 10


@dataclass(frozen=True)
class Chips:
    """Samples of a plan at the design's corner: rows of ``Plan.rows``, and what became of them."""

    rows: pd.DataFrame
    seen: Seen

    def of_clip(self, at: int) -> tuple[Ints, Seen]:
        """Chips that ended well with the clip at this place, ascending."""
        here = np.flatnonzero((self.rows["at"].to_numpy() == at) & self.seen.ok)
        return self.rows["chip"].to_numpy(np.int64)[here], self.seen.take(here)


def analyse_chips(
    setting: Setting, shards: Callable[[], Iterable[Traces]], batch: Batch | None, say: Say
) -> dict[str, Any]:
    """The figures of a plan of drawn chips, under stable names; writes its ``TABLES``.

    ``shards`` gives the plan's samples, ``batch`` the engines that made them (None: ngspice did).
    ``chip_analysis`` says "done", or why it was not.
    """
    plan, folder = setting.plan, setting.folder
    for name in TABLES:
        (folder / name).unlink(missing_ok=True)
    if plan.chips is None or plan.noise:
        return {}
    probe, reason = _probe(setting, batch, say)
    if probe is None:
        asked = setting.options.sensitivity
        if asked or (asked is None and plan.chips >= CHIPS):
            say(f"sensitivities, worst chips and twin statistics: not available: {reason}")
        return {"chip_analysis": reason}
    chips = observed(setting, probe, shards())
    clips, left_out = choose_clips(setting, probe, chips)
    if left_out:
        say(left_out)
    figures: dict[str, Any] = {"chip_analysis": "done", "chip_analysis_corner": _corner(setting)}
    tables = {at: measure_clip(probe, at) for at in clips}
    figures |= _sensitivities(folder, probe, chips, tables)
    return figures | {"sensitivity_left_out": left_out}


def _corner(setting: Setting) -> str:
    return setting.exported.hardware.corner


def _probe(setting: Setting, batch: Batch | None, say: Say) -> tuple[Probe | None, str]:
    """The engine with what it needs, or why it is not to be had."""
    plan, corner, asked = setting.plan, _corner(setting), setting.options.sensitivity
    if asked == 0:
        return None, "left out with --sensitivity 0"
    if asked is None and (plan.chips or 0) < CHIPS:
        return None, f"fewer than {CHIPS} chips; --sensitivity CLIPS does it all the same"
    if corner not in plan.corners:
        return None, f"the plan does not have the design's own corner, {corner}"
    if batch is not None:
        engine = batch.engines[corner]
    else:
        points = {corner: setting.points[corner]}
        try:
            engines = choose_engines("batched", plan.total, setting.exported, points, say)
        except Exception as error:
            # Unsupported is of a package that is loaded late: told by its name.
            if not isinstance(error, EnvironmentMissing) and type(error).__name__ != "Unsupported":
                raise
            return None, f"the batched engine cannot be used here: {error}"
        assert engines is not None  # "batched" raises instead
        engine = engines[corner]
    inputs = setting.inputs_units()[list(plan.clips)]
    yardstick = setting.yardstick
    ideal = ideal_twin(yardstick.parameters, inputs, yardstick.rule)
    return Probe(
        engine=engine,
        devices=engine_devices(engine, setting.bench.network.mosfets),
        law=setting.bench.law,
        plan=plan,
        yardstick=yardstick,
        inputs_units=inputs,
        decision=np.array([twin.decision for twin in ideal], dtype=np.int64),
        threads=setting.workers,
    ), ""


def observed(setting: Setting, probe: Probe, shards: Iterable[Traces]) -> Chips:
    """The plan's own samples at the design's corner, as a probe sees chips."""
    plan: Plan = setting.plan
    rows, parts = [], []
    for traces in _own(plan, _corner(setting), shards):
        planned = plan.rows(traces.sample)
        decision = probe.decision[planned["at"].to_numpy(np.int64)]
        rows.append(planned)
        parts.append(
            seen(
                setting.yardstick, decision, traces.candidates_a, traces.states_a,
                traces.logits_a, traces.ok,
            )
        )  # fmt: skip
    if not parts:
        return Chips(plan.rows(np.empty(0, np.int64)), probe.nominal(np.empty(0, np.int64)))
    return Chips(pd.concat(rows, ignore_index=True), joined(parts))


def _own(plan: Plan, corner: str, shards: Iterable[Traces]) -> Iterator[Traces]:
    first = plan.corners.index(corner) * plan.per_corner
    for traces in shards:
        inside = (traces.sample >= first) & (traces.sample < first + plan.per_corner)
        if inside.any():
            yield traces.take(inside)


def choose_clips(setting: Setting, probe: Probe, chips: Chips) -> tuple[list[int], str]:
    """Places of the clips to measure, and what has to be said of those that are not.

    First those on which most chips decide otherwise than the ideal twin, then those with the least
    margin on the nominal chip: there a device can change a decision.
    """
    plan, asked = probe.plan, setting.options.sensitivity
    places = np.arange(len(plan.clips))
    nominal = probe.nominal(places)
    wrong = chips.rows["at"].to_numpy(np.int64)[chips.seen.margin_units < 0]
    failures = np.bincount(wrong, minlength=len(places))
    order = np.lexsort((places, nominal.margin_units, -failures))
    order = order[nominal.ok[order]]
    frames = probe.inputs_units.shape[1]
    work = _RUNS_PER_DEVICE * len(probe.devices) ** 2 * frames
    most = min(CLIPS, WORK // work) if asked is None else asked
    if asked is None and not most:
        return [], (
            f"sensitivities left out: one clip takes {_RUNS_PER_DEVICE * len(probe.devices)} runs "
            "of the batched engine; --sensitivity 1 measures it"
        )
    return [int(at) for at in order[:most]], ""


def _sensitivities(
    folder: Path, probe: Probe, chips: Chips, tables: dict[int, pd.DataFrame]
) -> dict[str, Any]:
    """sensitivity.parquet, and first order against the chips."""
    if not tables:
        return {}
    write_table(folder / "sensitivity.parquet", pd.concat(tables.values(), ignore_index=True))
    clips = []
    for at, table in tables.items():
        index, found = chips.of_clip(at)
        nominal = probe.nominal(np.array([at]))
        clips.append(
            {"clip_id": probe.plan.clip_ids[at], "margin_units": float(nominal.margin_units[0])}
            | agreement_of_sigma(
                predicted_sigma(table),
                found.margin_units,
                first_order(probe, table, index).sum(axis=1) + nominal.margin_units[0],
                any_differs(found, nominal),
            )
            | {
                "roles": by_role(table),
                "top": table.head(_TOP)[
                    ["label", "device", "parameter", "contribution_units"]
                ].to_dict("records"),
                "thresholds_that_flip_a_state": int(table["flip_sigma"].notna().sum()),
            }
        )
    return {"sensitivity_clips": clips, "sensitivity_devices": len(probe.devices)}


def first_order(probe: Probe, table: pd.DataFrame, chips: Ints) -> Floats:
    """What each device's draws add to the margin to first order, units, (chips, devices)."""
    draws, sigma = probe.draws(chips), probe.sigma()
    slope = table.pivot_table(index="device", columns="parameter", values="slope_units_per_sigma",
                              dropna=False).loc[list(probe.engine.instances)]  # fmt: skip
    vth, k = (
        np.nan_to_num(slope[name].to_numpy()) / sigma[:, p] for p, name in enumerate(("vth", "k"))
    )
    return np.asarray(vth * draws.delvto_v + k * (draws.mulu0 - 1.0))


def write_table(path: Path, table: pd.DataFrame) -> None:
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False)
