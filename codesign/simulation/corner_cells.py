"""Cells of the design at every point of its process, measured beside the samples."""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from codesign.analysis.agreement import Yardstick
from codesign.analysis.pvt import cell_errors, cell_rows
from codesign.device.cell_loops import CellBias
from codesign.device.cell_points import CellValues, cells_at
from codesign.device.reference import ReferencePoint
from codesign.errors import InputError
from codesign.files import atomic_path
from codesign.mapping.exported import Exported
from codesign.simulation.corner_circuits import CornerCircuits, bias_of
from codesign.simulation.points import CornerPlan, CornerPoint, nominal_index

Key = tuple[str, int]
_KEYS = ["bias", "point", "layer", "unit"]


@dataclass(frozen=True)
class CellJobs:
    """Measurements under way, by bias and point number; ``units`` are (layer, unit) in order."""

    units: tuple[tuple[int, int], ...]
    waiting: Mapping[Key, "Future[list[CellValues]]"]

    @classmethod
    def submit(
        cls,
        executor: Executor,
        circuits: CornerCircuits,
        plan: CornerPlan,
        reference: Callable[[str, CornerPoint], ReferencePoint | None],
    ) -> "CellJobs":
        """Start measuring the cells of the design at the wanted points."""
        units, biases = programmed_cells(circuits.exported)
        waiting: dict[Key, Future[list[CellValues]]] = {}
        for condition in plan.conditions:
            bias = bias_of(condition)
            for point in plan.wanted:
                made = reference(condition, point)
                if (bias, point.index) in waiting or (bias == "tree" and made is None):
                    continue
                unit_a = circuits.exported.hardware.unit_current_a
                current_a = unit_a if made is None else made.current_a
                here = circuits.at(point, unit_current_a=current_a)
                waiting[bias, point.index] = executor.submit(
                    cells_at, here, circuits.mirrors, biases
                )
        return cls(units, waiting)

    def table(self, folder: Path, yardstick: Yardstick) -> pd.DataFrame:
        """Write cells.parquet, those of other points kept, and return a row per bias and point."""
        rows = [
            self._row(bias, point, cell, values, yardstick)
            for (bias, point), future in self.waiting.items()
            for cell, values in enumerate(future.result())
        ]
        path = folder / "cells.parquet"
        table = pd.DataFrame(rows)
        if path.is_file():
            before = pd.read_parquet(path)
            table = pd.concat([before[table.columns] if len(table) else before, table])
            table = table.drop_duplicates(_KEYS, keep="last").sort_values(_KEYS)
        if table.empty:
            return table
        errors = cell_errors(table, nominal_index())
        with atomic_path(path) as temporary:
            errors.to_parquet(temporary, index=False)
        return cell_rows(errors)

    def _row(
        self, bias: str, point: int, cell: int, values: CellValues, yardstick: Yardstick
    ) -> dict[str, object]:
        layer, unit = self.units[cell]
        unit_a = yardstick.unit_current_a
        beta_hi, width, alpha = (
            float(yardstick.cells(name)[layer, unit]) * unit_a
            for name in ("beta_hi", "width", "alpha")
        )
        return {
            "bias": bias, "point": point, "layer": layer, "unit": unit,
            "beta_hi_a": values.beta_hi_a, "beta_lo_a": values.beta_lo_a,
            "width_a": values.beta_hi_a - values.beta_lo_a, "alpha_a": values.alpha_a,
            "programmed_beta_hi_a": beta_hi, "programmed_beta_lo_a": beta_hi - width,
            "programmed_width_a": width, "programmed_alpha_a": alpha,
        }  # fmt: skip


def programmed_cells(exported: Exported) -> tuple[tuple[tuple[int, int], ...], list[CellBias]]:
    """(layer, unit) of the design's cells, and the bias currents of their mirrors in units.

    Raises InputError when the design's table lacks one.
    """
    table = pd.read_csv(exported.mapping_file, dtype={"index": str})
    rows = table[table["bias_current_a"].notna()]
    unit_a = exported.hardware.unit_current_a
    currents = {
        (parameter, index): float(value) / unit_a
        for parameter, index, value in zip(
            rows["parameter"], rows["index"], rows["bias_current_a"], strict=True
        )
    }
    units = tuple(
        (layer, unit)
        for layer in range(exported.shape.layers)
        for unit in range(exported.shape.state_dim)
    )
    try:
        biases = [
            CellBias(
                *(
                    currents[f"layers.{layer}.cell.{name}", str(unit)]
                    for name in ("beta_hi", "width", "alpha")
                )
            )
            for layer, unit in units
        ]
    except KeyError as error:
        raise InputError(
            f"{exported.mapping_file} has no bias current for {error.args[0][0]}; make the design "
            "again with 'codesign export-netlist'."
        ) from error
    return units, biases
