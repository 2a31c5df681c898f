"""What is learned from drawn chips beyond the comparison: which devices matter, and why.

It needs the batched engine, whichever engine made the samples, and looks at the corner the design
was made for. The tables lie in the plan's folder and are absent where they were not made.

sensitivity.parquet         per clip, device, parameter: ``analysis.sensitivity.sensitivity_rows``
                            and ``simulation.sensitivity.measure_clip``
worst_chips.parquet         per worst chip and device: ``analysis.worst.worst_rows``
twosample.parquet           per clip and quantity: ``analysis.twosample``, ``simulation.stand_in``
suppression_chips.parquet   per chip and sigma: ``analysis.suppression_chips.by_chip``
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codesign.analysis.suppression_chips import suppression_chips_figures
from codesign.analysis.twosample import corrected, stands_in
from codesign.analysis.worst import worst_figures
from codesign.errors import EnvironmentMissing, InputError
from codesign.files import atomic_path
from codesign.simulation.engines import Batch, choose_engines, engine_devices
from codesign.simulation.perturb_chips import suppression_over_chips
from codesign.simulation.plan import Plan
from codesign.simulation.probe import Chips, Probe, joined, seen
from codesign.simulation.sensitivity import measure_clip, sensitivity_figures
from codesign.simulation.setting import Setting
from codesign.simulation.stand_in import compare_twin
from codesign.simulation.traces import Traces
from codesign.simulation.worst import worst_chips
from codesign.twin.ideal import ideal_twin
from codesign.twin.twins import design_twin

Say = Callable[[str], None]

TABLES = (
    "sensitivity.parquet", "worst_chips.parquet", "twosample.parquet", "suppression_chips.parquet"
)  # fmt: skip
# Fewer chips say little of a distribution.
CHIPS = 50
# Of more chips than these only margins are looked at; that keeps memory flat.
KEPT = 1000
# Clips whose sensitivities are measured unless asked for otherwise: at most so many, and none
# beyond this much work, in runs x transistors x frames: about half a minute of one core.
CLIPS = 4
WORK = 160_000_000
_RUNS_PER_DEVICE = 6


def analyse_chips(
    setting: Setting, shards: Callable[[], Iterable[Traces]], batch: Batch | None, say: Say
) -> dict[str, Any]:
    """The figures of a plan of drawn chips, under stable names; writes its ``TABLES``.

    ``shards`` gives the plan's samples, ``batch`` the engines that made them (None: ngspice did).
    ``chip_analysis`` says "done", or why it was not. Plans with device noise are left alone: their
    margins differ by more than devices do.
    """
    plan, folder = setting.plan, setting.folder
    for name in TABLES:
        (folder / name).unlink(missing_ok=True)
    if plan.chips is None or plan.noise:
        return {}
    asked, corner = setting.options.sensitivity, setting.exported.hardware.corner
    probe, reason = make_probe(setting, batch, say)
    if probe is None:
        if asked or (asked is None and plan.chips >= CHIPS):
            say(f"sensitivities, worst chips and twin statistics: not available: {reason}")
        return {"chip_analysis": reason}
    chips = observed(plan, corner, probe, shards())
    order = order_of_clips(probe, chips)
    count = clips_in_budget(probe) if asked is None else asked
    if not count:
        runs = _RUNS_PER_DEVICE * len(probe.devices)
        say(
            f"sensitivities left out: a clip takes {runs} runs of the batched engine; "
            "--sensitivity 1 measures it"
        )
    figures: dict[str, Any] = {"chip_analysis": "done", "chip_analysis_corner": corner}
    tables = {at: measure_clip(probe, at) for at in order[:count]}
    if tables:
        _write(folder / "sensitivity.parquet", pd.concat(tables.values(), ignore_index=True))
        worst = worst_chips(probe, chips, tables, corner)
        _write(folder / "worst_chips.parquet", worst)
        figures |= sensitivity_figures(probe, chips, tables) | worst_figures(worst)
    figures |= _twin(setting, probe, chips, order[: max(1, min(count, CLIPS))])
    suppression = suppression_over_chips(probe)
    _write(folder / "suppression_chips.parquet", suppression)
    return figures | suppression_chips_figures(suppression)


def make_probe(setting: Setting, batch: Batch | None, say: Say) -> tuple[Probe | None, str]:
    """The engine with what it needs, or why it is not to be had."""
    plan, asked = setting.plan, setting.options.sensitivity
    corner = setting.exported.hardware.corner
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
        except (InputError, EnvironmentMissing) as error:
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


def observed(plan: Plan, corner: str, probe: Probe, shards: Iterable[Traces]) -> Chips:
    """The plan's own samples at a corner, as a probe sees chips."""
    rows, parts = [], [probe.nominal(np.empty(0, np.int64))]
    for traces in _own(plan, corner, shards):
        planned = plan.rows(traces.sample)
        at = planned["at"].to_numpy(np.int64)
        found = seen(
            probe.yardstick, probe.decision[at], traces.candidates_a, traces.states_a,
            traces.logits_a, traces.ok,
        )  # fmt: skip
        chip = planned["chip"].to_numpy(np.int64)
        rows.append(
            pd.DataFrame(
                {"chip": chip, "at": at, "ok": found.ok, "margin_units": found.margin_units}
            )
        )
        parts.append(found.take(np.flatnonzero(chip < KEPT)))
    empty = pd.DataFrame({"chip": [], "at": [], "ok": [], "margin_units": []})
    return Chips(pd.concat(rows, ignore_index=True) if rows else empty, joined(parts))


def _own(plan: Plan, corner: str, shards: Iterable[Traces]) -> Iterator[Traces]:
    first = plan.corners.index(corner) * plan.per_corner
    for traces in shards:
        inside = (traces.sample >= first) & (traces.sample < first + plan.per_corner)
        if inside.any():
            yield traces.take(inside)


def order_of_clips(probe: Probe, chips: Chips) -> list[int]:
    """Places of the clips in the order in which they are worth a look.

    First those on which most chips decide otherwise than the ideal twin, then those with the least
    margin on the nominal chip: there a device can change a decision.
    """
    places = np.arange(len(probe.plan.clips))
    nominal = probe.nominal(places)
    wrong = chips.rows["at"].to_numpy(np.int64)[chips.rows["margin_units"].to_numpy() < 0]
    failures = np.bincount(wrong, minlength=len(places))
    order = np.lexsort((places, nominal.margin_units, -failures))
    return [int(at) for at in order if nominal.ok[at]]


def clips_in_budget(probe: Probe) -> int:
    """How many clips' sensitivities are measured where no number was asked for."""
    frames = int(probe.inputs_units.shape[1])
    return min(CLIPS, WORK // (_RUNS_PER_DEVICE * len(probe.devices) ** 2 * frames))


def _twin(setting: Setting, probe: Probe, chips: Chips, clips: list[int]) -> dict[str, Any]:
    """twosample.parquet, and whether the calibrated twin may stand in."""
    point = setting.points[setting.exported.hardware.corner]
    model = design_twin("calibrated", setting.exported, point, probe.yardstick.parameters)
    parts = [compare_twin(probe, chips, model, at) for at in clips]
    parts = [part for part in parts if len(part)]
    if not parts:
        return {}
    table = corrected(pd.concat(parts, ignore_index=True))
    _write(setting.folder / "twosample.parquet", table)
    return stands_in(table)


def _write(path: Path, table: pd.DataFrame) -> None:
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False)
