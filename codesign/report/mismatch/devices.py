"""Which devices matter: what each adds to the spread of a margin."""

from typing import Any

import numpy as np
import pandas as pd

from codesign.report.mismatch.data import Population
from codesign.report.mismatch.missing import missing
from codesign.report.page import (
    ROWS_LISTED,
    Cell,
    Figure,
    Section,
    Table,
    columns,
    figure,
    text,
)
from codesign.report.style import count, fixed, is_number, light, number, percent
from codesign.report.svg import HALF, drawing, new_figure, plain, render

_TOP = 16


def devices_section(found: Population) -> Section:
    """Bars of the largest contributions, by device and by role, and the ranked table."""
    table = found.more.get("sensitivity")
    if table is None or table.empty:
        return missing(
            "devices", "Which devices matter", "'codesign simulate --mc CHIPS --sensitivity CLIPS' "
            "measures it with the batched engine.", found.summary.get("chip_analysis")
            if found.summary.get("chip_analysis") != "done"
            else found.summary.get("sensitivity_left_out"),
        )  # fmt: skip
    clips = table["clip_id"].nunique()
    best = table.sort_values("contribution_units", ascending=False).iloc[0]
    lead = (
        f"Every transistor of the nominal chip was moved by itself, threshold and current factor, "
        f"on {count(clips)} {'clip' if clips == 1 else 'clips'}. The largest part comes from "
        f"{best['label']}: {number(best['contribution_units'], 2)} units of sigma on "
        f"{best['clip_id']}."
    )
    return Section(
        "devices", "Which devices matter", lead,
        figures=(_bars(table), _roles(table)),
        tables=(*_first_order(found), _ranked(table)),
        notes=(
            "Contribution: slope of the margin times the device's own sigma. To first order they "
            "add as squares; a device that flips a state moves the margin by more than its slope "
            "says, and the table of sigmas shows how far first order holds.",
        ),
    )  # fmt: skip


def _largest(table: pd.DataFrame) -> pd.DataFrame:
    """Contribution of each device, both parameters and all clips: root mean square over clips."""
    squares = table.assign(square=table["contribution_units"] ** 2)
    by_device = squares.groupby(["label", "role"], sort=False)["square"].sum()
    rms = np.sqrt(by_device / table["clip_id"].nunique()).rename("rms").reset_index()
    ordered: pd.DataFrame = rms.sort_values(["rms", "label"], ascending=[False, True])
    return ordered


def _bars(table: pd.DataFrame) -> Figure:
    rows = _largest(table).head(_TOP)
    with drawing():
        fig = new_figure((HALF[0], 60 + 21.0 * len(rows)))
        ax = fig.subplots()
        ax.barh(
            range(len(rows)), rows["rms"].tolist(), color=light("chip"), height=0.66, alpha=0.85
        )
        ax.set(
            yticks=range(len(rows)), yticklabels=[plain(name, 44) for name in rows["label"]],
            ylim=(len(rows) - 0.4, -0.6), xlabel="sigma of the margin (units)",
        )  # fmt: skip
        ax.tick_params(axis="y", labelsize=8.5)
        ax.grid(True, axis="x")
        ax.grid(False, axis="y")
        svg = render(fig, "devices-largest", "Devices by what they add to the margin's sigma")
    return Figure(
        svg, "The devices that move the margin most, root mean square over clips; one bar far "
        "longer than the rest is a device worth making larger.",
    )  # fmt: skip


def _roles(table: pd.DataFrame) -> Figure:
    squares = (table["contribution_units"] ** 2).groupby(table["role"].astype(str)).sum()
    parts = (squares / squares.sum()).sort_values(ascending=False)
    parts = parts[parts >= 0.0005]
    with drawing():
        fig = new_figure((HALF[0], 60 + 24.0 * len(parts)))
        ax = fig.subplots()
        ax.barh(range(len(parts)), 100 * parts.to_numpy(), color=light("cells"), height=0.62,
                alpha=0.85)  # fmt: skip
        ax.set(
            yticks=range(len(parts)), yticklabels=[plain(name, 26) for name in parts.index],
            ylim=(len(parts) - 0.4, -0.6), xlabel="part of the margin's variance (%)",
        )  # fmt: skip
        ax.grid(True, axis="x")
        ax.grid(False, axis="y")
        svg = render(fig, "devices-roles", "Variance of the margin by what devices are for")
    return Figure(
        svg, "The same by what the devices are for: where area would buy the most margin. A role "
        "with most of the variance and little of the area is drawn too small.",
    )  # fmt: skip


def _first_order(found: Population) -> tuple[Table, ...]:
    """First order against the chips, clip by clip."""
    clips = found.summary.get("sensitivity_clips") or []
    rows: list[tuple[Cell, ...]] = [
        (
            text(clip.get("clip_id")),
            figure(clip.get("margin_units"), fixed(clip.get("margin_units"), 2)),
            figure(clip.get("predicted_sigma_units"), fixed(clip.get("predicted_sigma_units"))),
            figure(clip.get("observed_sigma_without_flips_units"),
                   fixed(clip.get("observed_sigma_without_flips_units"))),
            figure(clip.get("correlation_without_flips"),
                   fixed(clip.get("correlation_without_flips"))),
            figure(clip.get("observed_sigma_units"), fixed(clip.get("observed_sigma_units"))),
            figure(clip.get("chips_without_flips"),
                   f"{count(clip.get('chips_without_flips'))} of {count(clip.get('chips'))}"),
            figure(clip.get("thresholds_that_flip_a_state"),
                   count(clip.get("thresholds_that_flip_a_state"))),
        )
        for clip in clips
        if isinstance(clip, dict)
    ]  # fmt: skip
    if not rows:
        return ()
    return (
        Table(
            "Sigma of the margin: first order and chips",
            columns(
                "Clip | #Margin (units) | #Sigma, first order | #over chips without a flip | "
                "#correlation there | #over all chips | #Chips without a flip | "
                "#Thresholds that flip a state"
            ),
            tuple(rows),
        ),
    )


def _ranked(table: pd.DataFrame) -> Table:
    order = table.sort_values(["contribution_units", "device"], ascending=[False, True])
    rows: list[tuple[Cell, ...]] = []
    shown: Any = order.head(ROWS_LISTED).itertuples()
    for row in shown:
        flip = getattr(row, "flip_sigma", None)
        flips = f"{number(flip, 2)} sigma: {row.flip_state}" if is_number(flip) else ""
        rows.append(
            (
                text(row.clip_id), figure(row.rank, count(row.rank)), text(row.label),
                text({"vth": "threshold", "k": "current factor"}.get(row.parameter, row.parameter)),
                text(row.role),
                figure(row.sigma, f"{number(1e3 * row.sigma)} mV" if row.parameter == "vth"
                       else percent(row.sigma, 2)),
                figure(row.contribution_units, fixed(row.contribution_units, 4)),
                text(flips), text(row.device, "muted"),
            )
        )  # fmt: skip
    left = len(order) - len(rows)
    return Table(
        f"Devices ranked: {count(len(order))} parameters",
        columns(
            "Clip | #Rank | Device | Parameter | Role | #Its sigma | #Contribution (units) | "
            "Flips a state at | Instance"
        ),
        tuple(rows),
        note=f"{count(left)} more are in sensitivity.parquet." if left > 0 else "",
        folded=True,
    )
