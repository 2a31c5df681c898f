"""A point of the process in the batched engine, whose devices are measured afresh at each point.

The engine takes the unit current from outside. Under a condition with the on-chip reference it is
therefore given the network without it, fed by the current that the reference has at that point in
ngspice (its operating point); what the reference draws itself is added to the bias power.
"""

import hashlib
import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from codesign.circuit.bias import variant
from codesign.device.reference import ReferencePoint
from codesign.simulation.corner_circuits import CornerCircuits, bias_of
from codesign.simulation.engines import EngineResult, traces_of
from codesign.simulation.points import CornerPlan, CornerPoint
from codesign.simulation.setting import Setting
from codesign.simulation.traces import BLOCKS, Traces, failed, join, read_traces, write_traces


def point_path(folder: Path, condition: str, point: CornerPoint) -> Path:
    return folder / "points" / f"{condition}-{point.index:02d}.parquet"


def read_point(folder: Path, plan: CornerPlan, condition: str, point: CornerPoint) -> Traces | None:
    """A finished point, or None when it has to be computed."""
    path = point_path(folder, condition, point)
    return read_traces(path, _key(plan)) if path.is_file() else None


def point_traces(
    setting: Setting,
    circuits: CornerCircuits,
    plan: CornerPlan,
    condition: str,
    point: CornerPoint,
    reference: ReferencePoint | None,
    say: Callable[[str], None],
) -> Traces:
    """The samples of a point, computed if they are not there yet.

    Raises codesign.engine.Unsupported, EnvironmentMissing.
    """
    kept = read_point(setting.run.sim_dir(plan.name), plan, condition, point)
    if kept is not None:
        return kept
    traces = _compute(setting, circuits, plan, condition, point, reference, say)
    write_traces(point_path(setting.run.sim_dir(plan.name), condition, point), traces, _key(plan))
    return traces


def _compute(
    setting: Setting,
    circuits: CornerCircuits,
    plan: CornerPlan,
    condition: str,
    point: CornerPoint,
    reference: ReferencePoint | None,
    say: Callable[[str], None],
) -> Traces:
    numbers = plan.samples(condition, point)
    exported = circuits.exported
    tree = bias_of(condition) == "tree"
    if tree and reference is None:
        message = "the reference has no operating point at this point of the process"
        frames = setting.yardstick.timing.frames
        return join(
            [
                failed(int(n), exported.shape, frames, "no_convergence", message, "", 0.0)
                for n in numbers
            ]
        )
    current_a = exported.hardware.unit_current_a if reference is None else reference.current_a
    here = circuits.at(point, bias="ideal", unit_current_a=current_a)
    library = variant(circuits.libraries[bias_of(condition)], here.hardware, None)
    say(f"batched engine at {point.text()}")
    # Late: few runs need the engine, and it loads compiled code.
    module: Any = importlib.import_module("codesign.engine")
    engine = module.BatchedEngine.of_circuit(library, exported.shape, here.hardware, here)
    # The engine's inputs are in units of what feeds its reference.
    scale = circuits.unit_current_a(condition, reference) / current_a
    inputs = setting.inputs_units()[list(plan.clips)] * scale
    count = len(numbers)
    result: EngineResult = engine.run(
        inputs, np.arange(count), None, np.zeros(count, dtype=np.int64), threads=setting.workers
    )
    # The strobe generator as at the nominal point: a thousandth of the total.
    traces = traces_of(numbers, result, setting.bench.strobe_power_w)
    if reference is not None:
        own_w = reference.supply_current_a * here.hardware.supply_v
        traces.power_w[:, BLOCKS.index("bias")] += own_w
    return traces


def _key(plan: CornerPlan) -> str:
    call: Any = importlib.import_module("codesign.engine.native.call")
    facts = [plan.digest, call.kernel_digest()]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
