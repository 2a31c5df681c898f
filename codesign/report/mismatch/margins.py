"""Margins of every clip over the chips, beside the margin of the equations."""

from typing import Any

import numpy as np
import pandas as pd

from codesign.analysis.spread import SPREAD_SIGMAS
from codesign.report.mismatch.data import Population
from codesign.report.page import (
    ROWS_LISTED,
    Cell,
    Figure,
    Mark,
    Section,
    Table,
    columns,
    figure,
    share_cell,
    text,
)
from codesign.report.rundata import RunData
from codesign.report.style import count, fixed, is_number, light, number, percent
from codesign.report.svg import NARROW, WIDE, drawing, new_figure, plain, render

# Clips drawn: those of the least margin in sigmas; the table has the others.
CLIPS_DRAWN = 24
_BINS = 90


def margins_section(data: RunData, found: Population) -> Section:
    """Histogram of every clip, the spread of each, and the votes that were lost."""
    s = found.summary
    kept, pairs = s.get("votes_kept_beyond_spread_count"), s.get("pairs_beyond_spread")
    lead = (
        f"The margin of a sample is the logit of the class the network decides for, minus the "
        f"largest of the others. Its spread over chips is {SPREAD_SIGMAS:g} sigma of that clip. "
    )
    if pairs:
        lead += (
            f"{count(kept)} of {count(pairs)} votes are kept where the network's margin exceeds "
            f"the spread, and {count(s.get('votes_kept_within_spread_count'))} of "
            f"{count(s.get('pairs_within_spread'))} where it does not."
        )
    else:
        lead += "No clip has a margin beyond its spread, or there are too few chips to tell."
    drawn = drawn_clips(found.spread)
    return Section(
        "margins", "Margins and votes", lead,
        figures=(
            Figure(
                _ridges(found, drawn, WIDE[0], "margins-wide"), _caption(found, drawn),
                _ridges(found, drawn, NARROW[0], "margins-narrow"),
            ),
        ),
        tables=(_spread_table(found), _lost_table(data, found), *_logit_table(data, found)),
        notes=(
            "Pairs of one clip share its margin, so the interval of their proportion, which takes "
            "them as independent, is narrower than what other clips would show.",
        ),
    )  # fmt: skip


def drawn_clips(spread: pd.DataFrame) -> pd.DataFrame:
    """The rows of the table of spreads that are drawn, those nearest to a lost vote first."""
    sigmas = spread["network_margin_units"] / spread["margin_sigma_units"]
    order = spread.assign(sigmas=sigmas).sort_values(["sigmas", "clip"], kind="stable")
    return order.head(CLIPS_DRAWN)


def _ridges(found: Population, drawn: pd.DataFrame, width: float, name: str) -> Any:
    samples = found.samples[found.samples["status"] == "ok"]
    groups: dict[Any, pd.DataFrame] = dict(list(samples.groupby(["corner", "clip"], sort=False)))
    several, wide = len(found.corners) > 1, width > 500
    parts = [
        groups[row.corner, row.clip]["logit_margin_units"].to_numpy(float)
        if (row.corner, row.clip) in groups
        else np.zeros(0)
        for row in drawn.itertuples()
    ]
    every = np.concatenate([*parts, drawn["network_margin_units"].to_numpy(float), [0.0]])
    low, high = float(every.min()), float(every.max())
    edges = np.linspace(low - 0.02 * (high - low), high + 0.02 * (high - low), _BINS + 1)
    with drawing():
        fig = new_figure((width, 70 + 34.0 * len(drawn)))
        ax = fig.subplots()
        ax.axvspan(edges[0], 0, color=light("bad"), alpha=0.08, linewidth=0)
        ax.axvline(0, color=light("bad"), linewidth=1.2)
        names = []
        rows: Any = drawn.itertuples()
        for k, (row, values) in enumerate(zip(rows, parts, strict=True)):
            counts, _ = np.histogram(values, edges)
            # Roots: a flip of one chip in a hundred must be seen beside the bulk.
            heights = 0.86 * np.sqrt(counts / max(1, counts.max()))
            ax.stairs(k - heights, edges, baseline=k, fill=True, color=light("chip"), alpha=0.8)
            for value, role in (
                (row.network_margin_units, "twin"),
                (found.nominal_margins.get(str(row.clip_id)), "ink"),
            ):
                if is_number(value):
                    ax.plot([value] * 2, [k, k - 0.9], color=light(role), linewidth=2)
            label = plain(row.clip_id, 22 if wide else 14)
            names.append(f"{label} {row.corner}" if several else label)
            if wide:
                ax.annotate(
                    f"{count(row.votes_kept)} of {count(row.pairs)}", (1, k), xytext=(6, 4),
                    xycoords=("axes fraction", "data"), textcoords="offset points", fontsize=10,
                    annotation_clip=False,
                    color=light("muted" if row.votes_kept == row.pairs else "bad"),
                )  # fmt: skip
        ax.set(
            xlim=(edges[0], edges[-1]), ylim=(len(drawn) - 0.6, -1.0), yticks=range(len(drawn)),
            yticklabels=names, xlabel="margin (units)",
        )  # fmt: skip
        ax.grid(True, axis="x")
        if wide:
            ax.set_title("votes kept", loc="right", fontsize=10, color=light("muted"))
        return render(fig, name, "Histograms of margins over chips, one row per clip")


