"""Independent starts: validation against test, which one was kept, and by what rule."""

from typing import Any

import numpy as np
from scipy.stats import spearmanr

from codesign.report.page import Cell, Figure, Section, Table, columns, figure, text
from codesign.report.style import count, is_number, light, number, percent
from codesign.report.svg import HALF, drawing, new_figure, render
from codesign.report.training.data import Learned

_KEYS = ("validation_balanced_accuracy", "test_balanced_accuracy")


def section(learned: Learned) -> Section | None:
    """None where the starts are not told."""
    starts = learned.metrics.get("starts") or []
    if not starts:
        return None
    scored = [start for start in starts if all(is_number(start.get(key)) for key in _KEYS)]
    rule = str(learned.metrics.get("selection") or "validation")
    figures: tuple[Figure, ...] = ()
    if len(scored) > 1:
        figures = (Figure(_scatter(scored), _caption(scored)),)
    return Section(
        key="starts",
        title="Starts",
        lead=f"Kept by {rule}. The test split had no part in the choice; its scores are shown to "
        "say what the choice was worth.",
        figures=figures,
        beside=_table(starts),
        notes=_notes(scored),
        link=_sweep(learned),
    )


def _sweep(learned: Learned) -> tuple[str, str] | None:
    """The page of the sweep that the run is part of, seen from the report's folder."""
    page = learned.data.run.path.parent / "sweep.html"
    return ("../../sweep.html", "The sweep this run is part of") if page.is_file() else None


def _scatter(starts: list[dict[str, Any]]) -> Any:
    validation, test = (np.array([100 * start[key] for start in starts]) for key in _KEYS)
    low, high = float(min(validation.min(), test.min())), float(max(validation.max(), test.max()))
    room = max(1.0, 0.08 * (high - low))
    span = (low - room, min(100.5, high + room))
    with drawing():
        fig = new_figure((HALF[0], 320))
        ax = fig.subplots()
        ax.plot(span, span, color=light("rule"), linewidth=1.4)
        kept = np.array([bool(start.get("selected")) for start in starts])
        ax.plot(validation[~kept], test[~kept], "o", color=light("bias"), markersize=6)
        ax.plot(validation[kept], test[kept], "o", color=light("chip"), markersize=8, label="kept")
        for x, y in zip(validation[kept], test[kept], strict=True):
            ax.plot(
                x, y, "o", markersize=14, markerfacecolor="none", markeredgecolor=light("chip"),
                markeredgewidth=1.4,
            )  # fmt: skip
            ax.annotate(
                "kept", (x, y), xytext=(-11, 3), textcoords="offset points", ha="right",
                color=light("chip"),
            )  # fmt: skip
        ax.axhline(float(test.mean()), color=light("muted"), linestyle=(0, (1, 2)), linewidth=1.2)
        ax.annotate(
            f"mean {test.mean():.1f}", (1, float(test.mean())), xytext=(-2, 4), ha="right",
            xycoords=("axes fraction", "data"), textcoords="offset points", color=light("muted"),
            fontsize=10,
        )  # fmt: skip
        ax.set(
            xlabel="validation, balanced accuracy (%)", ylabel="test, balanced accuracy (%)",
            xlim=span, ylim=span,
        )  # fmt: skip
        ax.grid(True, axis="x")
        return render(fig, "starts", "Test against validation accuracy of every start")


def _caption(starts: list[dict[str, Any]]) -> str:
    ranked = ""
    if len(starts) >= 6:
        validation, test = ([float(start[key]) for start in starts] for key in _KEYS)
        rank = float(spearmanr(validation, test).statistic)
        if is_number(rank):
            ranked = f" Rank correlation {number(rank, 2)}."
    return (
        f"{count(len(starts))} starts, each at the step its own validation chose. Dotted: their "
        f"mean on test.{ranked}"
    )


def _notes(starts: list[dict[str, Any]]) -> tuple[str, ...]:
    kept = [start for start in starts if start.get("selected")]
    if not kept or len(starts) < 2:
        return ()
    tests = [start["test_balanced_accuracy"] for start in starts]
    own, mean = kept[0]["test_balanced_accuracy"], sum(tests) / len(tests)
    best = sum(value > own for value in tests)
    rest = (
        "no other start scores higher"
        if not best
        else f"{count(best)} of the others score higher, the best {percent(max(tests))}"
    )
    return (
        f"On test the kept start reaches {percent(own)}, the average start {percent(mean)}; "
        f"{rest}. Several seeds of the whole flow, not several starts, say how far a result "
        "repeats.",
    )


def _table(starts: list[dict[str, Any]]) -> Table:
    return Table(
        f"Independent starts: {len(starts)}",
        columns("Start | Seed | #Step | #Validation | #Test | Kept"),
        tuple(
            (
                figure(start.get("start", n), str(start.get("start", n))),
                figure(start.get("seed"), str(start.get("seed"))),
                figure(start.get("step"), count(start.get("step"))),
                *(figure(start.get(key), percent(start.get(key))) for key in _KEYS),
                text("✓ kept", "good") if start.get("selected") else Cell(""),
            )
            for n, start in enumerate(starts)
        ),
        note="Balanced accuracy, at the step that validation chose.",
    )
