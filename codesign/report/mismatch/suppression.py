"""Error suppression at the cells, chip by chip."""

from typing import Any

import numpy as np
import pandas as pd

from codesign.analysis.suppression import TARGET
from codesign.report.mismatch.data import Population
from codesign.report.mismatch.missing import missing
from codesign.report.page import Figure, Section, Table, columns, figure
from codesign.report.style import count, light, number
from codesign.report.svg import HALF, drawing, new_figure, render


def suppression_section(found: Population) -> Section:
    """Error suppression at the cells, chip by chip."""
    table = found.more.get("suppression_chips")
    if table is None or table.empty:
        return missing(
            "suppression", "Error suppression over chips", "'codesign simulate --mc' measures it "
            "with the batched engine for plans of 50 chips and more.",
            found.summary.get("chip_analysis"),
        )  # fmt: skip
    sigmas = sorted(table["sigma_units"].unique())
    parts = [table.loc[table["sigma_units"] == s, "ratio_median"].dropna() for s in sigmas]
    rows = tuple(
        (
            figure(sigma, number(sigma, 2)), figure(len(part), count(len(part))),
            *(figure(float(q)) for q in np.quantile(part, (0.05, 0.25, 0.5, 0.75, 0.95))),
        )
        for sigma, part in zip(sigmas, parts, strict=True)
        if len(part)
    )  # fmt: skip
    return Section(
        "suppression", "Error suppression over chips",
        "How many times smaller an error is behind the cells than before them, chip by chip: what "
        "keeps decisions when mismatch moves the candidates.",
        figures=(_suppression(sigmas, parts),),
        beside=Table(
            "Median ratio of a chip",
            columns("#Sigma at the inputs (units) | #Chips | #5 % | #25 % | #Median | #75 % | "
                    "#95 %"),
            rows,
        ),
    )  # fmt: skip


def _suppression(sigmas: list[Any], parts: "list[pd.Series[float]]") -> Figure:
    with drawing():
        fig = new_figure((HALF[0], 270))
        ax = fig.subplots()
        kept = [
            (s, part.to_numpy(float)) for s, part in zip(sigmas, parts, strict=True) if len(part)
        ]
        x = [float(s) for s, _ in kept]
        for low, high, alpha in ((0.05, 0.95, 0.18), (0.25, 0.75, 0.3)):
            ax.fill_between(
                x, [np.quantile(v, low) for _, v in kept], [np.quantile(v, high) for _, v in kept],
                color=light("chip"), alpha=alpha, linewidth=0,
            )  # fmt: skip
        ax.plot(x, [np.median(v) for _, v in kept], "o-", color=light("chip"))
        ax.axhline(TARGET, color=light("good"), linewidth=1.4, linestyle=(0, (5, 3)))
        ax.set(xlabel="noise at the inputs (units)", ylabel="error before over behind the cells")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xticks(x, [number(value, 2) for value in x])
        ax.yaxis.set_major_formatter(lambda value, _: number(value, 2))
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_minor_formatter(lambda *_: "")
        svg = render(fig, "suppression-chips", "Error suppression over chips against noise")
    return Figure(
        svg, f"Median over chips; bands: half and 90 % of them. Dashed: {TARGET:g} times, the "
        "target of the nominal chip. A lower band that falls below it at small noise is chips "
        "whose cells let errors through.",
    )  # fmt: skip