def _caption(found: Population, drawn: pd.DataFrame) -> str:
    left = len(found.spread) - len(drawn)
    marks = "orange: the network's margin"
    if found.nominal_margins:
        marks += "; dark: the chip without mismatch"
    return (
        f"Each row is a clip, its shape the chips' margins (heights as square roots, so that few "
        f"chips are seen); {marks}. Left of zero the vote is lost: a shape that reaches into the "
        "red area, or a second hump far from the mark, is a clip that mismatch can turn."
        + (f" The {count(left)} clips with more room are in the table." if left > 0 else "")
    )


def _spread_table(found: Population) -> Table:
    order = found.spread.assign(lost=found.spread["pairs"] - found.spread["votes_kept"])
    order = order.sort_values(["lost", "network_margin_units"], ascending=[False, True])
    rows: list[tuple[Cell, ...]] = []
    shown: Any = order.head(ROWS_LISTED).itertuples()
    for row in shown:
        spread = row.spread_units
        rows.append(
            (
                text(row.clip_id), *((text(row.corner),) if len(found.corners) > 1 else ()),
                share_cell(row.votes_kept, row.pairs, 1),
                figure(row.votes_kept, f"{count(row.votes_kept)} of {count(row.pairs)}"),
                figure(row.pairs_failed, count(row.pairs_failed), _bad(row.pairs_failed)),
                figure(row.network_margin_units, fixed(row.network_margin_units, 2)),
                figure(row.margin_mean_units, fixed(row.margin_mean_units, 2)),
                figure(row.margin_sigma_units, fixed(row.margin_sigma_units, 3)),
                figure(spread, fixed(spread, 2)),
                text("beyond") if row.beyond_spread else text("within", "warn"),
            )
        )  # fmt: skip
    corner = "Corner | " if len(found.corners) > 1 else ""
    left = len(order) - len(rows)
    return Table(
        f"Margins of {count(len(order))} clips over chips",
        columns(
            f"Clip | {corner}#Votes kept | #of pairs | #Failed | #Network's margin (units) | "
            f"#Mean over chips | #Sigma | #Spread, {SPREAD_SIGMAS:g} sigma | Network's margin is"
        ),
        tuple(rows),
        note=f"{left} more are in spread.parquet." if left > 0 else "",
        folded=len(rows) > 40,
    )


def _logit_table(data: RunData, found: Population) -> tuple[Table, ...]:
    """Every class's logit at the decision, over chips."""
    table = found.more.get("decision_logits")
    if table is None or table.empty:
        return ()
    several = len(found.corners) > 1
    shown: Any = table.head(ROWS_LISTED).itertuples()
    rows = [
        (
            text(row.clip_id), *((text(row.corner),) if several else ()),
            text(data.class_name(row.class_index)), figure(row.count, count(row.count)),
            *(figure(v, fixed(v, 3)) for v in (row.mean, row.sigma, row.p5, row.p95)),
            figure(row.skew, fixed(row.skew, 2)), text(row.shape),
        )
        for row in shown
    ]  # fmt: skip
    left = len(table) - len(rows)
    corner = "Corner | " if several else ""
    return (
        Table(
            "Logits at the decision, over chips",
            columns(
                f"Clip | {corner}Class | #Chips | #Mean (units) | #Sigma | #5 % | #95 % | #Skew | "
                "Shape"
            ),
            tuple(rows),
            note=f"{count(left)} more are in decision_logits.parquet." if left > 0 else "",
            folded=True,
        ),
    )


def _bad(count_: int) -> Mark:
    return "bad" if count_ else ""


def _lost_table(data: RunData, found: Population) -> Table:
    lost = found.lost
    beyond = int(lost["beyond_spread"].sum())
    rows: list[tuple[Cell, ...]] = []
    shown: Any = lost.head(ROWS_LISTED).itertuples()
    for row in shown:
        failed = row.status != "ok"
        decided = "–" if failed else data.class_name(row.chip_decision)
        rows.append(
            (
                figure(row.sample, str(row.sample)), figure(row.chip, str(row.chip)),
                text(row.clip_id),
                text("beyond", "bad") if row.beyond_spread else text("within"),
                text(f"✗ {row.status}".replace("_", " ") if failed else f"decides {decided}",
                     "bad" if failed else ""),
                figure(row.network_margin_units, fixed(row.network_margin_units, 2)),
                figure(row.logit_margin_units, fixed(row.logit_margin_units, 2)),
                text(getattr(row, "explanation", None), "muted"),
            )
        )  # fmt: skip
    left = len(lost) - len(rows)
    share = percent(len(lost) / len(found.samples)) if len(found.samples) else number(None)
    return Table(
        f"Votes lost: {count(len(lost))} of {count(len(found.samples))} ({share}), {count(beyond)} "
        "of them beyond the spread",
        columns(
            "#Sample | #Chip | Clip | Network's margin | Result | #Network's margin (units) | "
            "#Chip's | Why"
        ),
        tuple(rows),
        note=f"{count(left)} more are in votes_lost.parquet." if left > 0 else "",
        folded=True,
        empty="Every vote was kept.",
    )
