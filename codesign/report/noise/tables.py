"""Tables of the noise page: jitter by threshold, contributors, cells, clips."""

from typing import Any

import pandas as pd

from codesign.report.noise.data import Noise
from codesign.report.noise.figures import rows_rms, sentence, short
from codesign.report.page import ROWS_LISTED, Cell, Table, columns, figure, share_cell, text
from codesign.report.style import count, fixed, number, percent

_PER_CONDITION = 10


def jitter_table(found: Noise) -> Table:
    """One row per threshold: predicted, measured, beside mismatch."""
    rows: list[tuple[Cell, ...]] = []
    target = float(found.summary.get("noise_jitter_target") or 1.5)
    for row in found.tables["jitter"].to_dict("records"):
        good = 1 / target <= row["ratio"] <= target
        rows.append(
            (
                text(f"{row['edge']}, {row['size']}"),
                text(f"{row['layer']}.{row['unit']}"),
                figure(row["threshold_a"], fixed(row["threshold_a"] * 1e9, 4)),
                figure(row["predicted_sigma_a"], fixed(row["predicted_sigma_a"] * 1e12, 2)),
                figure(row["measured_sigma_a"], fixed(row["measured_sigma_a"] * 1e12, 2)),
                text(
                    f"{fixed(row['measured_low_a'] * 1e12, 2)} to "
                    f"{fixed(row['measured_high_a'] * 1e12, 2)}"
                ),
                figure(row["ratio"], fixed(row["ratio"], 2), "good" if good else "bad"),
                figure(row["bandwidth_hz"], number(row["bandwidth_hz"], 3)),
                figure(row["flicker_share"], percent(row["flicker_share"], 0)),
                figure(
                    row["measured_sigma_a"] / row["threshold_a"],
                    percent(row["measured_sigma_a"] / row["threshold_a"], 2),
                ),
                figure(
                    row["mismatch_sigma_a"] / row["threshold_a"],
                    percent(row["mismatch_sigma_a"] / row["threshold_a"], 1),
                ),
                figure(row["trials"], count(row["trials"])),
            )
        )
    return Table(
        "Jitter of thresholds",
        columns(
            "Threshold | Cell | #At (nA) | #Sigma predicted (pA) | #Measured (pA) | "
            "95 % interval | #Ratio | #Bandwidth (Hz) | #1/f part | #Noise | #Mismatch | #Trials"
        ),
        tuple(rows),
        note="Predicted from .noise near the threshold, weighed by how the decision node sums "
        "current while the cell looks; measured in a transient with noise of every device. Noise "
        "and mismatch are sigmas over the threshold.",
        empty="Not measured: simulate with --noise and without --jitter 0.",
    )


def contributors_table(found: Noise) -> Table:
    """The devices that make most of the noise, by condition."""
    table = found.tables["contributors"]
    rows: list[tuple[Cell, ...]] = []
    for condition in table["condition"].unique():
        total = rows_rms(table, condition)
        part: Any = table[table["condition"] == condition].head(_PER_CONDITION).itertuples()
        rows += [
            (
                text(sentence(condition)), text(short(row.device)),
                figure(row.rms_a, fixed(row.rms_a * 1e12, 3)),
                figure(row.white_rms_a, fixed(row.white_rms_a * 1e12, 3)),
                figure(row.flicker_rms_a, fixed(row.flicker_rms_a * 1e12, 3)),
                share_cell(row.rms_a**2, total**2, 1),
            )
            for row in part
            if row.share > 1e-3
        ]  # fmt: skip
    return Table(
        "Who makes the noise",
        columns("Where | Device | #rms (pA) | #white (pA) | #1/f (pA) | #Share of the variance"),
        tuple(rows),
        note="From .noise, ten devices of each; all of them are in noise_contributors.parquet.",
        folded=True,
        empty="Not measured.",
    )


def units_table(found: Noise) -> Table:
    """One row per cell."""
    units: Any = found.tables["units"].itertuples()
    rows: list[tuple[Cell, ...]] = [
        (
            figure(row.layer, str(row.layer)), figure(row.unit, str(row.unit)),
            figure(row.candidate_mean_units, fixed(row.candidate_mean_units, 3)),
            figure(row.candidate_rms_units, fixed(row.candidate_rms_units, 4)),
            figure(row.states_flipped, count(row.states_flipped)),
            share_cell(row.states_flipped, row.states, 3, bar=False),
        )
        for row in units
    ]  # fmt: skip
    return Table(
        "Cells",
        columns(
            "#Layer | #Unit | #Candidate, mean (units) | #Noise (units rms) | #States flipped | "
            "#Share"
        ),
        tuple(rows),
        folded=len(rows) > 40,
    )


def clips_table(found: Noise) -> Table:
    """One row per chip and clip, those that flip first."""
    clips = found.tables["clips"].sort_values(
        ["decisions_flipped", "states_flipped", "margin_without_noise_units"],
        ascending=[False, False, True], kind="stable",
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    shown: Any = clips.head(ROWS_LISTED).itertuples()
    for row in shown:
        chip = getattr(row, "chip", None)
        rows.append(
            (
                text(row.clip_id), text("nominal" if pd.isna(chip) else int(chip)),
                figure(row.seeds, count(row.seeds)),
                figure(
                    row.decisions_flipped, count(row.decisions_flipped),
                    "bad" if row.decisions_flipped else "",
                ),
                figure(row.states_flipped, count(row.states_flipped)),
                figure(row.margin_without_noise_units, fixed(row.margin_without_noise_units, 3)),
                figure(row.margin_sigma_units, fixed(row.margin_sigma_units, 4)),
            )
        )  # fmt: skip
    left = len(clips) - len(rows)
    return Table(
        f"Clips and chips: {count(len(clips))}",
        columns(
            "Clip | Chip | #Seeds | #Decisions flipped | #States flipped | "
            "#Margin without noise (units) | #Sigma over seeds (units)"
        ),
        tuple(rows),
        note=f"{left} more are in noise_clips.parquet." if left > 0 else "",
        folded=len(rows) > 40,
    )
