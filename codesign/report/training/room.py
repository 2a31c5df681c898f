"""Room for a circuit to err: candidates against the threshold that decides, leads of decisions."""

from typing import Any

import numpy as np
import pandas as pd

from codesign.report.page import Figure, Section, Table, columns, figure, share_cell, text
from codesign.report.style import class_color, count, light, number, percent
from codesign.report.svg import HALF, NARROW, WIDE, drawing, new_figure, plain, render
from codesign.report.training.data import Floats, Learned

NEAR_TIE_UNITS = 0.1
_SIDES = {"off": ("β_hi, cell is off", "chip"), "on": ("β_lo, cell is on", "twin")}
_MEASURES = {
    "fraction_within_0.05_units": "candidates within 0.05 units of either threshold",
    "near_tie_fraction": "clips whose two best logits are within 0.1 units",
    "logit_lead_median_units": "lead of the best logit, median",
    "logit_lead_5th_percentile_units": "lead of the best logit, 5th percentile",
    "max_node_current_units": "largest current at a node",
    "max_logit_units": "largest logit",
    "mean_mirrored_current_units": "current copied by all mirrors, mean",
    "changed_fraction": "states that change from one frame to the next",
}


def section(learned: Learned) -> Section | None:
    """None where neither margins nor evidence are known."""
    measures = learned.metrics.get("margin") or {}
    evidence = learned.evidence
    if not measures and evidence is None:
        return None
    figures: list[Figure] = []
    tables: list[Table] = []
    if evidence is not None:
        if not evidence.distances.empty:
            figures.append(_distance_figure(learned))
            tables.append(_near_table(learned))
        figures.append(_leads_figure(learned))
    return Section(
        key="room",
        title="Room to err",
        lead="A transistor's candidate is off by a few hundredths of a unit: what lies that close "
        "to the threshold that decides may go either way."
        if learned.on_chip
        else "A baseline has no circuit that could err; its leads are here to compare.",
        figures=tuple(figures),
        beside=_measures_table(measures) if measures else None,
        tables=tuple(tables),
    )


def near_counts(distances: pd.DataFrame, within: float) -> pd.DataFrame:
    """Per layer and side, candidates closer than ``within`` to the threshold that decides, and
    all: columns layer, before, near, count. ``within`` is a whole number of bins."""
    inside = (distances["low_units"] >= -within - 1e-9) & (distances["high_units"] <= within + 1e-9)
    table = distances.assign(near=distances["count"].where(inside, 0))
    return table.groupby(["layer", "before"], sort=True)[["near", "count"]].sum().reset_index()


def _distance_figure(learned: Learned) -> Figure:
    assert learned.evidence is not None
    table = learned.evidence.distances
    margin = learned.data.flow.training.margin_units
    whole = int(table["count"].sum())
    beyond = int(table.loc[~np.isfinite(table["low_units"] - table["high_units"]), "count"].sum())
    asked = (
        f"Shaded: the margin of {margin:g} units asked for in training. "
        if learned.data.flow.training.margin_weight
        else ""
    )
    return Figure(
        _distances(table, margin, WIDE[0], "distances"),
        "Candidates minus the threshold that decides, per layer. Left: cells that are off, which "
        "only β_hi can set. Right: cells that are on, which only β_lo can clear. "
        f"{asked}{count(whole)} (unit, frame) pairs of the test clips; {percent(beyond / whole)} "
        "lie beyond the axis, where they are safe. Counts are on a logarithmic axis.",
        _distances(table, margin, NARROW[0], "distances-narrow"),
    )


def _distances(table: pd.DataFrame, margin: float, width: float, name: str) -> Any:
    layers = sorted(table["layer"].unique())
    with drawing():
        fig = new_figure((width, 70 + 140.0 * len(layers)))
        axes = fig.subplots(len(layers), 2, sharex=True, squeeze=False)
        for row, layer in enumerate(layers):
            for ax, (side, (word, role)) in zip(axes[row], _SIDES.items(), strict=True):
                part = table[(table["layer"] == layer) & (table["before"] == side)]
                inner = part[np.isfinite(part["low_units"]) & np.isfinite(part["high_units"])]
                edges = np.append(inner["low_units"], inner["high_units"].iloc[-1:])
                ax.axvspan(-margin, margin, color=light("rule"), linewidth=0)
                ax.stairs(inner["count"], edges, fill=True, color=light(role), alpha=0.85)
                ax.axvline(0, color=light("ink"), linewidth=1)
                title = word if width < 500 else f"Layer {layer}: distance from {word}"
                ax.set_title(f"L{layer} {title}" if width < 500 else title)
                # The few close to a threshold matter, and are few beside those that are not.
                ax.set_ylim(0.7, max(10.0, 2.0 * float(table["count"].max())))
                ax.set_yscale("log")
                ax.minorticks_off()
                ax.yaxis.set_major_formatter(lambda value, _: count(value))
                ax.set_xlim(edges[0], edges[-1])
        for ax in axes[-1]:
            ax.set_xlabel(f"{'distance' if width < 500 else 'candidate − threshold'} (units)")
        for ax in axes[:, 0]:
            ax.set_ylabel("pairs")
        return render(fig, name, "Histograms of candidates' distances from thresholds")


