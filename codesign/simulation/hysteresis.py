"""The hysteresis of the cells as designed: run the benches of a design, read the loops."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.circuit.cellbench import candidate_vector, state_vector
from codesign.errors import EnvironmentMissing
from codesign.files import atomic_path, write_json
from codesign.mapping.exported import Exported
from codesign.mapping.names import cell_instance
from codesign.spice.ngspice import Outcome, run_text
from codesign.spice.rawfile import Plot

_POINTS = 400


def measure_cells(
    exported: Exported,
    parameters: Mapping[str, NDArray[np.float64]],
    pdk_header: str,
    ngspice: Path,
    folder: Path,
) -> None:
    """Measure the hysteresis of every cell into the plan's folder, if it is not there yet."""
    if (folder / "cells.json").is_file():
        return
    table: list[dict[str, Any]] = []
    for layer in range(exported.shape.layers):
        outcome = run_cell_bench(exported, layer, pdk_header, ngspice)
        if outcome.status != "ok":
            log = folder / "logs" / f"cells_layer_{layer}.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(outcome.log, encoding="utf-8")
            raise EnvironmentMissing(
                f"The cells of layer {layer} could not be measured in ngspice "
                f"({outcome.status}: {outcome.message}); its log is {log}."
            )
        loops = read_loops(outcome.plots[0], exported, parameters, layer)
        table += [facts for facts, _ in loops]
        if layer == 0:
            facts, branches = loops[0]
            with atomic_path(folder / "hysteresis.parquet") as path:
                branches.to_parquet(path, index=False)
            write_json(folder / "hysteresis.json", facts)
    write_json(folder / "cells.json", table)


def run_cell_bench(exported: Exported, layer: int, pdk_header: str, ngspice: Path) -> Outcome:
    """Run the bench of one layer from the design folder."""
    text = (exported.folder / f"cells_layer_{layer}.cir").read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if not line.startswith(".include 'pdk.cir'")]
    body = "\n".join(kept[1:]).replace(
        ".include 'network.cir'", f".include '{exported.network_file.resolve()}'"
    )
    body = body.replace("write cells.raw", "write out.raw")
    return run_text(ngspice, f"{kept[0]}\n{pdk_header}{body}\n")


def read_loops(
    plot: Plot, exported: Exported, parameters: Mapping[str, NDArray[np.float64]], layer: int
) -> list[tuple[dict[str, Any], pd.DataFrame]]:
    """One loop per unit: programmed and measured values, and the two branches of the ramp.

    Measured values are None for a cell that did not switch exactly once each way.
    """
    unit_a = exported.hardware.unit_current_a
    turn = int(np.argmax(plot[candidate_vector(0)]))
    loops = []
    for unit in range(exported.shape.state_dim):
        name = f"layers.{layer}.cell."
        beta_hi, width, alpha = (
            float(parameters[name + key][unit]) * unit_a for key in ("beta_hi", "width", "alpha")
        )
        current, state = plot[candidate_vector(unit)], plot[state_vector(unit)]
        up = _crossing(current[:turn], state[:turn], alpha / 2)
        down = _crossing(current[turn:], state[turn:], alpha / 2)
        facts = {
            "instance": cell_instance(layer, unit),
            "layer": layer,
            "unit": unit,
            "programmed": {"beta_hi_a": beta_hi, "beta_lo_a": beta_hi - width, "alpha_a": alpha},
            "measured": {"beta_hi_a": up, "beta_lo_a": down, "alpha_a": float(state[turn])},
        }
        branches = [
            pd.DataFrame({"direction": kind, "input_a": current[part], "output_a": state[part]})
            for kind, part in (("up", slice(0, turn)), ("down", slice(turn, None)))
        ]
        thinned = [frame.iloc[_thin(frame["output_a"].to_numpy())] for frame in branches]
        loops.append((facts, pd.concat(thinned, ignore_index=True)))
    return loops


def _crossing(
    current: NDArray[np.float64], state: NDArray[np.float64], level: float
) -> float | None:
    changes = np.flatnonzero(np.diff((state > level).astype(np.int8)))
    if len(changes) != 1:
        return None
    k = int(changes[0])
    return float(current[k] + current[k + 1]) / 2


def _thin(state: NDArray[np.float64]) -> NDArray[np.intp]:
    """Points that keep the shape: evenly spread, and all those of the transition."""
    even = np.linspace(0, len(state) - 1, _POINTS).astype(np.intp)
    steep = np.flatnonzero(np.abs(np.diff(state)) > 0.01 * state.max())
    return np.unique(np.concatenate([even, steep, steep + 1]))
