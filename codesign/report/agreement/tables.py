"""Tables of the agreement page: layers and units, clips, logit fits, suppression, roots."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from codesign.analysis.suppression import by_sigma
from codesign.report.agreement.data import CAUSES, Disagreements
from codesign.report.page import (
    ROWS_LISTED,
    Cell,
    Table,
    columns,
    figure,
    share_cell,
    text,
    unlisted,
)
from codesign.report.rundata import RunData
from codesign.report.style import count, fixed, number, percent, signed


def causes_table(found: Disagreements) -> Table:
    """Every cause with its meaning, the disagreements that began and the states that follow."""
    began = found.roots["cause"].value_counts()
    states = found.roots.groupby("cause")["states"].sum()
    rows = [
        (
            text(name), text(means), figure(int(began.get(name, 0)), count(began.get(name, 0))),
            share_cell(int(began.get(name, 0)), len(found.roots), 1),
            figure(int(states.get(name, 0)), count(states.get(name, 0))),
        )
        for name, means in CAUSES.items()
        if name != "inherited"
    ]  # fmt: skip
    return Table(
        "Causes", columns("Cause | Meaning | #Began | #Share | #States that follow"), tuple(rows)
    )


def units_table(found: Disagreements) -> Table:
    """One row per unit, then one per layer."""
    sums = found.units.copy()
    began = found.roots.groupby(["layer", "unit"]).size()
    keys = pd.MultiIndex.from_frame(sums[["layer", "unit"]])
    sums["began"] = began.reindex(keys).fillna(0).to_numpy(np.int64)
    rows: list[tuple[Cell, ...]] = [
        (*(figure(int(part[k]), str(int(part[k]))) for k in ("layer", "unit")), *_errors(part))
        for _, part in sums.iterrows()
    ]
    largest = [str(name) for name in sums if str(name).endswith("_max_units")]
    for layer, part in sums.groupby("layer", sort=True):
        total = part.sum(numeric_only=True)
        for name in largest:
            total[name] = part[name].max()
        rows.append((text(layer), text("all"), *_errors(total)))
    return Table(
        "Units and layers",
        columns(
            "Layer | Unit | #Differ | #Began here | #Equal | #Changes | #Equal at changes | "
            "#Candidate error (units rms) | #same states below | #largest, same states below | "
            "#Candidate error over state error"
        ),
        tuple(rows),
        note="The last column is static: both against the twin, where the unit's state and those "
        "below agree.",
        folded=len(rows) > 40,
    )


def _errors(part: "pd.Series[Any]") -> tuple[Cell, ...]:
    pairs, wrong, changed = (int(part[name]) for name in ("pairs", "differing", "changed"))

    def rms(name: str, over: str) -> float:
        return float(np.sqrt(part[name] / max(1.0, part[over])))

    out = rms("agreeing_state_error_square_sum_units2", "agreeing_pairs")
    into = rms("agreeing_error_square_sum_units2", "agreeing_pairs")
    clean = rms("clean_error_square_sum_units2", "clean_pairs")
    return (
        figure(wrong, count(wrong), "bad" if wrong else ""),
        figure(int(part["began"]), count(part["began"])),
        share_cell(pairs - wrong, pairs, 3, bar=False),
        figure(changed, count(changed)),
        share_cell(int(part["changed_agreeing"]), changed, bar=False),
        figure(every := rms("error_square_sum_units2", "pairs"), fixed(every, 4)),
        figure(clean, fixed(clean, 4)),
        figure(part["clean_error_max_units"], fixed(part["clean_error_max_units"], 3)),
        figure(into / out if out else None, number(into / out, 2) if out else None),
    )


def clips_table(data: RunData, found: Disagreements) -> Table:
    """One row per sample, those with most wrong states first."""
    ok = found.sim.ok
    ranked = ok.sort_values(
        ["agree", "states_differing", "sample"], ascending=[True, False, True], kind="stable"
    )
    first = found.first().set_index("sample")
    rows: list[tuple[Cell, ...]] = []
    shown: Any = ranked.head(ROWS_LISTED).itertuples()
    for row in shown:
        at, cause = "–", "–"
        if row.sample in first.index:
            root = first.loc[row.sample]
            at, cause = f"frame {root['frame']}, {root['layer']}.{root['unit']}", root["cause"]
        same = "_same_states_below"
        rows.append(
            (
                figure(row.sample, str(row.sample)), text(row.clip_id),
                text("✓ equal", "good") if row.agree else text("✗ differs", "bad"),
                text("near-tie" if row.near_tie else ""),
                figure(int(row.states_differing), count(row.states_differing)),
                text(at), text(cause),
                *(
                    figure(value, fixed(value, 4))
                    for value in (
                        getattr(row, "candidate_error_rms_units" + same),
                        getattr(row, "candidate_error_max_units" + same),
                        row.logit_error_rms_units,
                    )
                ),
            )
        )  # fmt: skip
    return Table(
        f"Samples: {count(len(ok))}",
        columns(
            "Sample | Clip | Decision | Tie | #States that differ | First divergence | Cause | "
            "#Candidate error, same states below (units rms) | #largest | #Logit error (units rms)"
        ),
        tuple(rows),
        note=unlisted(len(ok)),
        folded=True,
    )


def fits_table(data: RunData, found: Disagreements) -> Table:
    """Gain, offset and residual of every class, over agreeing frames and over all."""
    rows: list[tuple[Cell, ...]] = []
    for key, over in (("logit_fit", "all states agree"), ("logit_fit_all_frames", "all frames")):
        for k, fit in enumerate(found.sim.summary.get(key) or []):
            share = fit["residual_of_full_scale"]
            rows.append(
                (
                    text(data.class_name(k)), text(over),
                    figure(fit["count"], count(fit["count"])),
                    figure(fit["gain"] - 1, f"{signed(100 * (fit['gain'] - 1), 2)}\u00a0%"),
                    figure(fit["offset_units"], signed(fit["offset_units"], 3)),
                    figure(fit["residual_rms_units"], fixed(fit["residual_rms_units"], 3)),
                    figure(share, percent(share, 2)),
                )
            )  # fmt: skip
    return Table(
        "Logit errors by class",
        columns(
            "Class | Frames | #Pairs | #Gain error | #Offset (units) | #Residual (units rms) | "
            "#of full scale"
        ),
        tuple(rows),
    )


def suppression_table(found: Disagreements) -> Table | None:
    """One row per sigma."""
    rows = [] if found.pairs is None else by_sigma(found.pairs)
    if not rows:
        return None
    return Table(
        "Error suppression by sigma",
        columns(
            "#Sigma at the inputs (units) | #At the candidates (units rms) | #Ratio, median | "
            "#10 % | #25 % | #75 % | #90 % | #All pairs together | #Pairs | #Pairs with a flip | "
            "#States flipped"
        ),
        tuple(
            (
                figure(row["sigma_units"], number(row["sigma_units"], 2)),
                figure(row["candidate_rms_units_median"], fixed(row["candidate_rms_units_median"])),
                *(
                    figure(row[f"ratio_{name}"])
                    for name in ("median", "p10", "p25", "p75", "p90", "pooled")
                ),
                figure(row["pairs"], count(row["pairs"])),
                figure(row["pairs_flipped"], percent(row["pairs_flipped"])),
                figure(row["states_flipped"], percent(row["states_flipped"], 2)),
            )
            for row in rows
        ),
        note="Left out are pairs whose candidate moves by less than a tenth of sigma.",
    )


def roots_table(found: Disagreements, shown: set[int]) -> Table:
    """Every disagreement that began; those in ``shown`` open in the viewer."""
    order = found.roots.sort_values(
        ["decision_differs", "states", "root"], ascending=[False, False, True], kind="stable"
    )
    rows: list[tuple[Cell, ...]] = []
    shown_rows: Any = order.head(2 * ROWS_LISTED).itertuples()
    for row in shown_rows:
        name = figure(row.root, str(row.root))
        rows.append(
            (
                replace(name, root=int(row.root)) if int(row.root) in shown else name,
                text(row.clip_id if pd.isna(row.chip) else f"{row.clip_id}, chip {row.chip}"),
                *(figure(k, str(k)) for k in (row.layer, row.unit, row.frame)),
                text(row.cause),
                figure(row.states, count(row.states)),
                text("✗ decision differs", "bad") if row.decision_differs else text(""),
                figure(row.gap_units, signed(row.gap_units, 3)),
                text(row.why, "muted"),
            )
        )  # fmt: skip
    left = len(order) - len(rows)
    return Table(
        f"Disagreements that began: {count(len(order))}",
        columns(
            "# | Clip | #Layer | #Unit | #Frame | Cause | #States | Decision | "
            "#Twin from threshold (units) | What shows it"
        ),
        tuple(rows),
        note=f"{left} more are in roots.parquet." if left > 0 else "",
        empty="No state differs from the twin's.",
    )
