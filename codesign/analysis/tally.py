"""What samples add up to: counts and sums that can be added, so that no plan is too large."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.causes import CAUSES, differs_below
from codesign.analysis.logits import moments

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_COUNTS = ("pairs", "differing", "changed", "changed_agreeing", "clean_pairs", "agreeing_pairs")


@dataclass(frozen=True)
class Tally:
    """Sums over states and logits.

    ``by_unit`` arrays (layers, units): counts of (sample, frame) ``pairs``, ``differing``,
    ``changed`` (the twin's state changes), ``changed_agreeing``; ``error_*`` of candidates, units;
    ``clean_*`` the same over pairs in which all states of the layers below agree: a wrong state
    below makes a candidate wrong by right, so the circuit's own error is that of the others;
    ``agreeing_*`` over clean pairs whose own state agrees, of the candidate and of the state.

    ``logit_moments``: sums (classes, 6) as ``analysis.logits`` fits them, over ``all`` frames and
    over frames whose states all agree.
    """

    by_unit: Mapping[str, Floats] = field(default_factory=dict)
    causes: Mapping[str, int] = field(default_factory=dict)
    logit_moments: Mapping[str, Floats] = field(default_factory=dict)
    samples_agreeing: int = 0
    logits: int = 0
    logit_square_sum_units2: float = 0.0
    logit_full_scale_units: float = 0.0

    def __add__(self, other: "Tally") -> "Tally":
        merged: dict[str, Any] = {}
        for item in fields(self):
            mine, yours = getattr(self, item.name), getattr(other, item.name)
            if isinstance(mine, Mapping):
                keys = [*mine, *(key for key in yours if key not in mine)]
                merged[item.name] = {
                    key: _joined(key, mine.get(key, 0), yours.get(key, 0)) for key in keys
                }
            else:
                merged[item.name] = _joined(item.name, mine, yours)
        return Tally(**merged)

    def total(self, name: str) -> float:
        """A sum over all units, or the largest of a maximum; 0 where nothing was counted."""
        if name not in self.by_unit:
            return 0.0
        values = self.by_unit[name]
        return float(values.max() if name.endswith("_max_units") else values.sum())

    def rms(self, name: str, pairs: str) -> float | None:
        """Root of a sum of squares over a count; None where there is nothing."""
        count = self.total(pairs)
        return (self.total(name) / count) ** 0.5 if count else None

    def units_table(self) -> pd.DataFrame:
        """One row per unit, as ``units.parquet`` keeps it."""
        first = next(iter(self.by_unit.values()), np.zeros((0, 0)))
        layer, unit = (index.ravel() for index in np.indices(first.shape))
        sums = {name: values.ravel() for name, values in self.by_unit.items()}
        counts = {name: sums[name].astype(np.int64) for name in _COUNTS if name in sums}
        return pd.DataFrame({"layer": layer, "unit": unit, **sums, **counts})


def _joined(name: str, mine: Any, yours: Any) -> Any:
    largest = name.endswith(("_max_units", "_scale_units"))
    return np.maximum(mine, yours) if largest else mine + yours


def count_states(
    differs: Bools,
    changed: Bools,
    causes: NDArray[np.int8],
    error_units: Floats,
    state_error_units: Floats,
) -> Tally:
    """Sums over the states of samples, arrays (n, layers, units, frames)."""
    if not len(differs):
        return Tally()
    below = np.broadcast_to(differs_below(differs)[..., None, :], differs.shape)
    clean, square = ~below, error_units**2
    agreeing = clean & ~differs
    sums = {
        "pairs": np.ones_like(differs),
        "differing": differs,
        "changed": changed,
        "changed_agreeing": changed & ~differs,
        "error_square_sum_units2": square,
        "clean_pairs": clean,
        "clean_error_square_sum_units2": square * clean,
        "agreeing_pairs": agreeing,
        "agreeing_error_square_sum_units2": square * agreeing,
        "agreeing_state_error_square_sum_units2": state_error_units**2 * agreeing,
    }
    size = np.abs(error_units)
    largest = {"error_max_units": size, "clean_error_max_units": size * clean}
    counts = np.bincount(causes[differs], minlength=len(CAUSES))
    return Tally(
        by_unit={k: v.sum(axis=(0, 3), dtype=np.float64) for k, v in sums.items()}
        | {k: v.max(axis=(0, 3)) for k, v in largest.items()},
        causes={name: int(n) for name, n in zip(CAUSES, counts, strict=True) if n},
        samples_agreeing=int((~differs.any(axis=(1, 2, 3))).sum()),
    )


def count_logits(twin: Floats, chip: Floats, differs: Bools) -> Tally:
    """Sums over logits (n, frames, classes), units; ``differs`` (n, layers, units, frames)."""
    if not len(twin):
        return Tally()
    whole: Bools = np.asarray(~differs.any(axis=(1, 2)))
    return Tally(
        logit_moments={
            "all": moments(twin, chip, np.ones_like(whole)),
            "states_agreeing": moments(twin, chip, whole),
        },
        logits=twin.size,
        logit_square_sum_units2=float(np.square(chip - twin).sum()),
        logit_full_scale_units=float(np.abs(twin).max()),
    )
