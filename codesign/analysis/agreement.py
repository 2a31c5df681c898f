"""Chip against twin, many samples at once: tables from traces, nothing read or written here."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.causes import AGREES, CAUSES, Causes, before, find_causes
from codesign.analysis.samples import (
    explain_decisions,
    fill_decisions,
    fill_errors,
    sample_rows,
)
from codesign.analysis.tally import Tally, count_logits, count_states
from codesign.analysis.yardstick import Twins, Yardstick
from codesign.simulation.traces import Traces

__all__ = ["Comparison", "Twins", "Yardstick", "compare"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Comparison:
    """Some samples of a plan: one row per sample, per state, per logit, and what they add up to.

    ``states`` and ``logits`` hold what was asked for; ``roots`` the states at which a disagreement
    began; ``tally`` counts everything.
    """

    samples: pd.DataFrame
    states: pd.DataFrame
    roots: pd.DataFrame
    logits: pd.DataFrame
    tally: Tally


def compare(
    yardstick: Yardstick,
    planned: pd.DataFrame,
    twins: Twins,
    traces: Traces,
    every_state: bool = True,
    network: Twins | None = None,
) -> Comparison:
    """Join samples with their twins. Failed samples keep their row, without chip values.

    ``planned`` holds the rows of ``Plan.rows`` for the samples of ``traces``, in their order, and
    ``twins`` one twin per row; ``network`` is the ideal one where ``twins`` are not. Without
    ``every_state`` the table of states holds those that differ alone, and that of logits the
    samples whose decision differs.
    """
    ok = traces.ok
    chosen = twins.take(np.flatnonzero(ok))
    read = traces.take(ok)
    unit_a = yardstick.unit_current_a
    candidates, states = read.candidates_a / np.float64(unit_a), read.states_a / np.float64(unit_a)
    logits = read.logits_a / np.float64(unit_a)
    half = yardstick.cells("alpha")[:, :, None] / 2
    twin_active, chip_active = chosen.states > half, states > half
    changed = twin_active != before(twin_active)
    differs = twin_active != chip_active
    causes = find_causes(
        yardstick.decides_by(), chosen.candidates, candidates, chosen.states, states
    )
    columns = {
        "twin_candidate_units": chosen.candidates,
        "chip_candidate_units": candidates,
        "twin_state_units": chosen.states,
        "chip_state_units": states,
        "twin_active": twin_active,
        "chip_active": chip_active,
        "changed": changed,
        "agree": ~differs,
    }
    numbers = read.sample
    samples = sample_rows(yardstick, planned, twins, network or twins, traces)
    if len(numbers):
        fill_decisions(yardstick, samples, ok, chosen, logits)
        for name, mask in (("differing", differs), ("changed", changed),
                           ("changed_agreeing", changed & ~differs)):  # fmt: skip
            samples.loc[ok, f"states_{name}"] = mask.sum(axis=(1, 2, 3))
    error = candidates - chosen.candidates
    if len(numbers):
        fill_errors(samples, ok, error, differs, logits - chosen.logits)
    tally = count_states(differs, changed, causes.code, error, states - chosen.states)
    tally = tally + count_logits(chosen.logits, logits, differs)
    inherited = causes.code == CAUSES.index("inherited")
    begun = differs & ~inherited
    roots = _state_table(numbers, columns, causes, begun)
    roots["chip_was_active"] = before(chip_active)[begun]
    roots["late_below"] = causes.late_below[begun]
    per_sample = int(np.prod(differs.shape[1:]))
    samples = explain_decisions(samples, roots, per_sample)
    shown = np.ones_like(differs) if every_state else differs
    kept = np.ones(len(numbers), bool)
    if not every_state:
        kept = ~samples.loc[ok, "agree"].to_numpy(bool)
    return Comparison(
        samples,
        _state_table(numbers, columns, causes, shown),
        roots,
        _logit_table(numbers[kept], chosen.logits[kept], logits[kept]),
        tally,
    )


def _state_table(
    numbers: NDArray[np.int64],
    columns: Mapping[str, Floats | Bools],
    causes: Causes,
    shown: Bools,
) -> pd.DataFrame:
    sample, layer, unit, frame = np.nonzero(shown)
    names = np.array([*CAUSES, None], dtype=object)
    where = zip(("root_frame", "root_layer", "root_unit"), causes.root_at(), strict=True)
    agrees = causes.code[shown] == AGREES
    return pd.DataFrame(
        {
            "sample": numbers[sample],
            "frame": frame,
            "layer": layer,
            "unit": unit,
            **{name: values[shown] for name, values in columns.items()},
            "cause": pd.Series(names[causes.code[shown]], dtype="str"),
            **{name: pd.Series(at[shown], dtype="Int32").mask(agrees) for name, at in where},
        }
    )


def _logit_table(numbers: NDArray[np.int64], twin: Floats, chip: Floats) -> pd.DataFrame:
    sample, frame, class_index = (index.ravel() for index in np.indices(twin.shape))
    return pd.DataFrame(
        {
            "sample": numbers[sample],
            "frame": frame,
            "class_index": class_index,
            "twin_logit_units": twin.ravel(),
            "chip_logit_units": chip.ravel(),
        }
    )
