"""How chips differ: accuracy, states, candidates and power over the chips of a plan."""

from typing import Any

import numpy as np
import pandas as pd

from codesign.report.mismatch.data import Population
from codesign.report.mismatch.histograms import Mark, histogram
from codesign.report.page import (
    ROWS_LISTED,
    Cell,
    Figure,
    Section,
    Table,
    columns,
    figure,
    share_cell,
    text,
)
from codesign.report.style import BLOCKS, count, fixed, is_number, light, number, percent, quantity
from codesign.report.svg import HALF, drawing, new_figure, render


def chips_section(found: Population) -> Section | None:
    """None where no chip has a sample that ended well."""
    chips = found.chips[found.chips["samples_ok"] > 0]
    if chips.empty:
        return None
    s = found.summary
    lead = (
        f"Over {count(len(chips))} chips the accuracy is {percent(chips['accuracy'].mean())} on "
        f"average (software {percent(s.get('twin_accuracy'))}), "
        f"{percent(s.get('accuracy_chip_p5'))} at the 5th percentile and "
        f"{percent(chips['accuracy'].min())} at least; power is "
        f"{quantity(chips['mean_power_w'].mean(), 'W')}, sigma "
        f"{percent(chips['mean_power_w'].std(ddof=1) / chips['mean_power_w'].mean())}."
    )
    return Section(
        "chips", "Chips", lead,
        figures=(
            (_accuracy(found, chips), _power(chips), _states(chips), _blocks(chips))
            if len(chips) > 1
            else ()
        ),
        tables=tuple(
            table for table in (_corners(found), _distributions(found), _worst(found))
            if table is not None
        ),
    )  # fmt: skip


def _accuracy(found: Population, chips: pd.DataFrame) -> Figure:
    values, clips = chips["accuracy"].to_numpy(float), int(chips["samples_ok"].max())
    twin = found.summary.get("twin_accuracy")
    marks: list[Mark] = [(float(twin), "software", "twin")] if is_number(twin) else []
    return Figure(
        histogram(values, "chips-accuracy", "accuracy of a chip", "%", marks, 1 / clips),
        f"Accuracy of each chip on its {count(clips)} clips; a chip far left of the software's "
        "mark does not do its work. Few clips make coarse steps.",
    )


def _power(chips: pd.DataFrame) -> Figure:
    values = chips["mean_power_w"].to_numpy(float)
    marks: list[Mark] = [(float(values.mean()), "mean", "ink")]
    low, high = np.quantile(values, (0.05, 0.95))
    return Figure(
        histogram(values, "chips-power", "mean power of a chip", "W", marks),
        f"Mean power of each chip: 90 % of them draw between {quantity(low, 'W')} and "
        f"{quantity(high, 'W')}. A long tail to the right would be chips that miss a power budget "
        "the mean keeps.",
    )


def _states(chips: pd.DataFrame) -> Figure:
    values = chips["state_agreement"].to_numpy(float)
    counted = chips[chips["state_agreement"] > 0]
    total = (counted["states_agreeing"] / counted["state_agreement"]).max() if len(counted) else 1
    return Figure(
        histogram(
            values, "chips-states", "states of a chip equal to the twin's", "%", step=1 / total
        ),
        "Part of its states in which a chip is as the twin; a heap at the left edge would be chips "
        "with a memory cell that does not switch.",
    )


def _blocks(chips: pd.DataFrame) -> Figure:
    """Relative spread of each block's power, as outlines."""
    parts = {}
    for block in BLOCKS:
        name = f"mean_power_{block}_w"
        values = chips[name].to_numpy(float) if name in chips else np.zeros(0)
        if len(values) > 1 and values.mean() > 0 and np.ptp(values) > 1e-9 * values.mean():
            parts[block] = 100 * (values / values.mean() - 1)
    with drawing():
        fig = new_figure((HALF[0], 260))
        ax = fig.subplots()
        if parts:
            reach = max(float(np.abs(values).max()) for values in parts.values())
            edges = np.linspace(-reach, reach, 61)
            for block, values in parts.items():
                counts, _ = np.histogram(values, edges)
                ax.stairs(
                    counts, edges, color=light(block), linewidth=1.8,
                    label=f"{BLOCKS[block]}, sigma {values.std(ddof=1):.1f} %",
                )  # fmt: skip
            fig.legend(loc="outside upper left", ncols=1)
        ax.set(xlabel="power of a block from its mean (%)", ylabel="chips")
        svg = render(fig, "chips-blocks", "Spread of the power of every block over chips")
    return Figure(
        svg,
        "How far each block's power lies from its mean over chips. All blocks share one reference, "
        "so a wide outline of one alone points at its own mirrors.",
    )


