"""Chip against twin, many samples at once: tables from traces, nothing read or written here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.causes import AGREES, CAUSES, before, find_causes
from codesign.analysis.tally import Tally, count_logits, count_states
from codesign.circuit.timing import Timing
from codesign.decision import Decision
from codesign.mapping.design import Shape
from codesign.simulation.traces import Traces
from codesign.twin.ideal import TwinTrace

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Yardstick:
    """What a sample is compared with: the network's thresholds, gains and decision rule."""

    shape: Shape
    parameters: Mapping[str, Floats]
    rule: Decision
    near_tie_units: float
    unit_current_a: float
    timing: Timing

    def cells(self, name: str) -> Floats:
        """One learned number of every cell, shape (layers, units)."""
        return np.stack(
            [self.parameters[f"layers.{k}.cell.{name}"] for k in range(self.shape.layers)]
        )

    def compared(self, logits: Floats) -> Floats:
        """The logits the rule compares: (n, frames, classes) -> (n, classes)."""
        return logits[:, -1] if self.rule == "last_frame" else logits.mean(axis=1)


@dataclass(frozen=True)
class Twins:
    """The twin's traces of some clips, stacked: as ``TwinTrace``, with the clip as first axis."""

    candidates: Floats
    states: Floats
    logits: Floats
    decision: NDArray[np.int64]
    margin_units: Floats

    @classmethod
    def of(cls, traces: Sequence[TwinTrace]) -> "Twins":
        return cls(
            np.stack([trace.candidates for trace in traces]),
            np.stack([trace.states for trace in traces]),
            np.stack([trace.logits for trace in traces]),
            np.array([trace.decision for trace in traces], dtype=np.int64),
            np.array([trace.margin_units for trace in traces]),
        )

    def take(self, clips: NDArray[np.int64]) -> "Twins":
        """The twins of clips at these places."""
        return Twins(
            self.candidates[clips], self.states[clips], self.logits[clips],
            self.decision[clips], self.margin_units[clips],
        )  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """Some samples of a plan: one row per sample, per state, per logit, and what they add up to.

    ``states`` and ``logits`` hold what was asked for; ``tally`` counts everything.
    """

    samples: pd.DataFrame
    states: pd.DataFrame
    logits: pd.DataFrame
    tally: Tally


