"""Pictures of noise: who makes it, its spectra, how cells switch, what candidates and logits do."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest, norm

from codesign.report.noise.data import Noise
from codesign.report.page import Figure
from codesign.report.style import class_color, count, light, number
from codesign.report.svg import HALF, drawing, new_figure, plain, render

_LISTED = 12
# Devices that make less than this part of the variance are not drawn.
_LEAST = 1e-3


def contributors(found: Noise, condition: str, name: str) -> Figure:
    """Sorted bars: share of the variance by device, white and flicker."""
    table = found.tables["contributors"]
    rows = table[(table["condition"] == condition) & (table["share"] > _LEAST)].head(_LISTED)
    total = float(np.square(rows_rms(table, condition)))
    white = 100 * rows["white_rms_a"].to_numpy() ** 2 / total
    flicker = 100 * rows["flicker_rms_a"].to_numpy() ** 2 / total
    places = np.arange(len(rows))[::-1]
    with drawing():
        fig = new_figure((HALF[0], 40 + 24.0 * max(4, len(rows))))
        ax = fig.subplots()
        ax.barh(places, white, color=light("chip"), label="white")
        ax.barh(places, flicker, left=white, color=light("twin"), label="1/f")
        ax.set_yticks(places, [plain(short(device), 30) for device in rows["device"]])
        ax.set(xlabel="share of the variance (%)")
        ax.grid(axis="x")
        ax.grid(visible=False, axis="y")
        ax.legend(loc="lower right")
        svg = render(fig, f"contributors-{name}", f"Noise contributors: {condition}")
    rms = rows_rms(table, condition) * 1e12
    return Figure(
        svg,
        f"{sentence(condition)}: {number(rms, 3)} pA rms in all; the "
        f"{count(len(rows))} devices that make most of it.",
    )


def rows_rms(table: pd.DataFrame, condition: str) -> float:
    """The rms of all devices of a condition, ampere."""
    chosen = table.loc[table["condition"] == condition, "rms_a"]
    return float(np.sqrt(np.square(chosen).sum()))


def short(device: str) -> str:
    """A device's path without the words that all of them share."""
    return (
        device.replace("xlayers_", "layer ").replace(".xcell.xunit_", " cell ").replace(".x", " ")
    )


def sentence(condition: str) -> str:
    """A condition in words."""
    kind, _, rest = condition.partition(" ")
    return {
        "beta_hi": f"Threshold beta_hi, {rest} cell",
        "beta_lo": f"Threshold beta_lo, {rest} cell",
        "state": f"A cell at rest, state {rest}",
        "candidate": f"Candidate {rest}, from the inputs on",
    }.get(kind, condition)


def spectra(found: Noise) -> Figure | None:
    """Densities of all conditions; white levels and where 1/f begins."""
    table = found.tables["spectra"]
    if table.empty:
        return None
    with drawing():
        fig = new_figure((HALF[0], 330))
        ax = fig.subplots()
        seen = [c for c in table["condition"].unique() if c != "state low"]
        for k, condition in enumerate(seen):
            rows = table[table["condition"] == condition]
            density = 1e15 * np.sqrt(rows["density_a2_per_hz"].to_numpy())
            ax.plot(
                rows["frequency_hz"], density, color=light(class_color(k)),
                linestyle="-" if k < 8 else "--", label=plain(condition),
            )  # fmt: skip
        ax.set(xscale="log", yscale="log", xlabel="frequency (Hz)", ylabel="fA per root Hz")
        ax.set_xlim(0.1, 1e4)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(lambda value, _: number(value, 2))
        ax.minorticks_off()
        ax.legend(loc="upper right", ncols=2, fontsize=9)
        svg = render(fig, "spectra", "Noise densities")
    return Figure(
        svg,
        "Noise as a current: into the decision node near a threshold, into the line of a state or "
        "a candidate. From .noise at operating points.",
    )


def switching(found: Noise) -> list[Figure]:
    """Per threshold: how often trials switched, and the predicted curve."""
    figures = []
    jitter, trials = found.tables["jitter"], found.tables["trials"]
    for k, row in enumerate(jitter.to_dict("records")):
        keys = [row[name] for name in ("layer", "unit", "edge")]
        mine = (trials[["layer", "unit", "edge"]] == keys).all(axis=1)
        figures.append(_switching({str(a): b for a, b in row.items()}, trials[mine], f"s{k}"))
    return figures


