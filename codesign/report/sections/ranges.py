"""What every node carries against what its devices support."""

from typing import Any

import numpy as np
from markupsafe import Markup

from codesign.report.page import Badge, Figure, Section, Table, columns, figure, text
from codesign.report.rundata import RunData
from codesign.report.style import count, light, number, percent, quantity
from codesign.report.svg import HALF, drawing, new_figure, render

_KINDS = {
    "input": "inputs", "projection": "projection", "candidate": "candidates", "state": "states",
    "output": "outputs", "sum": "sums", "logit": "logits",
}  # fmt: skip


def ranges_section(data: RunData) -> Section | None:
    """None for a design that was made without the check."""
    found = data.design.info.get("ranges") if data.design is not None else None
    if not isinstance(found, dict) or not found.get("groups"):
        return None
    outside = found.get("outside") or []
    return Section(
        key="ranges",
        title="Currents of the nodes",
        badge=Badge(
            not outside, "All in range" if not outside else f"{count(len(outside))} outside"
        ),
        lead=_lead(found, outside),
        figures=(Figure(_spans(found), _caption(found)),),
        beside=_outside(outside),
        tables=(_groups(found), *_raised(found)),
        notes=tuple(str(sentence) for sentence in found.get("specification") or ()),
    )


def _lead(found: dict[str, Any], outside: list[Any]) -> str:
    suggestion, largest = found.get("suggestion") or {}, found.get("largest") or {}
    smallest = found.get("smallest_state") or {}
    low, high = (quantity(suggestion.get(f"{end}_unit_a"), "A") for end in ("lowest", "highest"))
    said = (
        f"Unit currents from {low} to {high} keep every node in range (limits: "
        f"{suggestion.get('lowest_because')} and {suggestion.get('highest_because')})."
        if suggestion.get("possible")
        else f"No unit current keeps every node in range: {suggestion.get('lowest_because')} needs "
        f"at least {low}, {suggestion.get('highest_because')} at most {high}."
    )
    frame = suggestion.get("frame_s")
    longer = (
        f" At this unit current frames of {quantity(frame, 's')} would do."
        if outside and isinstance(frame, float) and suggestion.get("lowest_unit_a", 0) > found.get(
            "unit_current_a", 0
        )
        else ""
    )  # fmt: skip
    return (
        f"The largest node current in the twin is {number(largest.get('units'))} units "
        f"({largest.get('node')}), the smallest state {number(smallest.get('units'))} units "
        f"({smallest.get('node')}), at a unit current of "
        f"{quantity(found.get('unit_current_a'), 'A')}. {said}{longer}"
    )


def _spans(found: dict[str, Any]) -> Markup:
    unit = 1e9 * float(found["unit_current_a"])
    groups = [group for group in found["groups"] if group.get("largest_units")]
    with drawing():
        fig = new_figure((HALF[0], 70 + 22 * len(groups)))
        ax = fig.subplots()
        low, high = (1e9 * value for value in found["supported_a"])
        ax.axvspan(low, high, color=light("good"), alpha=0.10, linewidth=0)
        for row, group in enumerate(reversed(groups)):
            smallest, largest = group["smallest_units"] * unit, group["largest_units"] * unit
            mean = group["mean_units"] * unit
            ax.hlines(row, smallest, largest, color=light("twin"), linewidth=5)
            ax.plot([mean], [row], "|", color=light("ink"), markersize=12, markeredgewidth=2)
            if group["kind"] != "logit":
                ax.plot([group["tail_units"] * unit], [row], "x", color=light("bad"), markersize=6)
        names = [_name(group) for group in reversed(groups)]
        ax.set_yticks(range(len(groups)), names)
        ax.set_ylim(-0.7, len(groups) - 0.3)
        ax.set_xscale("log")
        ticks = [10.0**k for k in range(-3, 3)]
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ends = [low, high] + [g["largest_units"] * unit for g in groups]
        ax.set_xlim(min(2e-3, low / 2), 2 * float(np.max(ends)))
        ax.grid(visible=True, axis="x")
        ax.set(xlabel="current (nA)")
        return render(fig, "ranges", "Currents of the nodes by group, against the supported range")


def _name(group: dict[str, Any]) -> str:
    return f"{_KINDS.get(str(group['kind']), str(group['kind']))} {group['group']}"


def _caption(found: dict[str, Any]) -> str:
    low, high = (quantity(value, "A") for value in found["supported_a"])
    return (
        "Smallest used to largest current of each group in the twin, on the test clips; the tick "
        f"is the mean, the cross what a line still carries when it should be off. Shaded: {low} to "
        f"{high}, where copies keep their gain within {percent(found['gain_tolerance'], 0)}."
    )


def _groups(found: dict[str, Any]) -> Table:
    rows = tuple(
        (
            text(_name(group)),
            figure(group["nodes"], count(group["nodes"])),
            figure(group["silent"], count(group["silent"])),
            figure(group["smallest_units"]),
            figure(group["mean_units"]),
            figure(group["largest_units"]),
            figure(group["gain_error"], percent(group["gain_error"], 2)),
            figure(group["time_s"], quantity(group["time_s"], "s")),
            figure(group["tail_units"]),
            figure(group["reached"], percent(group["reached"], 1)),
            figure(group["outside"], count(group["outside"]), "bad" if group["outside"] else ""),
        )
        for group in found["groups"]
    )
    return Table(
        "Nodes by group, in units",
        columns(
            "Group | #Nodes | #Silent | #Smallest used | #Mean | #Largest | #Gain error there | "
            "#Time | #Left when off | #State reached | #Outside"
        ),
        rows,
        note="Silent nodes carry nothing on the test clips. Time: from when a node's cause moves "
        "to when its effect is looked at. Left and reached: the worst of the group.",
    )


def _raised(found: dict[str, Any]) -> tuple[Table, ...]:
    """How far states that are too small can be raised without changing the function."""
    offers = found.get("raised_states") or {}
    rows = tuple(
        (
            text(item.get("node")),
            text(weights),
            figure(item.get("factor")),
            figure(item.get("alpha_units")),
            text(
                "✓ yes" if item.get("enough") else "✗ no", "good" if item.get("enough") else "bad"
            ),
        )
        for weights, raised in offers.items()
        for item in raised
    )
    title = "States that can be larger for the same function"
    note = "The state times the factor, the output weights that read it divided by it."
    table = Table(title, columns("State | Weights | #Factor | #Units after | Enough"), rows, note)
    return (table,) if rows else ()


def _outside(outside: list[Any]) -> Table:
    rows = tuple(
        (
            text(node.get("node")),
            text(_KINDS.get(str(node.get("kind")), str(node.get("kind")))),
            figure(node.get("largest_units")),
            text(problem),
        )
        for node in outside
        if isinstance(node, dict)
        for problem in node.get("problems") or ()
    )
    return Table(
        f"Nodes outside the range: {count(len(outside))}",
        columns("Node | Kind | #Largest | Effect"),
        rows,
        empty="Every node is inside.",
    )