def _corners(found: Population) -> Table | None:
    """Figures by corner, where there are several."""
    if len(found.corners) < 2:
        return None
    rows: list[tuple[Cell, ...]] = []
    for corner, chips in found.chips.groupby("corner", sort=False):
        spread = found.spread[found.spread["corner"] == corner]
        beyond = spread[spread["beyond_spread"]]
        wanted, kept = int(spread["pairs"].sum()), int(spread["votes_kept"].sum())
        rows.append(
            (
                text(corner), figure(len(chips), count(len(chips))),
                figure(int(chips["samples_failed"].sum()), count(chips["samples_failed"].sum())),
                share_cell(kept, wanted, 1),
                share_cell(int(beyond["votes_kept"].sum()), int(beyond["pairs"].sum()), 1),
                *(
                    figure(value, percent(value))
                    for value in (chips["accuracy"].mean(), chips["state_agreement"].mean())
                ),
                figure(chips["mean_power_w"].mean(), quantity(chips["mean_power_w"].mean(), "W")),
            )
        )  # fmt: skip
    return Table(
        "Corners of the process",
        columns(
            "Corner | #Chips | #Samples failed | #Votes kept | #beyond the spread | #Accuracy | "
            "#States equal | #Mean power"
        ),
        tuple(rows),
    )


_NAMES = {
    "accuracy": ("Accuracy", "%"), "accuracy_loss": ("Accuracy, software minus chip", "%"),
    "vote_agreement": ("Decisions as the twin", "%"),
    "state_agreement": ("States as the twin", "%"),
    "candidate_error_rms_units": ("Candidate error, rms", "units"),
    "margin_least_units": ("Least margin over its clips", "units"),
    "mean_power_w": ("Power", "W"),
    **{f"mean_power_{block}_w": (f"Power, {name.lower()}", "W") for block, name in BLOCKS.items()},
}  # fmt: skip


def _shown(value: Any, unit: str) -> Cell:
    if unit == "%":
        return figure(value, percent(value, 2))
    return figure(value, quantity(value, "W") if unit == "W" else fixed(value, 4))


def _p_words(p: Any) -> str:
    if not is_number(p):
        return ""
    return " (p < 0.001)" if p < 0.001 else f" (p {number(p, 1)})"


def _distributions(found: Population) -> Table | None:
    table = found.more.get("distributions")
    if table is None or table.empty:
        return None
    several = table["corner"].nunique() > 1
    rows: list[tuple[Cell, ...]] = []
    shown: Any = table.itertuples()
    for row in shown:
        name, unit = _NAMES.get(str(row.quantity), (str(row.quantity), ""))
        rows.append(
            (
                text(name), *((text(row.corner),) if several else ()),
                figure(row.count, count(row.count)),
                *(_shown(getattr(row, k), unit) for k in ("mean", "sigma", "p5", "median", "p95")),
                figure(row.skew, fixed(row.skew, 2)),
                text(row.shape + _p_words(row.p_normal)),
            )
        )  # fmt: skip
    corner = "Corner | " if several else ""
    return Table(
        "Distributions over chips",
        columns(
            f"Of a chip | {corner}#Chips | #Mean | #Sigma | #5 % | #Median | #95 % | #Skew | Shape"
        ),
        tuple(rows),
        note="Shape: D'Agostino and Pearson's test of normality; p below 0.01 is not normal.",
    )


def _worst(found: Population) -> Table:
    order = found.chips.sort_values(
        ["samples_failed", "vote_agreement", "margin_least_units", "chip"],
        ascending=[False, True, True, True],
    )
    shown: Any = order.head(ROWS_LISTED).itertuples()
    several = len(found.corners) > 1
    rows = [
        (
            figure(row.chip, str(row.chip)), *((text(row.corner),) if several else ()),
            figure(row.samples_failed, f"{count(row.samples_failed)} of {count(row.samples)}",
                   "bad" if row.samples_failed else ""),
            figure(row.decisions_agreeing,
                   f"{count(row.decisions_agreeing)} of {count(row.samples_ok)}"),
            figure(row.accuracy, percent(row.accuracy)),
            figure(row.state_agreement, percent(row.state_agreement, 2)),
            figure(row.margin_least_units, fixed(row.margin_least_units, 2)),
            text(row.margin_least_clip),
            figure(row.candidate_error_rms_units, fixed(row.candidate_error_rms_units, 3)),
            figure(row.mean_power_w, quantity(row.mean_power_w, "W")),
        )
        for row in shown
    ]  # fmt: skip
    left = len(order) - len(rows)
    corner = "Corner | " if several else ""
    return Table(
        f"Chips, the worst first: {count(len(order))}",
        columns(
            f"#Chip | {corner}#Samples failed | #Decisions as the twin | #Accuracy | #States equal "
            "| #Least margin (units) | on clip | #Candidate error (units rms) | #Mean power"
        ),
        tuple(rows),
        note=f"{count(left)} more are in chips.parquet." if left > 0 else "",
        folded=True,
    )