def _switching(row: dict[str, Any], trials: pd.DataFrame, name: str) -> Figure:
    centre, predicted = row["threshold_a"], row["predicted_sigma_a"]
    x = (trials["level_a"].to_numpy() - centre) * 1e12
    up = trials["switched"].to_numpy(bool)
    edges = np.linspace(x.min(), x.max() + 1e-9, 9)
    at, shares, low, high = [], [], [], []
    for k in range(8):
        inside = (x >= edges[k]) & (x < edges[k + 1])
        total = int(inside.sum())
        if not total:
            continue
        hits = int(up[inside].sum())
        span = binomtest(hits, total).proportion_ci(method="wilson")
        at.append(float(x[inside].mean()))
        shares.append(hits / total)
        low.append(max(0.0, hits / total - span.low))
        high.append(max(0.0, span.high - hits / total))
    grid = np.linspace(edges[0], edges[-1], 200)
    with drawing():
        fig = new_figure((HALF[0], 260))
        ax = fig.subplots()
        ax.plot(
            grid, 100 * norm.cdf(grid / (predicted * 1e12)), color=light("twin"),
            label="predicted from .noise",
        )  # fmt: skip
        ax.plot(
            grid, 100 * norm.cdf(grid / (row["measured_sigma_a"] * 1e12)), "--",
            color=light("chip"), label="fitted to the transient",
        )  # fmt: skip
        ax.errorbar(
            at, [100 * share for share in shares],
            yerr=[[100 * value for value in low], [100 * value for value in high]],
            fmt="o", color=light("chip"), markersize=4, linewidth=1, label="transient, 95 %",
        )  # fmt: skip
        ax.set(xlabel="candidate from the threshold (pA)", ylabel="trials that end high (%)")
        ax.set_title(
            plain(f"{row['edge']} of cell {row['layer']}.{row['unit']}, {row['size']}", 40)
        )
        ax.legend(loc="upper left", fontsize=9)
        svg = render(fig, f"switching-{name}", "How often a cell switches")
    return Figure(
        svg,
        f"{number(centre * 1e9, 4)} nA; sigma predicted {number(predicted * 1e12, 3)} pA, measured "
        f"{number(row['measured_sigma_a'] * 1e12, 3)} pA in {count(row['trials'])} trials.",
    )


def candidates(found: Noise) -> Figure | None:
    """Noise of every cell's candidate against what it carries, both engines where judged."""
    units = found.tables["units"].dropna(subset=["candidate_rms_units"])
    if units.empty:
        return None
    with drawing():
        fig = new_figure((HALF[0], 300))
        ax = fig.subplots()
        names = [f"{row.layer}.{row.unit}" for row in units.itertuples()]
        places = np.arange(len(units))
        ax.bar(places, 1e3 * units["candidate_rms_units"], color=light("chip"), width=0.6)
        judged = found.tables["judge"].dropna(subset=["candidate_rms_units_ngspice"])
        if not judged.empty:
            known = {(r.layer, r.unit): r for r in judged.itertuples()}
            keys = list(zip(units["layer"], units["unit"], strict=True))
            for kind, role, mark in (("batched", "ink", "_"), ("ngspice", "twin", "x")):
                points = [
                    (at, 1e3 * getattr(known[key], f"candidate_rms_units_{kind}"))
                    for at, key in zip(places, keys, strict=True)
                    if key in known
                ]
                ax.plot(
                    [p[0] for p in points], [p[1] for p in points], mark, color=light(role),
                    markersize=8, label=f"one clip, {kind}", linestyle="none",
                )  # fmt: skip
            ax.legend(loc="upper right")
        step = max(1, len(names) // 16)
        ax.set_xticks(places[::step], names[::step])
        ax.set(xlabel="layer.unit", ylabel="noise (thousandths of a unit, rms)")
        svg = render(fig, "candidates", "Noise of candidates")
    return Figure(
        svg,
        "Noise of each cell's candidate at the sampling instant, over seeds, clips and frames in "
        "which it carries more than 0.02 units.",
    )


def margins(found: Noise) -> Figure | None:
    """Spread of the margin over seeds against the margin itself."""
    clips = found.tables["clips"].dropna(subset=["margin_sigma_units"])
    if clips.empty:
        return None
    with drawing():
        fig = new_figure((HALF[0], 300))
        ax = fig.subplots()
        for flipped, role, label in ((False, "chip", "decides the same"), (True, "bad", "flips")):
            part = clips[(clips["decisions_flipped"] > 0) == flipped]
            if len(part):
                ax.plot(
                    part["margin_without_noise_units"], part["margin_sigma_units"], "o",
                    color=light(role), markersize=5, alpha=0.8, label=label,
                )  # fmt: skip
        top = float(clips["margin_sigma_units"].max()) * 1.3
        ax.fill_betweenx([0, top], [0, 0], [0, 2 * top], color=light("rule"), alpha=0.6)
        ax.set(
            xlabel="margin without noise (units)", ylabel="sigma over seeds (units)", ylim=(0, top)
        )
        ax.set_xlim(left=0)
        ax.legend(loc="upper right")
        svg = render(fig, "margins", "Margins and their noise")
    return Figure(
        svg,
        f"Margin of the decision (best logit less the second) of {count(len(clips))} clips and "
        "chips, and how far noise moves it. Shaded: margins below two sigma.",
    )
