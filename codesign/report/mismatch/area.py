"""Yield and agreement against the area of the devices."""

from collections.abc import Sequence
from typing import Any

from codesign.analysis.intervals import wilson
from codesign.report.mismatch.data import Population
from codesign.report.mismatch.missing import missing
from codesign.report.page import Figure, Section, Table, columns, figure, text
from codesign.report.style import area, count, fixed, is_number, light, number, percent, quantity
from codesign.report.svg import HALF, drawing, new_figure, render

_TITLE = "Area"


def area_section(found: Population) -> Section:
    """Curves over area scales; mismatch falls with the root of the area."""
    rows = found.areas
    if len(rows) < 2:
        return missing(
            "area", _TITLE, "Yield against device area appears here once plans of two sizes were "
            "simulated: 'codesign simulate --mc CHIPS --area-scale 4' and so on.",
        )  # fmt: skip
    first, last = rows[0], rows[-1]
    lead = (
        f"From {_times(first['area_scale'])} to {_times(last['area_scale'])} times the drawn "
        f"area, votes equal to the twin's go from {percent(first.get('vote_agreement'))} to "
        f"{percent(last.get('vote_agreement'))}, and chips that decide as the twin on every clip "
        f"from {_of(first)} to {_of(last)}."
    )
    return Section(
        "area", _TITLE, f"{lead}{_slow(rows)}{_refused(rows)}",
        figures=(_agreement(rows), _spread(rows)),
        tables=(_table(found, rows),),
    )  # fmt: skip


def _slow(rows: Sequence[dict[str, Any]]) -> str:
    """Sizes whose lines do not settle within the frame: what they lose is not mismatch."""
    slow = [
        row
        for row in rows
        if is_number(row.get("settling_frame_s")) and row["settling_frame_s"] > row["frame_s"]
    ]
    if not slow:
        return ""
    needed = ", ".join(
        f"{number(1e3 * row['settling_frame_s'], 2)} ms at {_times(row['area_scale'])}"
        for row in slow
    )
    return (
        f" Larger devices are slower: to settle they need frames of {needed} times the area, and "
        f"had {number(1e3 * slow[0]['frame_s'], 2)} ms; what they lose so is speed, not matching "
        "(a longer hardware.frame_s shows it)."
    )


def _refused(rows: Sequence[dict[str, Any]]) -> str:
    """Sizes at which ngspice contradicts the batched engine."""
    refused = [_times(row["area_scale"]) for row in rows if row.get("judge_verdict") == "fail"]
    if not refused:
        return ""
    return (
        f" At {' and '.join(refused)} times the area ngspice contradicts the batched engine: "
        "these rows need --engine ngspice."
    )


def _times(scale: Any) -> str:
    return f"{float(scale):g}"


def _of(row: dict[str, Any]) -> str:
    return f"{count(row.get('chips_all_decisions_agreeing'))} of {count(row.get('chips'))}"


def _right(row: dict[str, Any]) -> tuple[float, float, float] | None:
    passed, chips = row.get("chips_all_decisions_agreeing"), row.get("chips")
    if not is_number(passed) or not is_number(chips) or not chips:
        return None
    low, high = wilson(int(passed), int(chips)) or (float("nan"), float("nan"))
    return passed / chips, low, high


