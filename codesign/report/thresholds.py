"""Thresholds of every cell as the mapping table holds them, in units of the unit current."""

import re
from typing import TypeAlias

import numpy as np
import pandas as pd

from codesign.report.rundata import Design
from codesign.report.style import is_number

Thresholds: TypeAlias = dict[tuple[int, int], tuple[float, float]]

_CELL = re.compile(r"layers\.(\d+)\.cell\.(beta_hi|width)$")


def cell_thresholds(design: Design | None) -> Thresholds:
    """(layer, unit) -> (beta_hi, beta_lo), the software values, from the rows of mapping.csv."""
    if design is None:
        return {}
    found: dict[str, dict[tuple[int, int], float]] = {"beta_hi": {}, "width": {}}
    table = design.mapping
    for parameter, index, value in zip(
        table["parameter"], table["index"], table["software_value"], strict=True
    ):
        match, unit = _CELL.match(str(parameter)), re.search(r"\d+", str(index))
        if match and unit and is_number(value):
            found[match.group(2)][int(match.group(1)), int(unit.group())] = float(value)
    return {
        at: (high, high - found["width"][at])
        for at, high in found["beta_hi"].items()
        if at in found["width"]
    }


def distances(states: pd.DataFrame, thresholds: Thresholds) -> "pd.Series[float]":
    """Signed distance of each twin candidate from the nearer threshold, in units (+ above)."""
    if states.empty or not thresholds:
        return pd.Series(dtype=float)
    pairs = [
        thresholds.get((int(layer), int(unit)), (float("nan"), float("nan")))
        for layer, unit in zip(states["layer"], states["unit"], strict=True)
    ]
    gaps = states["twin_candidate_units"].to_numpy(float)[:, None] - np.array(pairs, dtype=float)
    nearer = np.where(np.abs(gaps[:, 0]) <= np.abs(gaps[:, 1]), gaps[:, 0], gaps[:, 1])
    return pd.Series(nearer, dtype=float).dropna()
