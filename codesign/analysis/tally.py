"""What samples add up to: counts and sums that can be added, so that no plan is too large."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.causes import CAUSES, differs_below

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_UNITS = ("pairs", "differing", "changed", "changed_agreeing", "error_square_sum_units2")


@dataclass(frozen=True)
class Tally:
    """Sums over states and logits; ``by_unit`` holds those of ``_UNITS`` as (layers, units).

    ``clean`` counts candidates in frames in which all states of the layers below agree: a wrong
    state below makes a candidate wrong by right, so the circuit's own error is that of the others.
    """

    by_unit: Mapping[str, Floats] = field(default_factory=dict)
    causes: Mapping[str, int] = field(default_factory=dict)
    samples_agreeing: int = 0
    error_max_units: float = 0.0
    clean: int = 0
    clean_square_sum_units2: float = 0.0
    clean_max_units: float = 0.0
    logits: int = 0
    logit_square_sum_units2: float = 0.0
    logit_full_scale_units: float = 0.0

    def __add__(self, other: "Tally") -> "Tally":
        merged: dict[str, Any] = {}
        for item in fields(self):
            mine, yours = getattr(self, item.name), getattr(other, item.name)
            if isinstance(mine, Mapping):
                keys = [*mine, *(key for key in yours if key not in mine)]
                merged[item.name] = {key: mine.get(key, 0) + yours.get(key, 0) for key in keys}
            elif item.name.endswith(("_max_units", "_scale_units")):
                merged[item.name] = max(mine, yours)
            else:
                merged[item.name] = mine + yours
        return Tally(**merged)

    def total(self, name: str) -> float:
        """A sum over all units."""
        return float(self.by_unit[name].sum()) if name in self.by_unit else 0.0

    def units_table(self) -> pd.DataFrame:
        """One row per unit, as ``units.parquet`` keeps it."""
        first = next(iter(self.by_unit.values()), np.zeros((0, 0)))
        layer, unit = (index.ravel() for index in np.indices(first.shape))
        sums = {name: values.ravel() for name, values in self.by_unit.items()}
        counts = {name: sums[name].astype(np.int64) for name in _UNITS[:4] if name in sums}
        return pd.DataFrame({"layer": layer, "unit": unit, **sums, **counts})


def count_states(
    differs: Bools, changed: Bools, causes: NDArray[np.int8], error_units: Floats
) -> Tally:
    """Sums over the states of samples, arrays (n, layers, units, frames)."""
    if not len(differs):
        return Tally()
    sums = (
        np.ones_like(differs), differs, changed, changed & ~differs, error_units**2
    )  # fmt: skip
    below = np.broadcast_to(differs_below(differs)[..., None, :], differs.shape)
    clean = error_units[~below]
    counts = np.bincount(causes[differs], minlength=len(CAUSES))
    return Tally(
        by_unit={
            name: values.sum(axis=(0, 3), dtype=np.float64)
            for name, values in zip(_UNITS, sums, strict=True)
        },
        causes={name: int(n) for name, n in zip(CAUSES, counts, strict=True) if n},
        samples_agreeing=int((~differs.any(axis=(1, 2, 3))).sum()),
        error_max_units=float(np.abs(error_units).max()),
        clean=clean.size,
        clean_square_sum_units2=float(np.square(clean).sum()),
        clean_max_units=float(np.abs(clean).max()),
    )


def count_logits(twin: Floats, chip: Floats) -> Tally:
    """Sums over logits (n, frames, classes), units."""
    if not len(twin):
        return Tally()
    return Tally(
        logits=twin.size,
        logit_square_sum_units2=float(np.square(chip - twin).sum()),
        logit_full_scale_units=float(np.abs(twin).max()),
    )