def _agreement(rows: Sequence[dict[str, Any]]) -> Figure:
    curves = {
        "votes": [
            (row["area_scale"], row["vote_agreement"], *row["vote_agreement_interval"])
            for row in rows
            if is_number(row.get("vote_agreement")) and row.get("vote_agreement_interval")
        ],
        "chips right on every clip": [
            (row["area_scale"], *found) for row in rows if (found := _right(row)) is not None
        ],
        "chips that meet all specifications": [
            (row["area_scale"], row["yield"], *row["yield_interval"])
            for row in rows
            if is_number(row.get("yield")) and row.get("yield_interval")
        ],
    }
    with drawing():
        fig = new_figure((HALF[0], 290))
        ax = fig.subplots()
        for (name, points), role in zip(curves.items(), ("chip", "twin", "cells"), strict=True):
            if not points:
                continue
            x, y, low, high = ([float(point[k]) for point in points] for k in range(4))
            ax.fill_between(
                x, [100 * v for v in low], [100 * v for v in high], color=light(role), alpha=0.2,
                linewidth=0,
            )  # fmt: skip
            ax.plot(x, [100 * v for v in y], "o-", color=light(role), label=name)
        ax.set(xlabel="area of the devices (times the drawing)", ylabel="equal to the twin (%)")
        _log_x(ax, rows)
        ax.legend(loc="lower right")
        svg = render(fig, "area-agreement", "Agreement against the area of the devices")
    return Figure(
        svg, "Votes, chips without a wrong vote and yield against device area; bands: 95 % "
        "intervals. A curve that is flat from the left needs no more area; one that still rises is "
        "bought with it.",
    )  # fmt: skip


def _spread(rows: Sequence[dict[str, Any]]) -> Figure:
    points = [
        (float(row["area_scale"]), float(row["candidate_sigma_units"]))
        for row in rows
        if is_number(row.get("candidate_sigma_units"))
    ]
    with drawing():
        fig = new_figure((HALF[0], 290))
        ax = fig.subplots()
        if points:
            x, y = zip(*points, strict=True)
            ax.plot(x, y, "o-", color=light("chip"), label="chips")
            law = [y[0] * (x[0] / v) ** 0.5 for v in x]
            ax.plot(x, law, color=light("twin"), linestyle=(0, (5, 3)), label="root of the area")
            ax.set_yscale("log")
            ax.yaxis.set_major_formatter(lambda value, _: number(value, 2))
            ax.yaxis.set_minor_formatter(lambda value, _: number(value, 2))
            ax.legend(loc="upper right")
        ax.set(xlabel="area of the devices (times the drawing)", ylabel="candidate sigma (units)")
        _log_x(ax, rows)
        svg = render(fig, "area-spread", "Spread of candidates against the area of the devices")
    return Figure(
        svg, "Spread of the candidates over chips; dashed, the law of mismatch, which falls with "
        "the root of the area. A curve above it is an error that area does not cure.",
    )  # fmt: skip


def _log_x(ax: Any, rows: Sequence[dict[str, Any]]) -> None:
    scales = [float(row["area_scale"]) for row in rows]
    ax.set_xscale("log")
    ax.set_xticks(scales, [_times(scale) for scale in scales])
    ax.xaxis.set_minor_formatter(lambda *_: "")


def _table(found: Population, rows: Sequence[dict[str, Any]]) -> Table:
    def share(row: dict[str, Any], name: str) -> Any:
        return figure(row.get(name), percent(row.get(name), 2))

    def interval(row: dict[str, Any]) -> str:
        low, high = row.get("vote_agreement_interval") or (None, None)
        return f"{percent(low)} to {percent(high)}"

    return Table(
        "Area scales",
        columns(
            "#Area scale | #Gate area | #Chips | #Samples failed | #Votes kept | 95 % interval | "
            "#Yield | Chips right on every clip | #States equal | #Accuracy | #5th percentile | "
            "#least | #Mean power | #Candidate sigma (units)"
        ),
        tuple(
            (
                figure(row["area_scale"], _times(row["area_scale"])),
                figure(row.get("gate_area_m2"), area(row.get("gate_area_m2"))),
                figure(row.get("chips"), count(row.get("chips"))),
                figure(row.get("samples_failed"), count(row.get("samples_failed")),
                       "bad" if row.get("samples_failed") else ""),
                share(row, "vote_agreement"), text(interval(row)), share(row, "yield"),
                text(_of(row)),
                share(row, "state_agreement"), share(row, "accuracy_chip_mean"),
                share(row, "accuracy_chip_p5"), share(row, "accuracy_chip_min"),
                figure(row.get("mean_power_w"), quantity(row.get("mean_power_w"), "W")),
                figure(row.get("candidate_sigma_units"), fixed(row.get("candidate_sigma_units"))),
            )
            for row in rows
        ),
    )  # fmt: skip
