"""The chips that lose most votes, and the devices whose draws explain them."""

from typing import Any

import pandas as pd

from codesign.report.mismatch.data import Population
from codesign.report.mismatch.missing import missing
from codesign.report.page import (
    ROWS_LISTED,
    Cell,
    Section,
    Table,
    columns,
    figure,
    share_cell,
    text,
)
from codesign.report.style import count, fixed, signed


def worst_section(found: Population) -> Section:
    """Chips that lose most votes, and the devices that explain them."""
    table = found.more.get("worst_chips")
    if table is None or table.empty:
        return missing(
            "worst", "Worst chips", "The devices behind the worst chips are found with the "
            "sensitivities: 'codesign simulate --mc CHIPS --sensitivity CLIPS'.",
            found.summary.get("chip_analysis"),
        )  # fmt: skip
    s, chips = found.summary, table["chip"].nunique()
    which = f"The {count(chips)} chips that lose most votes"
    if not table["failures"].any():
        which = f"No chip loses a vote. The {count(chips)} with the least margin"
    lead = (
        f"{which}, each on the measured clip on which it is worst, with the devices whose draws "
        "cost most margin."
    )
    if s.get("worst_chips_failing"):
        lead += (
            f" {count(s.get('worst_chips_recovered'))} of the {count(s['worst_chips_failing'])} "
            "that decide wrongly there decide rightly once the devices named, and no others, are "
            "as on paper: these devices are why."
        )
    return Section(
        "worst", "Worst chips", lead,
        tables=(_chips(table), _devices(table), _repeated(table)),
        notes=(
            "Parts are to first order, or, where a state flips, of each device by itself: the "
            "margin less the margin with that device as on paper.",
        ),
    )  # fmt: skip


def _chips(table: pd.DataFrame) -> Table:
    """One row per chip: how it fails and how many devices it takes to mend it."""
    rows: list[tuple[Cell, ...]] = []
    for chip, part in table.groupby("chip", sort=False):
        first, right = part.iloc[0], part.loc[part["recovers"].fillna(False).astype(bool), "rank"]
        fails = float(first["margin_units"]) < 0
        mended = text("decides rightly")
        if fails:
            mended = text("not by those named", "bad")
            if len(right):
                n = int(right.min())
                mended = text("the first" if n == 1 else f"the first {count(n)}", "good")
        rows.append(
            (
                figure(chip, str(chip)), figure(first["failures"], count(first["failures"])),
                text(first["clip_id"]),
                figure(first["margin_units"], fixed(first["margin_units"], 2)),
                figure(first["predicted_margin_units"],
                       fixed(first["predicted_margin_units"], 2)),
                text("; ".join(str(name) for name in part["label"].head(3))), mended,
            )
        )  # fmt: skip
    return Table(
        "Worst chips",
        columns(
            "#Chip | #Votes lost | Worst clip | #Margin (units) | #First order says | "
            "Devices that cost most | Mended by making as on paper"
        ),
        tuple(rows),
    )


def _devices(table: pd.DataFrame) -> Table:
    shown: Any = table.head(ROWS_LISTED).itertuples()
    return Table(
        "Their devices",
        columns(
            "#Chip | #Rank | Device | #Threshold's draw (sigma) | #Its part of the margin "
            "(units) | #Margin without it and those before | Found"
        ),
        tuple(
            (
                figure(row.chip, str(row.chip)), figure(row.rank, count(row.rank)), text(row.label),
                figure(row.delvto_sigma, signed(row.delvto_sigma, 2)),
                figure(row.share_units, signed(row.share_units, 3)),
                figure(row.margin_without_units, fixed(row.margin_without_units, 2)),
                text(row.ranked_by),
            )
            for row in shown
        ),
        folded=True,
    )  # fmt: skip


def _repeated(table: pd.DataFrame) -> Table:
    """In how many of the worst chips each device is among the first three."""
    chips = table["chip"].nunique()
    first = table[table["rank"] <= 3]
    often = first.groupby("label")["chip"].nunique().sort_values(ascending=False, kind="stable")
    return Table(
        "Among the first three of several chips",
        columns("Device | #Chips | #Share"),
        tuple(
            (text(device), figure(n, f"{n} of {chips}"), share_cell(n, chips, 0))
            for device, n in often.head(12).items()
            if n > 1
        ),
        empty="No device is: every chip has reasons of its own.",
    )
