"""Yield: each specification with its interval, and against its limit."""

from typing import Any

import pandas as pd

from codesign.analysis.yields import EVERY_CORNER, QUANTITIES
from codesign.report.mismatch.data import Population
from codesign.report.page import Figure, Section, Table, columns, figure, share_cell, text
from codesign.report.style import axis_scale, count, light, percent
from codesign.report.svg import HALF, drawing, new_figure, plain, render

_ALL = "all"


def yield_section(found: Population) -> Section:
    """Bars with intervals, curves, and the counts behind them."""
    s = found.summary
    if not s.get("yield_chips"):
        return Section(
            "yield", "Yield", "No chip has all its samples here, so there is no yield; simulate "
            "without --samples.",
        )  # fmt: skip
    return Section(
        key="yield",
        title="Yield",
        lead=_lead(s),
        figures=(Figure(_bars(found), _bars_caption(found)), *_curves(found)),
        tables=(_table(found),),
        notes=(
            "Intervals are Wilson's, 95 %. Other limits need no new simulation: give them with "
            "--spec and repeat the command.",
        ),
    )


def _lead(s: dict[str, Any]) -> str:
    low, high = s.get("yield_interval") or (None, None)
    lead = (
        f"{count(s['yield_count'])} of {count(s['yield_chips'])} chips meet every specification: "
        f"{percent(s['yield'])}, 95 % interval {percent(low)} to {percent(high)}."
    )
    failed, partial = s.get("chips_with_failed_samples"), s.get("chips_partial")
    if failed:
        lead += (
            f" {count(failed)} chips have a failed sample and count as not meeting any: nobody "
            "knows what they would have done."
        )
    if partial:
        lead += f" {count(partial)} chips with part of their samples are left out."
    return lead


def _headline(found: Population) -> pd.DataFrame:
    table = found.yields
    several = (table["corner"] == EVERY_CORNER).any()
    return table[table["corner"] == EVERY_CORNER] if several else table


def _bars(found: Population) -> Any:
    table = _headline(found)
    with drawing():
        fig = new_figure((HALF[0], 90 + 46.0 * len(table)))
        ax = fig.subplots()
        rows: Any = table.rename(columns={"yield": "part"}).itertuples()
        for k, row in enumerate(rows):
            role = "chip" if row.spec != _ALL else "ink"
            ax.barh(k, 100 * row.part, height=0.5, color=light(role), alpha=0.8)
            ax.plot(
                [100 * row.yield_low, 100 * row.yield_high], [k, k], color=light("twin"),
                linewidth=2.4,
            )  # fmt: skip
            ax.text(
                1.5,
                k - 0.41,
                f"{count(row.passed)} of {count(row.chips)}",
                va="center",
                fontsize=10,
            )
        names = [plain("all together" if n == _ALL else n, 30) for n in table["spec"]]
        ax.set(
            yticks=range(len(table)), yticklabels=names, ylim=(len(table) - 0.5, -0.7),
            xlim=(0, 100), xlabel="chips that meet it (%)",
        )  # fmt: skip
        ax.grid(True, axis="x")
        ax.grid(False, axis="y")
        return render(fig, "yield-bars", "Yield of every specification")


def _bars_caption(found: Population) -> str:
    least = found.summary.get("min_yield")
    asked = f" At least {percent(least)} were asked for." if least is not None else ""
    return (
        "Part of the chips that meets each specification; orange: 95 % interval. A short bar names "
        f"the specification that costs the yield.{asked}"
    )


def _curves(found: Population) -> tuple[Figure, ...]:
    if found.curves.empty:
        return ()
    # Where no limit between the chips' extremes makes a difference there is no curve to see.
    drawn = [
        part for _, part in found.curves.groupby("spec", sort=False) if part["passed"].nunique() > 1
    ]
    return tuple(Figure(_curve(part, k), _curve_caption(part)) for k, part in enumerate(drawn))


def _curve(part: pd.DataFrame, k: int) -> Any:
    first = part.iloc[0]
    name, limit = str(first["name"]), float(first["spec_limit"])
    limits = part["limit"].to_numpy(float)
    unit = "W" if name.endswith("_w") else ""
    factor, shown = axis_scale(limits.tolist(), unit) if unit else (1.0, "")
    x = factor * limits
    with drawing():
        fig = new_figure((HALF[0], 270))
        ax = fig.subplots()
        where: Any = "pre" if str(first["op"]).startswith(">") else "post"
        ax.fill_between(
            x, 100 * part["yield_low"].to_numpy(float), 100 * part["yield_high"].to_numpy(float),
            color=light("chip"), alpha=0.22, linewidth=0, step=where,
        )  # fmt: skip
        ax.step(x, 100 * part["yield"].to_numpy(float), where=where, color=light("chip"))
        if len(x) <= 30:
            ax.plot(x, 100 * part["yield"].to_numpy(float), "o", color=light("chip"), markersize=3)
        ax.axvline(factor * limit, color=light("twin"), linewidth=1.8, linestyle=(0, (5, 3)))
        label = f"limit of {name} ({shown})" if shown else f"limit of {name}"
        ax.set(xlabel=label, ylabel="yield (%)", ylim=(0, 104))
        return render(fig, f"yield-curve-{k}", f"Yield against the limit of {name}")


def _curve_caption(part: pd.DataFrame) -> str:
    first = part.iloc[0]
    return (
        f"Yield if the limit of {first['name']} stood elsewhere: "
        f"{QUANTITIES.get(str(first['name']), '')}; "
        "band: 95 % interval, dashed: the limit that was asked for. Where the curve is steep, "
        "little room in the specification is worth many chips."
    )


def _table(found: Population) -> Table:
    several = found.yields["corner"].nunique() > 1
    shown: Any = found.yields.itertuples()
    rows = [
        (
            text("all together" if row.spec == _ALL else row.spec),
            *((text(row.corner),) if several else ()),
            share_cell(row.passed, row.chips, 1),
            figure(row.passed, f"{count(row.passed)} of {count(row.chips)}"),
            figure(row.yield_low, percent(row.yield_low)),
            figure(row.yield_high, percent(row.yield_high)),
            figure(row.chips_failed, count(row.chips_failed), "bad" if row.chips_failed else ""),
        )
        for row in shown
    ]  # fmt: skip
    corner = "Corner | " if several else ""
    return Table(
        "Yield by specification",
        columns(
            f"Specification | {corner}#Yield | #Chips | #95 % from | #to | #With failed samples"
        ),
        tuple(rows),
    )