def compare(
    yardstick: Yardstick,
    planned: pd.DataFrame,
    twins: Twins,
    traces: Traces,
    every_state: bool = True,
) -> Comparison:
    """Join samples with their twins. Failed samples keep their row, without chip values.

    ``planned`` holds the rows of ``Plan.rows`` for the samples of ``traces``, in their order, and
    ``twins`` one twin per row. Without ``every_state`` the table of states holds those that differ
    alone, and that of logits the samples whose decision differs.
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
    beta_hi = yardstick.cells("beta_hi")
    causes = find_causes(
        chosen.candidates, candidates, twin_active, chip_active,
        beta_hi, beta_hi - yardstick.cells("width"),
    )  # fmt: skip
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
    samples = _sample_rows(yardstick, planned, twins, traces)
    if len(numbers):
        _fill_decisions(yardstick, samples, ok, chosen, logits)
        for name, mask in (("differing", differs), ("changed", changed),
                           ("changed_agreeing", changed & ~differs)):  # fmt: skip
            samples.loc[ok, f"states_{name}"] = mask.sum(axis=(1, 2, 3))
        _explain(yardstick, samples, np.flatnonzero(ok), chosen, candidates, logits, causes)
    error = candidates - chosen.candidates
    tally = count_states(differs, changed, causes, error) + count_logits(chosen.logits, logits)
    shown = np.ones_like(differs) if every_state else differs
    kept = np.ones(len(numbers), bool)
    if not every_state:
        kept = ~samples.loc[ok, "agree"].to_numpy(bool)
    return Comparison(
        samples,
        _state_table(numbers, columns, causes, shown),
        _logit_table(numbers[kept], chosen.logits[kept], logits[kept]),
        tally,
    )


def _sample_rows(
    yardstick: Yardstick, planned: pd.DataFrame, twins: Twins, traces: Traces
) -> pd.DataFrame:
    n = len(planned)
    total = traces.power_w.sum(axis=1)
    return pd.DataFrame(
        {
            **{name: planned[name].to_numpy() for name in ("sample", "clip")},
            **{name: planned[name].array for name in ("clip_id", "seed", "chip", "chip_seed")},
            "status": list(traces.status),
            "message": list(traces.message),
            "log": list(traces.log),
            "label": planned["label"].to_numpy(),
            "twin_decision": twins.decision,
            "chip_decision": pd.array([pd.NA] * n, dtype="Int64"),
            "agree": pd.array([pd.NA] * n, dtype="boolean"),
            "twin_margin_units": twins.margin_units,
            "chip_margin_units": np.full(n, np.nan),
            "near_tie": twins.margin_units < yardstick.near_tie_units,
            "explanation": np.full(n, None, dtype=object),
            **{
                f"states_{name}": pd.array([pd.NA] * n, dtype="Int64")
                for name in ("differing", "changed", "changed_agreeing")
            },
            "mean_power_w": total,
            "mean_power_cells_w": traces.power_w[:, 0],
            "mean_power_feedforward_w": traces.power_w[:, 1],
            "mean_power_bias_w": traces.power_w[:, 2],
            "energy_j": total * yardstick.timing.stop_s,
            "wall_s": traces.wall_s,
        }
    )


def _fill_decisions(
    yardstick: Yardstick, samples: pd.DataFrame, ok: Bools, twins: Twins, logits: Floats
) -> None:
    compared = yardstick.compared(logits)
    decision = compared.argmax(axis=1)
    top = np.sort(compared, axis=1)
    samples.loc[ok, "chip_decision"] = decision
    samples.loc[ok, "agree"] = decision == twins.decision
    samples.loc[ok, "chip_margin_units"] = top[:, -1] - top[:, -2]


def _explain(
    yardstick: Yardstick,
    samples: pd.DataFrame,
    rows: NDArray[np.intp],
    twins: Twins,
    candidates: Floats,
    logits: Floats,
    causes: NDArray[np.int8],
) -> None:
    """Why a decision differs, for those that do; traces are those of the samples at ``rows``."""
    differing = np.flatnonzero(~samples["agree"].to_numpy(bool, na_value=True)[rows])
    texts = []
    for k in differing:
        reasons = []
        margin = twins.margin_units[k]
        if margin < yardstick.near_tie_units:
            reasons.append(f"near-tie: the twin's margin is {margin:.3f} units")
        wrong = np.argwhere(causes[k].transpose(2, 0, 1) != AGREES)
        if len(wrong):
            frame, layer, unit = wrong[0]
            at = (k, layer, unit, frame)
            reasons.append(
                f"{len(wrong)} of {causes[k].size} states differ, first layer {layer} unit "
                f"{unit} in frame {frame} ({CAUSES[causes[at]]}: twin candidate "
                f"{twins.candidates[at]:.3f}, chip {candidates[at]:.3f} units)"
            )
        else:
            error = float(np.abs(logits[k] - twins.logits[k]).max())
            reasons.append(f"all states agree, the logits differ by up to {error:.3f} units")
        texts.append("; ".join(reasons))
    samples.loc[rows[differing], "explanation"] = np.array(texts, dtype=object)


def _state_table(
    numbers: NDArray[np.int64], columns: Mapping[str, Floats | Bools],
    causes: NDArray[np.int8], shown: Bools,
) -> pd.DataFrame:  # fmt: skip
    sample, layer, unit, frame = np.nonzero(shown)
    names = np.array([*CAUSES, None], dtype=object)
    return pd.DataFrame(
        {
            "sample": numbers[sample],
            "frame": frame,
            "layer": layer,
            "unit": unit,
            **{name: values[shown] for name, values in columns.items()},
            "cause": pd.Series(names[causes[shown]], dtype="str"),
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
