"""The memory cells over chips: thresholds and gains beside the mismatch law."""

from typing import Any

import numpy as np
import pandas as pd

from codesign.report.mismatch.data import Population
from codesign.report.mismatch.missing import missing
from codesign.report.page import Cell, Figure, Section, Table, columns, figure, text
from codesign.report.style import count, fixed, is_number, light, percent
from codesign.report.svg import HALF, drawing, new_figure, render

_WORDS = {
    "beta_hi": "upper threshold", "beta_lo": "lower threshold", "width": "window",
    "alpha": "gain",
}  # fmt: skip


def cells_section(found: Population) -> Section:
    """Histograms of every quantity, relative to the nominal chip, and a row per cell."""
    table, drawn = found.more.get("thresholds"), found.more.get("cell_draws")
    if table is None or drawn is None or table.empty:
        return missing(
            "cells", "Thresholds and gains", "'codesign simulate --mc' makes them for plans of 50 "
            "chips and more, from the calibrated twin of each chip.",
            found.summary.get("cell_spread"),
        )  # fmt: skip
    s = found.summary
    law = s.get("threshold_law_sigma_relative")
    lead = (
        f"Over {count(table['chips'].max())} chips a cell's upper threshold has a relative sigma "
        f"of {percent(s.get('threshold_sigma_relative'), 2)} (median over "
        f"{count(len(table[['layer', 'unit']].drop_duplicates()))} cells; the mismatch law gives "
        f"{percent(law, 2)} for the three devices that carry it), its gain "
        f"{percent(s.get('gain_sigma_relative'), 2)}."
    )
    never = s.get("cells_that_never_let_go")
    if never:
        lead += (
            f" In {count(never)} of {count(s.get('cells_drawn'))} cells of chips the lower "
            "threshold is not above zero: such a cell, once on, stays on."
        )
    return Section(
        "cells", "Thresholds and gains", lead,
        figures=tuple(
            figure_ for name in ("beta_hi", "alpha", "beta_lo", "width")
            if (figure_ := _histogram(table, drawn, name, law)) is not None
        ),
        tables=(_table(table),),
        notes=(
            "Made by the calibrated twin from the draws that each chip's transistors get; no "
            "transient is run for it. beta_lo and the window are differences of currents, so a "
            "small one varies by much of itself: they are shown in units.",
        ),
    )  # fmt: skip


def _histogram(table: pd.DataFrame, drawn: pd.DataFrame, name: str, law: Any) -> Figure | None:
    """All cells and chips together, each from the nominal chip's: relative, or in units."""
    relative = name in ("beta_hi", "alpha")
    nominal = table[table["parameter"] == name].set_index(["layer", "unit"])["nominal"]
    if nominal.empty:
        return None
    at = pd.MultiIndex.from_frame(drawn[["layer", "unit"]])
    centre = nominal.reindex(at).to_numpy(float)
    values = drawn[f"{name}_units"].to_numpy(float) - centre
    values = 100 * values / centre if relative else values
    values = values[np.isfinite(values)]
    reach = float(np.quantile(np.abs(values), 0.9995)) or 1.0
    edges = np.linspace(-reach, reach, 61)
    with drawing():
        fig = new_figure((HALF[0], 260))
        ax = fig.subplots()
        counts, _ = np.histogram(values, edges)
        ax.stairs(counts, edges, fill=True, color=light("cells"), alpha=0.8)
        if relative and is_number(law):
            middle, sigma = (edges[1:] + edges[:-1]) / 2, 100 * float(law)
            curve = np.exp(-0.5 * (middle / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
            ax.plot(middle, curve * len(values) * np.diff(edges), color=light("twin"),
                    label="mismatch law")  # fmt: skip
            ax.legend(loc="upper right")
        unit = "%" if relative else "units"
        ax.set(
            xlabel=f"{_WORDS[name]} {name}, from the nominal chip's ({unit})",
            ylabel="cells of all chips", xlim=(-reach, reach),
        )  # fmt: skip
        svg = render(fig, f"cells-{name}", f"Histogram of {name} over cells and chips")
    spread = f"sigma {values.std(ddof=1):.3g} {unit}"
    bad = "a curve much wider or narrower than the bars would be a law that is not the circuit's"
    if not relative:
        bad = (
            "a deviation as large as the programmed value is a cell that no longer holds or lets go"
        )
    if not relative or not is_number(law):
        return Figure(
            svg, f"{_WORDS[name].capitalize()} of every cell, all chips: {spread}; {bad}."
        )
    return Figure(
        svg, f"{_WORDS[name].capitalize()} of every cell, all chips: {spread}. Line: the normal "
        f"law with the sigma of the mismatch law; {bad}.",
    )  # fmt: skip


def _table(table: pd.DataFrame) -> Table:
    rows: list[tuple[Cell, ...]] = []
    shown: Any = table.itertuples()
    for row in shown:
        law = row.law_sigma_relative
        rows.append(
            (
                figure(1000 * row.layer + row.unit, f"{row.layer}.{row.unit}"), text(row.parameter),
                figure(row.programmed, fixed(row.programmed)),
                figure(row.nominal, fixed(row.nominal)),
                figure(row.mean_relative, percent(row.mean_relative, 2)),
                figure(row.sigma_units, fixed(row.sigma_units, 4)),
                figure(row.sigma_relative, percent(row.sigma_relative, 2)),
                figure(law, percent(law, 2)),
                figure(row.sigma_relative / law if is_number(law) else None),
                figure(row.skew, fixed(row.skew, 2)), text(row.shape),
            )
        )  # fmt: skip
    return Table(
        f"Cells over {count(table['chips'].max())} chips",
        columns(
            "#Cell | Quantity | #Programmed (units) | #Nominal chip | #Mean, from nominal | "
            "#Sigma (units) | #relative | #Law | #over law | #Skew | Shape"
        ),
        tuple(rows),
        folded=True,
    )
