"""Pictures over time, sigma and margin: first divergences, error suppression, examples."""

from typing import Any

import numpy as np

from codesign.analysis.suppression import RESOLVED_UNITS, TARGET, by_margin, by_sigma
from codesign.circuit.timing import SAMPLE
from codesign.report.agreement.data import CAUSES, ROLES, Disagreements
from codesign.report.page import Figure
from codesign.report.rundata import RunData
from codesign.report.style import count, light, number
from codesign.report.svg import HALF, NARROW, WIDE, drawing, new_figure, plain, render
from codesign.report.thresholds import cell_thresholds
from codesign.report.waves import strobes


def first_divergences(found: Disagreements) -> Figure | None:
    """In which frame samples first differ, by cause, and how many have not yet."""
    first = found.first()
    if first.empty:
        return None
    total, frames = len(found.sim.ok), found.frames
    bins = np.arange(frames + 1) if frames <= 40 else np.linspace(0, frames, 41)
    with drawing():
        fig = new_figure((HALF[0], 300))
        ax = fig.subplots()
        below = np.zeros(len(bins) - 1)
        for name in [name for name in CAUSES if (first["cause"] == name).any()]:
            counts, _ = np.histogram(first.loc[first["cause"] == name, "frame"], bins)
            ax.bar(
                bins[:-1], counts, np.diff(bins), bottom=below, align="edge",
                color=light(ROLES[name]), alpha=0.85, label=name,
            )  # fmt: skip
            below = below + counts
        ax.set(xlabel="frame of the first divergence", ylabel="samples", xlim=(0, frames))
        ax.legend(loc="upper right")
        svg = render(fig, "first-divergences", "Frames in which samples first differ")
    left = total - len(first)
    return Figure(
        svg,
        f"When samples first differ from the twin, by cause. {count(left)} of {count(total)} "
        "samples never do.",
    )


def suppression(found: Disagreements) -> list[Figure]:
    """Ratio against sigma, and what the margin has to do with it."""
    if found.pairs is None:
        return []
    rows = by_sigma(found.pairs)
    if not rows:
        return []
    return [_against_sigma(rows), _against_margin(found)]


def _against_sigma(rows: list[dict[str, Any]]) -> Figure:
    x = [row["sigma_units"] for row in rows]
    with drawing():
        fig = new_figure((HALF[0], 300))
        ax = fig.subplots()
        for low, high, alpha in (("p10", "p90", 0.16), ("p25", "p75", 0.28)):
            ax.fill_between(
                x, [row[f"ratio_{low}"] for row in rows], [row[f"ratio_{high}"] for row in rows],
                color=light("chip"), alpha=alpha, linewidth=0,
            )  # fmt: skip
        median = [row["ratio_median"] for row in rows]
        ax.plot(x, median, "o-", color=light("chip"), label="median")
        pooled = [row["ratio_pooled"] for row in rows]
        ax.plot(x, pooled, "--", color=light("muted"), label="all pairs together")
        ax.axhline(TARGET, color=light("good"), linestyle=(0, (4, 3)), linewidth=1.2)
        ax.set(xscale="log", yscale="log", xlabel="sigma of the noise on the inputs (units)")
        ax.set_ylabel("rms in / rms out")
        ax.yaxis.set_major_formatter(lambda value, _: number(value, 2))
        ax.set_xticks(x, [number(value, 2) for value in x])
        ax.minorticks_off()
        ax.legend(loc="best")
        svg = render(fig, "suppression", "Error suppression against sigma")
    return Figure(
        svg,
        "Candidate error over state error of each (unit, clip) pair, against the same "
        "transistors without noise: median, quartiles and tenths. Dashed line: 20 times. A "
        f"state's change below {number(RESOLVED_UNITS)} units counts as that much, so ratios are "
        "lower bounds. All pairs together, flips decide: a state that flips lets the whole error "
        "through.",
    )


def _against_margin(found: Disagreements) -> Figure:
    assert found.pairs is not None  # the caller looked
    table = by_margin(found.pairs)
    sigmas = sorted(table["sigma_units"].unique())
    with drawing():
        fig = new_figure((HALF[0], 300))
        ax = fig.subplots()
        groups = sorted(set(zip(table["margin_from_units"], table["margin_to_units"], strict=True)))
        places = {group: k for k, group in enumerate(groups)}
        for k, sigma in enumerate(sigmas):
            part = table[table["sigma_units"] == sigma]
            at = [
                places[group]
                for group in zip(part["margin_from_units"], part["margin_to_units"], strict=True)
            ]
            ax.plot(
                at, (100 * part["pairs_flipped"]).tolist(), "o-", color=light("chip"),
                alpha=0.25 + 0.75 * (k + 1) / len(sigmas), label=f"{number(sigma, 2)}",
            )  # fmt: skip
        names = [
            f"{low:g}–{high:g}" if np.isfinite(high) else f"over {low:g}" for low, high in groups
        ]
        ax.set_xticks(range(len(groups)), names)
        ax.set(xlabel="least margin of the pair (units)", ylabel="pairs with a flipped state (%)")
        ax.legend(title="sigma", loc="upper right")
        svg = render(fig, "suppression-margin", "Flipped pairs against margin")
    return Figure(
        svg,
        "How often noise flips a state, by how near the undisturbed candidate ever comes to the "
        "threshold its state looks at. Suppression holds where the margin exceeds the error.",
    )


def examples(data: RunData, found: Disagreements) -> Figure | None:
    """One waveform per cause, for readers without scripts and on paper."""
    if not found.each_cause():
        return None
    return Figure(
        _examples(data, found, WIDE[0], 3, "examples"),
        "One disagreement of each cause: candidate (blue) over the twin's (broad), state (violet), "
        "thresholds (dashed), the strobe's window (grey).",
        _examples(data, found, NARROW[0], 1, "examples-narrow"),
    )


def _examples(data: RunData, found: Disagreements, width: float, columns: int, name: str) -> Any:
    roots = found.each_cause()[:6]
    thresholds, windows = cell_thresholds(data.design), strobes(data)
    columns = min(columns, len(roots))
    lines = -(-len(roots) // columns)
    with drawing():
        fig = new_figure((width, 235.0 * lines))
        axes = np.atleast_1d(fig.subplots(lines, columns)).ravel()
        for ax in axes[len(roots) :]:
            ax.set_visible(False)
        for ax, root in zip(axes, roots, strict=False):
            wave, at = found.waves[root["root"]], (root["layer"], root["unit"])
            if windows:
                ax.axvspan(*windows[at[0]], color=light("rule"), alpha=0.6, linewidth=0)
            ax.axhline(root["twin_candidate_units"], color=light("twin"), linewidth=4, alpha=0.4)
            for level in thresholds.get(at, ()):
                ax.axhline(level, color=light("muted"), linestyle=(0, (4, 3)), linewidth=1)
            ax.plot(wave["at"], wave["candidate_units"], color=light("chip"), linewidth=1.4)
            ax.plot(wave["at"], wave["state_units"], color=light("cells"), linewidth=1.4)
            ax.plot([SAMPLE], [root["chip_candidate_units"]], "o", color=light("chip"), ms=4)
            ax.set_title(plain(f"{root['cause']}: unit {at[0]}.{at[1]}, frame {root['frame']}", 44))
            ax.set_xlim(-0.05, SAMPLE + 0.02)
        for ax in axes[: len(roots)][-columns:]:
            ax.set_xlabel("part of the frame")
        for ax in axes[::columns]:
            ax.set_ylabel("units")
        return render(fig, name, "One disagreement of each cause")
