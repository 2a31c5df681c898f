"""From samples at the points of a process to tables: of all that is finished, wanted now or not."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from codesign.analysis.agreement import Twins, compare
from codesign.analysis.pvt import logit_margins, point_row, summarise_points
from codesign.device.reference import ReferencePoint
from codesign.errors import EnvironmentMissing
from codesign.files import atomic_path
from codesign.simulation.attempts import timing_rows
from codesign.simulation.corner_batched import read_point
from codesign.simulation.corner_circuits import CornerCircuits, bias_of
from codesign.simulation.points import CONDITIONS, CornerPlan, CornerPoint, nominal_index
from codesign.simulation.sample import shard_path
from codesign.simulation.setting import Setting
from codesign.simulation.traces import Traces, join, read_traces
from codesign.twin.ideal import ideal_twin


@dataclass(frozen=True)
class CornerWork:
    """What the parts of one call share.

    ``references`` holds the on-chip reference by point number, as far as it was asked for; None
    at a point where it has no solution.
    """

    setting: Setting
    plan: CornerPlan
    circuits: CornerCircuits
    folder: Path
    engine: str
    references: dict[int, ReferencePoint | None] = field(default_factory=dict)

    def reference(self, condition: str, point: CornerPoint) -> ReferencePoint | None:
        """The on-chip reference at a point; None for an ideal one, and without a solution."""
        if bias_of(condition) != "tree":
            return None
        if point.index not in self.references:
            try:
                found = self.circuits.reference(condition, point)
            except EnvironmentMissing:
                found = None
            self.references[point.index] = found
        return self.references[point.index]

    def measure_references(self) -> None:
        """Measure all that are wanted, before samples are started with them."""
        for condition in self.plan.conditions:
            for point in self.plan.wanted:
                self.reference(condition, point)


def _finished(work: CornerWork, condition: str, point: CornerPoint) -> Traces | None:
    """All samples of a point as this call's engine left them; None where one is missing."""
    numbers = work.plan.samples(condition, point).tolist()
    if work.engine == "batched":
        return read_point(work.folder, work.plan, condition, point)
    shards = [read_traces(shard_path(work.folder, number)) for number in numbers]
    found = [shard for shard in shards if shard is not None]
    return join(found) if len(found) == len(numbers) else None


def write_corner_tables(work: CornerWork, cells: pd.DataFrame) -> dict[str, Any]:
    """The tables of samples, timings and points, and the figures of all that is finished."""
    setting, plan = work.setting, work.plan
    inputs = setting.inputs_units()[list(plan.clips)]
    twins = Twins.of(ideal_twin(setting.yardstick.parameters, inputs, setting.yardstick.rule))
    rows: list[dict[str, Any]] = []
    samples: list[pd.DataFrame] = []
    timings: list[pd.DataFrame] = []
    for condition in CONDITIONS:
        nominal: dict[int, int] = {}
        order = sorted(plan.points, key=lambda point: point.index != nominal_index())
        for point in order:
            traces = _finished(work, condition, point)
            if traces is None:
                continue
            reference = work.reference(condition, point)
            unit_a = work.circuits.unit_current_a(condition, reference)
            yardstick = replace(setting.yardstick, unit_current_a=unit_a)
            compared = compare(
                yardstick, plan.rows(condition, point), twins, traces, every_state=False
            )
            if point.index == nominal_index():
                nominal = _decisions(compared.samples)
            margins = logit_margins(yardstick, twins, traces)
            place: dict[str, Any] = {
                "condition": condition, "point": point.index, "corner": point.corner,
                "supply_v": point.supply_v, "supply_part": point.supply_part,
                "temperature_c": point.temperature_c, "unit_current_a": unit_a,
                "reference_current_a": reference.current_a if reference else None,
                "reference_supply_current_a": (
                    reference.supply_current_a if reference else None
                ),
            }  # fmt: skip
            rows.append(place | point_row(compared, margins, nominal))
            timings.append(timing_rows(traces))
            samples.append(compared.samples.assign(**place, logit_margin_units=margins))
    points = pd.DataFrame(rows).sort_values(["condition", "point"], kind="stable")
    points = points.assign(bias=[bias_of(c) for c in points["condition"]])
    if len(cells):
        points = points.merge(cells, on=["bias", "point"], how="left")
    joined = pd.concat(samples, ignore_index=True).sort_values("sample", kind="stable")
    took = pd.concat(timings, ignore_index=True).sort_values("sample", kind="stable")
    for name, table in (("points", points), ("samples", joined), ("timings", took)):
        with atomic_path(work.folder / f"{name}.parquet") as path:
            table.reset_index(drop=True).to_parquet(path, index=False)
    figures = summarise_points(points, len(plan.points))
    bad = joined[joined["status"] != "ok"]
    names = ["condition", "corner", "supply_v", "temperature_c", "clip_id", "status", "message"]
    figures |= {
        "samples_total": len(joined),
        "samples_ok": len(joined) - len(bad),
        "samples_failed": len(bad),
        "vote_agreement": float(joined["agree"].mean()) if len(bad) < len(joined) else None,
        "pvt_failures": bad[[*names, "log"]].to_dict("records"),
    }
    return figures


def _decisions(samples: pd.DataFrame) -> dict[int, int]:
    ok = samples[samples["status"] == "ok"]
    return {int(c): int(d) for c, d in zip(ok["clip"], ok["chip_decision"], strict=True)}
