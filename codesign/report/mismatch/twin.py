"""Whether the calibrated twin's chips can be told from the transistors'."""

from typing import Any

import pandas as pd

from codesign.analysis.twosample import ALPHA, SHIFT, SPREAD
from codesign.report.mismatch.data import Population
from codesign.report.mismatch.missing import missing
from codesign.report.page import Badge, Cell, Figure, Section, Table, columns, figure, text
from codesign.report.style import count, fixed, light, number
from codesign.report.svg import NARROW, WIDE, drawing, new_figure, plain, render

_DRAWN = 30
_BADGES = {
    "yes": Badge(True, "May stand in"),
    "within limits": Badge(True, "May stand in, within limits"),
    "no": Badge(False, "May not stand in"),
}


def twin_section(found: Population) -> Section:
    """Two-sample tests of the calibrated twin's chips against the transistors'."""
    table = found.more.get("twosample")
    if table is None or table.empty:
        return missing(
            "twin", "Twin against transistors", "Two-sample tests of the twin's chips against the "
            "transistors' are made by 'codesign simulate --mc' for plans of 50 chips and more.",
            found.summary.get("chip_analysis"),
        )  # fmt: skip
    s = found.summary
    return Section(
        key="twin",
        title="Twin against transistors",
        badge=_BADGES.get(str(s.get("twin_stands_in"))),
        lead=_lead(s, table),
        figures=(
            Figure(
                _offsets(table, WIDE[0], "twin-offsets"), _caption(table),
                _offsets(table, NARROW[0], "twin-offsets-narrow"),
            ),
        ),
        tables=(_table(table),),
        notes=(
            "Two tests per quantity (Kolmogorov and Smirnov, Anderson and Darling; Fisher for "
            f"proportions), on chips that the two do not share, at {ALPHA:g} for all together "
            "(Holm). 'Paired' is the same chips in both.",
        ),
    )  # fmt: skip


def _lead(s: dict[str, Any], table: pd.DataFrame) -> str:
    wrong, tested = int(table["differs"].sum()), int(table["p_value"].notna().sum())
    lead = (
        f"{count(wrong)} of {count(tested)} quantities that vary differ significantly between "
        f"transistors and calibrated twin."
    )
    if s.get("twin_stands_in") == "within limits":
        lead += (
            f" On the same chips each of these is off by at most {SHIFT:g} sigma in the mean and a "
            f"factor {1 + SPREAD:g} in sigma, so that the twin may stand in for ngspice."
        )
    if s.get("twin_detectable_shift_sigma") is not None:
        lead += (
            f" These samples would have shown a mean off by "
            f"{number(s['twin_detectable_shift_sigma'], 2)} sigma, or sigmas a factor "
            f"{number(s.get('twin_detectable_std_ratio'), 3)} apart."
        )
    unlike, compared = s.get("twin_decisions_unlike"), s.get("twin_decisions_compared")
    if compared:
        lead += f" On the same chips {count(unlike)} of {count(compared)} decisions are unlike."
    return lead


def _drawn(table: pd.DataFrame) -> pd.DataFrame:
    """Rows that are drawn: those that vary, the farthest off first."""
    varying = table[table["shift_sigma"].notna()]
    order = varying["paired_shift_sigma"].abs().sort_values(ascending=False, kind="stable").index
    return varying.loc[order].head(_DRAWN)


def _offsets(table: pd.DataFrame, width: float, name: str) -> Any:
    rows = _drawn(table)
    wide = width > 500
    with drawing():
        fig = new_figure((width, 100 + (20.0 if wide else 40.0) * max(1, len(rows))))
        shape: Any = {"ncols": 2, "sharey": True} if wide else {"nrows": 2}
        mean, sigma = fig.subplots(**shape)
        y = list(range(len(rows)))
        for ax, column, low, high, middle in (
            (mean, "shift_sigma", -SHIFT, SHIFT, 0.0),
            (sigma, "std_ratio", 1 / (1 + SPREAD), 1 + SPREAD, 1.0),
        ):
            ax.axvspan(low, high, color=light("good"), alpha=0.12, linewidth=0)
            ax.axvline(middle, color=light("muted"), linewidth=1)
            ax.plot(rows[column].tolist(), y, "o", color=light("twin"), markersize=4.5,
                    markerfacecolor="none", label="other chips")  # fmt: skip
            ax.plot(rows[f"paired_{column}"].tolist(), y, "o", color=light("chip"), markersize=4.5,
                    label="same chips")  # fmt: skip
            ax.set_ylim(len(rows) - 0.4, -0.6)
            ax.grid(True, axis="x")
            labels = [
                plain(f"{quantity}, {clip}" if wide else quantity, 44 if wide else 26)
                for quantity, clip in zip(rows["quantity"], rows["clip_id"], strict=True)
            ]
            ax.set_yticks(y, labels, fontsize=8.5)
        mean.set_xlabel("twin's mean minus transistors' (sigma)")
        sigma.set_xlabel("twin's sigma over transistors'")
        fig.legend(*mean.get_legend_handles_labels(), loc="outside upper left", ncols=2)
        return render(fig, name, "How far the twin's chips are off in mean and sigma")


def _caption(table: pd.DataFrame) -> str:
    left = int(table["shift_sigma"].notna().sum()) - len(_drawn(table))
    return (
        "Each row is a quantity on a clip: full dots the same chips in twin and transistors, "
        "hollow ones independent chips, which carry the luck of the draw. Full dots outside the "
        "strip are what would forbid the twin to stand in."
        + (f" {count(left)} rows that are less off are in the table." if left > 0 else "")
    )


def _table(table: pd.DataFrame) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for _, row in table.iterrows():
        rows.append(
            (
                text(row["quantity"]), text(row["clip_id"]),
                *(figure(row[k], count(row[k])) for k in ("n_transistors", "n_twin")),
                *(
                    figure(row[k], fixed(row[k], 4))
                    for k in ("mean_transistors", "mean_twin", "std_transistors", "std_twin",
                              "paired_error_rms")
                ),
                figure(row["p_holm"], number(row["p_holm"], 2)),
                text("✗ differs", "bad") if row["differs"] else text("✓ not told apart", "good"),
            )
        )  # fmt: skip
    return Table(
        "Two-sample tests",
        columns(
            "Quantity | Clip | #Chips, transistors | #twin | #Mean, transistors | #twin | "
            "#Sigma, transistors | #twin | #Paired error (rms) | #p, corrected | Verdict"
        ),
        tuple(rows),
        folded=len(rows) > 16,
    )
