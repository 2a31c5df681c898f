"""Agreement of transistors and twin: candidates, states, logits, decisions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from codesign.report.agreement.data import CAUSES
from codesign.report.page import (
    ROWS_LISTED,
    Figure,
    Section,
    Table,
    columns,
    figure,
    share_cell,
    text,
    unlisted,
)
from codesign.report.rundata import RunData, Simulation
from codesign.report.style import count, fixed, is_number, light, number, percent
from codesign.report.svg import HALF, dots, drawing, new_figure, render
from codesign.report.waves import Floats


def agreement_section(data: RunData) -> Section | None:
    """None without a simulation in which some sample ended well."""
    sim = data.simulation
    if sim is None or not sim.summary.get("state_count"):
        return None
    causes = sim.summary.get("state_disagreement_causes") or {}
    total, equal = int(sim.summary["state_count"]), float(sim.summary["state_agreement"])
    wrong = round(total * (1 - equal))
    figures: tuple[Figure, ...] = ()
    if not sim.partial and not sim.states.empty:
        figures = (Figure(_candidates(sim.states), _candidate_caption(sim)),)
    if not sim.logits.empty and not sim.partial:
        figures = (*figures, Figure(_logits(sim.logits), _logit_caption(sim)))
    explained = (sim.folder / "roots.parquet").is_file()
    return Section(
        key="agreement",
        title="Agreement",
        lead=_sentence(wrong, total) + _began(sim),
        figures=figures,
        tables=(
            _causes(causes, total), _decision_table(data, sim), _tie_table(data, sim),
        ),
        notes=("states.parquet of this plan holds the states that differ.",) if sim.partial else (),
        link=("agreement.html", "Every disagreement with its waveform, every unit and clip, error "
              "suppression: the agreement page") if explained else None,
    )  # fmt: skip


def _began(sim: Simulation) -> str:
    began = sim.summary.get("root_disagreements")
    if not began:
        return ""
    named = sim.summary.get("root_causes") or {}
    words = ", ".join(f"{count(n)} {name}" for name, n in named.items())
    return f" They follow from {count(began)} that began it: {words}."


def _sentence(wrong: int, total: int) -> str:
    if wrong:
        return f"{count(wrong)} of {count(total)} states differ from the twin's."
    return f"All {count(total)} states equal the twin's."


def _scatter(
    twin: "pd.Series[float]", chip: "pd.Series[float]", name: str, what: str, label: str
) -> Any:
    """Value against value, and below it what the eye cannot see there: the difference."""
    x, y = np.asarray(twin, dtype=np.float64), np.asarray(chip, dtype=np.float64)
    error = y - x
    with drawing():
        fig = new_figure((HALF[0], 440))
        upper, lower = fig.subplots(2, 1, sharex=True, height_ratios=(2.4, 1))
        values = np.concatenate([x, y])
        values = values[np.isfinite(values)]
        top, low = 1.04 * max([1e-3, *values]), 1.04 * min([0.0, *values])
        upper.plot([low, top], [low, top], color=light("twin"), linewidth=3.5, alpha=0.45)
        dots(upper, *_thinned(x, y, (top - low, top - low)), "chip", 3.0)
        bound = max([1e-3, *(1.15 * np.abs(error[np.isfinite(error)]))])
        lower.axhline(0, color=light("twin"), linewidth=3.5, alpha=0.45)
        dots(lower, *_thinned(x, error, (top - low, 5 * bound)), "chip", 3.0)
        upper.set(ylabel=f"transistors' {what} (units)", xlim=(low, top), ylim=(low, top))
        lower.set(
            xlabel=f"twin's {what} (units)", ylabel="difference (units)", ylim=(-bound, bound)
        )
        for ax in (upper, lower):
            ax.grid(True, axis="x")
        return render(fig, name, label)


def _thinned(x: Floats, y: Floats, spans: tuple[float, float]) -> tuple[list[float], list[float]]:
    """Points that would be drawn at the same place, on a grid of 1/300 of the spans, once."""
    table = pd.DataFrame({"x": x, "y": y}).dropna()
    keys = (table.div(list(spans), axis="columns") * 300).round()
    kept = table[~keys.duplicated()]
    return kept["x"].tolist(), kept["y"].tolist()


def _candidates(states: pd.DataFrame) -> Any:
    return _scatter(
        states["twin_candidate_units"], states["chip_candidate_units"], "candidates", "candidate",
        "Candidate currents of the transistors against the twin's",
    )  # fmt: skip


def _candidate_caption(sim: Simulation) -> str:
    s = sim.summary
    rms, most = "candidate_error_rms_units", "candidate_error_max_units"
    text = (
        f"Candidates, {count(len(sim.states))} (unit, frame) pairs. Error: "
        f"{number(s.get(rms), 2)} units rms, {number(s.get(most), 2)} at most."
    )
    same = "_same_states_below"
    if is_number(s.get(rms + same)):
        text += (
            f" Where the states of the layers below agree: {number(s[rms + same], 2)} rms, "
            f"{number(s.get(most + same), 2)} at most."
        )
    return text


def _logits(logits: pd.DataFrame) -> Any:
    return _scatter(
        logits["twin_logit_units"], logits["chip_logit_units"], "logits", "logit",
        "Logit currents of the transistors against the twin's",
    )  # fmt: skip


def _logit_caption(sim: Simulation) -> str:
    s = sim.summary
    rms, full = s.get("logit_error_rms_units"), s.get("logit_full_scale_units")
    share = f", {percent(rms / full, 2)} of full scale" if is_number(rms) and full else ""
    error = sim.logits["chip_logit_units"] - sim.logits["twin_logit_units"]
    return (
        f"Logits, {count(len(sim.logits))} (class, frame) pairs. Error: {number(rms, 2)} units "
        f"rms{share}; {number(error.abs().max(), 2)} at most."
    )


def _decision_table(data: RunData, sim: Simulation) -> Table:
    ok = sim.ok
    differing = ok[~ok["agree"].astype(bool)]
    shown = differing.head(ROWS_LISTED)
    return Table(
        f"Decisions that differ: {len(differing)} of {len(ok)}",
        columns("Clip | Label | Twin | Transistors | #Twin margin (units) | Explanation"),
        tuple(
            (
                text(row.clip_id), text(data.class_name(row.label)),
                text(data.class_name(row.twin_decision)),
                text(data.class_name(row.chip_decision), "bad"),
                figure(row.twin_margin_units, fixed(row.twin_margin_units)),
                text(row.explanation or "none recorded", "" if row.explanation else "bad"),
            )
            for row in shown.itertuples()
        ),
        note=unlisted(len(differing)),
        empty="Every decision equals the twin's.",
    )  # fmt: skip


def _tie_table(data: RunData, sim: Simulation) -> Table:
    ties = sim.ok[sim.ok["near_tie"].astype(bool)]
    shown = ties.head(ROWS_LISTED)
    limit = sim.summary.get("near_tie_units") or data.flow.simulation.near_tie_units
    return Table(
        f"Near-ties, twin margin below {limit:g} units: {len(ties)} of {len(sim.ok)}",
        columns("Clip | Label | Twin | Transistors | #Twin margin (units) | Decision"),
        tuple(
            (
                text(row.clip_id), text(data.class_name(row.label)),
                text(data.class_name(row.twin_decision)), text(data.class_name(row.chip_decision)),
                figure(row.twin_margin_units, fixed(row.twin_margin_units)),
                text("✓ equal", "good") if row.agree else text("✗ differs", "bad"),
            )
            for row in shown.itertuples()
        ),
        note=unlisted(len(ties)),
        empty="No clip is a near-tie.",
    )  # fmt: skip


def _causes(counts: Mapping[str, int], total: int) -> Table:
    wrong = sum(counts.values())
    names = [*CAUSES, *sorted(set(counts) - set(CAUSES))]
    return Table(
        f"Why states differ: {wrong} of {count(total)}",
        columns("Cause | Meaning | #States | #Share"),
        tuple(
            (
                text(name), text(CAUSES.get(name, "")),
                figure(int(counts.get(name, 0)), count(counts.get(name, 0))),
                share_cell(int(counts.get(name, 0)), wrong, 1),
            )
            for name in names
        ),
    )  # fmt: skip