def _near_table(learned: Learned) -> Table:
    assert learned.evidence is not None
    margin = learned.data.flow.training.margin_units
    near = near_counts(learned.evidence.distances, 0.05)
    wide = near_counts(learned.evidence.distances, round(margin / 0.025) * 0.025)
    rows = [
        (
            figure(one["layer"], str(one["layer"])),
            text(f"{one['before']}: {'β_hi' if one['before'] == 'off' else 'β_lo'}"),
            figure(one["count"], count(one["count"])),
            share_cell(one["near"], one["count"], 2, bar=False),
            share_cell(other["near"], other["count"], 1, bar=False),
        )
        for one, other in zip(near.to_dict("records"), wide.to_dict("records"), strict=True)
    ]
    return Table(
        "Close to the threshold that decides",
        columns(f"Layer | Cell | #Candidates | #Within 0.05 | #Within {margin:g}"),
        tuple(rows),
        note="Distances in units. The other threshold of a cell cannot change its state, so it is "
        "not counted here.",
    )


def _leads_figure(learned: Learned) -> Figure:
    assert learned.evidence is not None
    clips = learned.evidence.clips
    leads = clips["right_lead_units"].to_numpy(np.float64)
    wrong = int((clips["label"] != clips["decision"]).sum())
    ties = int((clips["margin_units"].abs() < NEAR_TIE_UNITS).sum())
    return Figure(
        _leads(leads, clips["label"].to_numpy(), learned.data.class_names),
        f"How far the right class leads the best other one, {count(len(clips))} {learned.judged} "
        f"by class; left of zero the decision is wrong ({count(wrong)}). {count(ties)} decisions "
        f"are within {NEAR_TIE_UNITS} units of a tie (strip).",
    )


def _leads(leads: Floats, labels: Any, names: tuple[str, ...]) -> Any:
    low, high = float(np.quantile(leads, 0.002)), float(np.quantile(leads, 0.998))
    edges = np.linspace(min(low, -0.5), max(high, 0.5), 49)
    clipped = np.clip(leads, edges[0], edges[-1])
    seen = [k for k in range(len(names)) if (labels == k).any()]
    # More classes than colours are one histogram: nobody can tell thirty outlines apart.
    groups: list[tuple[str, str, Any]] = [
        (plain(names[k], 16), class_color(k), clipped[labels == k]) for k in seen
    ]
    if len(seen) > 8:
        groups = [("all classes", "chip", clipped)]
    with drawing():
        fig = new_figure((HALF[0], 300))
        ax = fig.subplots()
        below = np.zeros(len(edges) - 1)
        for name, role, values in groups:
            counts, _ = np.histogram(values, edges)
            ax.stairs(
                below + counts, edges, baseline=below, fill=True, color=light(role), label=name,
                alpha=0.85,
            )  # fmt: skip
            below = below + counts
        ax.axvspan(-NEAR_TIE_UNITS, NEAR_TIE_UNITS, color=light("bad"), alpha=0.3, linewidth=0)
        ax.axvline(0, color=light("ink"), linewidth=1)
        ax.set(xlabel="lead of the right class (units)", ylabel="clips", xlim=(edges[0], edges[-1]))
        ax.yaxis.set_major_formatter(lambda value, _: count(value) if value == int(value) else "")
        if len(groups) > 1:
            fig.legend(loc="outside upper left", ncols=4)
        return render(fig, "leads", "Histogram of the right class's lead by class")


def _measures_table(measures: dict[str, Any]) -> Table:
    rows = []
    for key, value in measures.items():
        shown = percent(value, 2) if "fraction" in key else f"{number(value)} units"
        rows.append((text(_MEASURES.get(key, key.replace("_", " "))), figure(value, shown)))
    return Table(
        "Margins and currents, test split",
        columns("Measure | #Value"),
        tuple(rows),
        empty="Not measured.",
    )
