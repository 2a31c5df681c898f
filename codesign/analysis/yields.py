"""Yield: the part of chips that meet a specification, and how it depends on the limit.

A specification is a quantity of a chip (``analysis.chips``), a comparison and a limit. A chip with
a failed sample meets none: nobody knows what it would have done. In a plan of several corners a
chip is good when it meets the specification in every corner.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.chips import POWERS
from codesign.analysis.intervals import wilson
from codesign.errors import InputError

Bools = NDArray[np.bool_]

# What a limit may be put on, with what it means; powers in watts, the rest as named.
QUANTITIES = {
    "accuracy": "part of its clips that the chip classifies rightly",
    "accuracy_loss": "the twin's accuracy on the same clips minus the chip's",
    "vote_agreement": "part of its decisions that equal the twin's",
    "state_agreement": "part of its states that equal the twin's",
    "candidate_error_rms_units": "rms error of its candidates against the twin's, units",
    "margin_least_units": "least margin of the network's decision over its clips, units",
    **dict(zip(POWERS, (
        "mean power, W", "of the recurrent cells, W", "of the feed-forward layers, W",
        "of the bias, W", "of the strobe generator, W",
    ), strict=True)),
}  # fmt: skip

EVERY_CORNER = "every corner"
CURVE_POINTS = 201
_SPEC = re.compile(r"\s*([A-Za-z_]\w*)\s*(>=|<=|>|<)\s*([-+0-9.eE]+)\s*")
_COMPARE = {">=": np.greater_equal, "<=": np.less_equal, ">": np.greater, "<": np.less}


@dataclass(frozen=True)
class Spec:
    """``name`` (of ``QUANTITIES``) ``op`` (>=, <=, > or <) ``limit``."""

    name: str
    op: str
    limit: float

    def __str__(self) -> str:
        return f"{self.name}{self.op}{self.limit:g}"

    def met(self, chips: pd.DataFrame, limit: float | None = None) -> Bools:
        """Which rows of the table of chips meet it, or the same with another limit."""
        bound = self.limit if limit is None else limit
        # Shares are quotients: 9 of 10 is 0.9 whatever the last bit says.
        slack = 0.0 if self.name in POWERS else 1e-12 * max(1.0, abs(bound))
        bound += {">=": -slack, "<=": slack}.get(self.op, 0.0)
        good = (chips["samples_failed"] == 0).to_numpy(bool)
        return np.asarray(_COMPARE[self.op](chips[self.name].to_numpy(float), bound)) & good


# The targets of the demonstration, chip by chip.
DEFAULT_SPECS = (
    Spec("vote_agreement", ">=", 1.0),
    Spec("accuracy_loss", "<=", 0.02),
    Spec("state_agreement", ">=", 0.99),
)


def parse_spec(given: str) -> Spec:
    """A specification as written: ``accuracy>=0.9``. Raises InputError, with the nearest name."""
    match = _SPEC.fullmatch(given)
    try:
        limit = float(match.group(3)) if match else float("nan")
    except ValueError:
        limit = float("nan")
    if match is None or not np.isfinite(limit):
        raise InputError(
            f"--spec '{given}' is not NAME OP VALUE, as in 'accuracy>=0.9'; OP is >=, <=, > or <."
        )
    name = match.group(1)
    if name not in QUANTITIES:
        near = difflib.get_close_matches(name, QUANTITIES, n=1, cutoff=0.5)
        guess = f"; did you mean '{near[0]}'?" if near else ""
        raise InputError(
            f"--spec '{given}': a chip has no quantity '{name}'{guess} "
            f"Known: {', '.join(QUANTITIES)}."
        )
    return Spec(name, match.group(2), limit)


def yield_table(chips: pd.DataFrame, specs: Sequence[Spec]) -> pd.DataFrame:
    """One row per specification, and one (``all``) for all of them together, by corner.

    Counts whole chips: ``passed`` of ``chips``, ``chips_failed`` of which have a failed sample, the
    ``yield`` and its 95 % interval (Wilson). Several corners are followed by ``every corner``.
    """
    whole = chips[chips["whole"]]
    rows = []
    for name, met in [*((str(s), s.met(whole)) for s in specs), ("all", all_met(whole, specs))]:
        judged = whole[["corner", "chip", "samples_failed"]].assign(met=met)
        parts = [(str(corner), part) for corner, part in judged.groupby("corner", sort=False)]
        if len(parts) > 1:
            parts.append((EVERY_CORNER, _in_every_corner(judged)))
        for corner, part in parts:
            passed, count = int(part["met"].sum()), len(part)
            low, high = wilson(passed, count) or (None, None)
            rows.append(
                {
                    "spec": name, "corner": corner, "chips": count, "passed": passed,
                    "chips_failed": int((part["samples_failed"] > 0).sum()),
                    "yield": passed / count, "yield_low": low, "yield_high": high,
                }
            )  # fmt: skip
    return pd.DataFrame(rows, columns=_YIELDS.split())


_CURVES = "spec name op spec_limit limit chips passed yield yield_low yield_high"
_YIELDS = "spec corner chips passed chips_failed yield yield_low yield_high"


def all_met(chips: pd.DataFrame, specs: Sequence[Spec]) -> Bools:
    """Which chips meet every specification."""
    found = (chips["samples_failed"] == 0).to_numpy(bool)
    for spec in specs:
        found = found & spec.met(chips)
    return found


def _in_every_corner(judged: pd.DataFrame) -> pd.DataFrame:
    """One row per chip that is there in every corner."""
    by_chip = judged.groupby("chip", sort=False)
    found = by_chip.agg(met=("met", "all"), samples_failed=("samples_failed", "sum"))
    return found[by_chip.size() == judged["corner"].nunique()]


def yield_curves(chips: pd.DataFrame, specs: Sequence[Spec]) -> pd.DataFrame:
    """Yield against the limit, at up to ``CURVE_POINTS`` limits between the chips' extremes, its
    own included; of plans of several corners in every corner."""
    whole = chips[chips["whole"]]
    several = whole["corner"].nunique() > 1
    rows = []
    for spec in specs:
        values = whole[spec.name].dropna().to_numpy(float)
        if not len(values):
            continue
        parts = np.linspace(0, 1, CURVE_POINTS - 1)
        limits = np.unique([*np.quantile(values, parts, method="nearest"), spec.limit])
        for limit in limits:
            judged = whole[["corner", "chip", "samples_failed"]].assign(
                met=spec.met(whole, float(limit))
            )
            if several:
                judged = _in_every_corner(judged)
            passed, count = int(judged["met"].sum()), len(judged)
            low, high = wilson(passed, count) or (None, None)
            rows.append(
                {
                    "spec": str(spec), "name": spec.name, "op": spec.op,
                    "spec_limit": spec.limit, "limit": float(limit),
                    "chips": count, "passed": passed,
                    "yield": passed / count if count else None,
                    "yield_low": low, "yield_high": high,
                }
            )  # fmt: skip
    return pd.DataFrame(rows, columns=_CURVES.split())


def yield_figures(chips: pd.DataFrame, table: pd.DataFrame) -> dict[str, Any]:
    """The headline: all specifications together, and each, with denominators and intervals."""
    several = (table["corner"] == EVERY_CORNER).any()
    headline = table[table["corner"] == EVERY_CORNER] if several else table
    named = {
        row["spec"]: {
            "passed": row["passed"], "chips": row["chips"], "yield": row["yield"],
            "interval": [row["yield_low"], row["yield_high"]],
        }
        for row in headline.to_dict("records")
    }  # fmt: skip
    every = named.pop("all", None)
    failed = chips.loc[chips["samples_failed"] > 0, "chip"]
    return {
        "yield": every["yield"] if every else None,
        "yield_count": every["passed"] if every else 0,
        "yield_chips": every["chips"] if every else 0,
        "yield_interval": every["interval"] if every else None,
        "yield_by_spec": named,
        "chips_with_failed_samples": int(failed.nunique()),
        "chips_partial": int((~chips["whole"]).sum()),
    }
