"""How else this network could be mapped: every strategy designed, measured and priced.

Each strategy is a whole design of the same trained network at the same process point. Its weights
are measured in their blocks (``codesign.circuit.inplace``), every signal at the current it
typically carries, at the design's temperature and at the ends of the range; its area is counted and
its power predicted. Results go to ``design/strategies.json`` and one row per device to
``design/strategies.parquet``.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from codesign.analysis.strategies import gain_column, static_error_units, summarise_strategy
from codesign.checkpoint import Model, load_chip_model, model_parameters
from codesign.circuit.count import count_devices
from codesign.circuit.export import design_network
from codesign.circuit.inplace import weights_in_place
from codesign.circuit.network import build_network
from codesign.circuit.power import predict_power
from codesign.device.bench import ProcessPoint, find_point
from codesign.device.calibrate import calibrate
from codesign.device.paths import SignPaths, sign_paths
from codesign.files import atomic_path, write_json
from codesign.flows import HardwareSection
from codesign.mapping.currents import node_currents
from codesign.mapping.design import Design
from codesign.mapping.exported import load_exported, weights_sha256
from codesign.runs import Run
from codesign.testset import load_test_split

TEMPERATURES_C = (-20.0, 85.0)
_POWER_CLIPS = 64


@dataclass(frozen=True)
class Strategy:
    """One way to make weights; ``title`` as in reports."""

    name: str
    title: str
    weights: Literal["unit", "continuous", "single"]
    weight_grid: Literal[8, 16]


STRATEGIES = (
    Strategy("k/8", "unit devices, k/8", "unit", 8),
    Strategy("k/16", "unit devices, k/16", "unit", 16),
    Strategy("continuous", "continuous: unit widths, any length", "continuous", 8),
    Strategy("single", "continuous: one device, any width", "single", 8),
)


def compare_strategies(
    run: Run, pdk_root: Path | None = None, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Measure every strategy for the network of an exported run; writes and returns the summary.

    Raises InputError without a design, EnvironmentMissing without ngspice or PDK.
    """
    model, exported = load_chip_model(run), load_exported(run)
    point = find_point(exported.hardware, pdk_root)
    inputs = load_test_split(run).currents().double().numpy()
    results, tables = [], []
    for strategy in STRATEGIES:
        progress(f"measuring the strategy {strategy.title}")
        summary, table = _one(strategy, model, point, inputs)
        results.append(summary)
        tables.append(table.assign(strategy=strategy.name))
    folder = exported.folder
    with atomic_path(folder / "strategies.parquet") as temporary:
        everything = pa.Table.from_pandas(pd.concat(tables), preserve_index=False)
        pq.write_table(everything, temporary, compression="zstd")
    found = {
        "weights_sha256": weights_sha256(run),
        "nominal_c": point.hardware.temperature_c,
        "temperatures_c": list(TEMPERATURES_C),
        "used": _used(exported.hardware),
        "strategies": results,
        "sign_paths": asdict(_paths(point)),
    }
    write_json(folder / "strategies.json", found)
    return found


def _paths(point: ProcessPoint) -> SignPaths:
    calibration = calibrate(point)
    return sign_paths(point, calibration.mirrors, calibration.turns)


def _used(hardware: HardwareSection) -> str:
    """The strategy of the design itself."""
    if hardware.weights == "unit":
        return f"k/{hardware.weight_grid}"
    return hardware.weights


def _one(
    strategy: Strategy, model: Model, point: ProcessPoint, inputs: np.ndarray[Any, Any]
) -> tuple[dict[str, Any], pd.DataFrame]:
    hardware = point.hardware.model_copy(
        update={"weights": strategy.weights, "weight_grid": strategy.weight_grid, "bias": "ideal"}
    )
    point = replace(point, hardware=hardware)
    design = design_network(model, hardware, calibrate(point), inputs)
    currents = node_currents(model_parameters(model), inputs)
    # A node that never carries anything is measured at one unit, as its turn is trimmed.
    typical = {node: current.typical_units or 1.0 for node, current in currents.items()}
    nominal_c = hardware.temperature_c
    table = pd.DataFrame()
    for temperature in (nominal_c, *TEMPERATURES_C):
        moved = hardware.model_copy(update={"temperature_c": temperature})
        measured = weights_in_place(design, replace(point, hardware=moved), typical)
        if table.empty:
            table = pd.DataFrame([{**asdict(item), "path": item.path} for item in measured])
            table = table.drop(columns=["gain", "kind", "native"])
        table[gain_column(temperature)] = [item.gain for item in measured]
    mean = {node: current.mean_units for node, current in currents.items()}
    static = static_error_units(table, nominal_c, mean)
    candidates = np.array([error for node, error in static.items() if node.startswith("c")])
    logits = np.array([error for node, error in static.items() if node.startswith("y")])
    return {
        "name": strategy.name,
        "title": strategy.title,
        "weights": strategy.weights,
        "weight_grid": strategy.weight_grid,
        **_rounding(design),
        **summarise_strategy(table, nominal_c, TEMPERATURES_C),
        "candidate_error_units_rms": float(np.sqrt(np.mean(candidates**2))),
        "logit_error_units_rms": float(np.sqrt(np.mean(logits**2))),
        **_price(design, model, inputs),
    }, table


def _rounding(design: Design) -> dict[str, Any]:
    """What the strategy cannot carry as learned, weights alone."""
    lost = [
        item
        for item in design.unrepresentable
        if item.parameter.partition("[")[0].endswith((".weight", ".bias"))
    ]
    moved = [abs(item.realised_value - item.software_value) for item in lost]
    return {
        "not_representable": len(lost),
        "rounding_units_worst": max(moved, default=0.0),
        "rounded": [item.parameter for item in lost],
    }


def _price(design: Design, model: Model, inputs: np.ndarray[Any, Any]) -> dict[str, Any]:
    library = build_network(design)
    count = count_devices(library)
    return {
        "transistors": count.transistors,
        "unit_devices": sum(block.unit_devices for block in count.blocks.values()),
        "gate_area_m2": count.gate_area_m2,
        "gate_area_feedforward_m2": count.blocks["feedforward"].gate_area_m2,
        "predicted_power_w": predict_power(model, design, library, inputs[:_POWER_CLIPS])["total"],
    }
