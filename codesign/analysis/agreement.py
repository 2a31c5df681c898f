"""Chip against twin, sample by sample: tables from tables, nothing read or written here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.causes import find_causes
from codesign.circuit.timing import Timing
from codesign.decision import Decision
from codesign.mapping.design import Shape
from codesign.simulation.plan import PlannedSample
from codesign.simulation.sample import Ending
from codesign.twin.ideal import TwinTrace

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """All samples of a plan: one row per sample, per state, per logit."""

    samples: pd.DataFrame
    states: pd.DataFrame
    logits: pd.DataFrame


@dataclass(frozen=True)
class Judge:
    """What a sample is compared with: the network's thresholds, gains and decision rule."""

    shape: Shape
    parameters: Mapping[str, Floats]
    rule: Decision
    near_tie_units: float

    def cells(self, name: str) -> Floats:
        """One learned number of every cell, shape (layers, units)."""
        return np.stack(
            [self.parameters[f"layers.{k}.cell.{name}"] for k in range(self.shape.layers)]
        )


def compare(
    judge: Judge,
    planned: Sequence[PlannedSample],
    twins: Sequence[TwinTrace],
    endings: Sequence[Ending],
    readings: Sequence[pd.DataFrame],
    timing: Timing,
) -> Comparison:
    """Join every sample with its twin. Failed samples keep their row, without chip values."""
    samples, states, logits = [], [], []
    for plan, twin, ending, reading in zip(planned, twins, endings, readings, strict=True):
        row = _sample_row(judge, plan, twin, ending, timing)
        if ending.status == "ok":
            chip_candidate = _grid(reading, "candidate", judge.shape)
            chip_state = _grid(reading, "state", judge.shape)
            chip_logits = _logits(reading)
            table = _state_table(judge, plan.sample, twin, chip_candidate, chip_state)
            states.append(table)
            logits.append(_logit_table(plan.sample, twin.logits, chip_logits))
            row |= _decision(judge, twin, chip_logits, table)
        samples.append(row)
    return Comparison(
        pd.DataFrame(samples).astype({"chip_decision": "Int64", "agree": "boolean"}),
        pd.concat(states, ignore_index=True) if states else _no_states(),
        pd.concat(logits, ignore_index=True) if logits else _no_logits(),
    )


def _sample_row(
    judge: Judge, plan: PlannedSample, twin: TwinTrace, ending: Ending, timing: Timing
) -> dict[str, object]:
    powers = (
        ending.mean_power_cells_w,
        ending.mean_power_feedforward_w,
        ending.mean_power_bias_w,
    )
    known = [power for power in powers if power is not None]
    total = sum(known) if len(known) == len(powers) else None
    return {
        "sample": plan.sample,
        "clip": plan.clip,
        "clip_id": plan.clip_id,
        "seed": plan.seed,
        "status": ending.status,
        "message": ending.message,
        "log": ending.log,
        "label": plan.label,
        "twin_decision": twin.decision,
        "chip_decision": None,
        "agree": None,
        "twin_margin_units": twin.margin_units,
        "near_tie": twin.margin_units < judge.near_tie_units,
        "explanation": None,
        "mean_power_w": total,
        "mean_power_cells_w": powers[0],
        "mean_power_feedforward_w": powers[1],
        "mean_power_bias_w": powers[2],
        "energy_j": None if total is None else total * timing.stop_s,
        "wall_s": ending.wall_s,
    }


def _grid(reading: pd.DataFrame, kind: str, shape: Shape) -> Floats:
    rows = reading[reading["kind"] == kind].sort_values(["layer", "unit", "frame"])
    values = rows["value_units"].to_numpy(np.float64)
    return values.reshape(shape.layers, shape.state_dim, -1)


def _logits(reading: pd.DataFrame) -> Floats:
    """Logits as (frames, classes)."""
    rows = reading[reading["kind"] == "logit"]
    table = rows.pivot(index="frame", columns="unit", values="value_units")
    return table.to_numpy(np.float64)


def _state_table(
    judge: Judge, sample: int, twin: TwinTrace, chip_candidate: Floats, chip_state: Floats
) -> pd.DataFrame:
    half = judge.cells("alpha")[:, :, None] / 2
    twin_active, chip_active = twin.states > half, chip_state > half
    before = np.concatenate([np.zeros_like(twin_active[..., :1]), twin_active[..., :-1]], axis=-1)
    beta_hi = judge.cells("beta_hi")
    causes = find_causes(
        twin.candidates, chip_candidate, twin_active, chip_active,
        beta_hi, beta_hi - judge.cells("width"),
    )  # fmt: skip
    layer, unit, frame = (index.ravel() for index in np.indices(twin_active.shape))
    return pd.DataFrame(
        {
            "sample": sample,
            "frame": frame,
            "layer": layer,
            "unit": unit,
            "twin_candidate_units": twin.candidates.ravel(),
            "chip_candidate_units": chip_candidate.ravel(),
            "twin_state_units": twin.states.ravel(),
            "chip_state_units": chip_state.ravel(),
            "twin_active": twin_active.ravel(),
            "chip_active": chip_active.ravel(),
            "changed": (twin_active != before).ravel(),
            "agree": (twin_active == chip_active).ravel(),
            "cause": pd.Series(causes.ravel(), dtype="str"),
        }
    )


def _logit_table(sample: int, twin: Floats, chip: Floats) -> pd.DataFrame:
    frame, class_index = (index.ravel() for index in np.indices(twin.shape))
    return pd.DataFrame(
        {
            "sample": sample,
            "frame": frame,
            "class_index": class_index,
            "twin_logit_units": twin.ravel(),
            "chip_logit_units": chip.ravel(),
        }
    )


def _decision(
    judge: Judge, twin: TwinTrace, chip_logits: Floats, table: pd.DataFrame
) -> dict[str, object]:
    compared = chip_logits[-1] if judge.rule == "last_frame" else chip_logits.mean(axis=0)
    decision = int(compared.argmax())
    agree = decision == twin.decision
    explanation = None if agree else _explain(judge, twin, chip_logits, table)
    return {"chip_decision": decision, "agree": agree, "explanation": explanation}


def _explain(judge: Judge, twin: TwinTrace, chip_logits: Floats, table: pd.DataFrame) -> str:
    reasons = []
    if twin.margin_units < judge.near_tie_units:
        reasons.append(f"near-tie: the twin's margin is {twin.margin_units:.3f} units")
    wrong = table[~table["agree"]].sort_values(["frame", "layer", "unit"])
    if len(wrong):
        first = wrong.iloc[0]
        reasons.append(
            f"{len(wrong)} of {len(table)} states differ, first layer {first.layer} unit "
            f"{first.unit} in frame {first.frame} ({first.cause}: twin candidate "
            f"{first.twin_candidate_units:.3f}, chip {first.chip_candidate_units:.3f} units)"
        )
    else:
        error = float(np.abs(chip_logits - twin.logits).max())
        reasons.append(f"all states agree, the logits differ by up to {error:.3f} units")
    return "; ".join(reasons)


def _no_states() -> pd.DataFrame:
    return pd.DataFrame(
        columns=[
            "sample", "frame", "layer", "unit", "twin_candidate_units", "chip_candidate_units",
            "twin_state_units", "chip_state_units", "twin_active", "chip_active", "changed",
            "agree", "cause",
        ]
    )  # fmt: skip


def _no_logits() -> pd.DataFrame:
    return pd.DataFrame(
        columns=["sample", "frame", "class_index", "twin_logit_units", "chip_logit_units"]
    )
