"""The points of the process: votes, states, power and reference current at each, and the cells."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from codesign.report.corners import Corners
from codesign.report.page import Badge, Cell, Figure, Section, Table, columns, figure, text
from codesign.report.rundata import RunData
from codesign.report.sections.pvt_matrix import Panel, matrices
from codesign.report.style import count, fixed, is_number, percent, quantity, signed

# Condition, prefix of its figures in summary.json, and how it is called here.
CONDITIONS = (
    ("ideal", "pvt", "Ideal reference"),
    ("tree_tracking", "pvt_tree_tracking", "On-chip reference, inputs follow it"),
    ("tree_nominal", "pvt_tree_nominal", "On-chip reference, inputs fixed"),
)
_CELL_VALUES = (("beta_hi", "β_hi"), ("beta_lo", "β_lo"), ("width", "width"), ("alpha", "α"))
# Errors of a cell are tinted up to this.
_FULL_ERROR = 0.15
_FULL_STATES = 0.05


def pvt_section(data: RunData) -> Section | None:
    """None where no point of the process was simulated."""
    corners = data.corners
    if corners is None or corners.points.empty:
        return None
    points = corners.points
    known = [(c, p, t) for c, p, t in CONDITIONS if (points["condition"] == c).any()]
    figures = [
        _figure(points[points["condition"] == condition], condition, title)
        for condition, _, title in known
    ]
    batched = corners.summary.get("pvt_engine") == "batched"
    engine = "the batched engine" if batched else "ngspice"
    if "beta_hi_error_worst" in points.columns:
        figures.append(_cells_figure(points))
    return Section(
        key="pvt",
        title="Process, voltage, temperature",
        badge=_badge(corners, known),
        lead=" ".join(_sentence(corners.summary, prefix, title) for _, prefix, title in known),
        figures=tuple(figures),
        tables=_tables(corners, known),
        notes=(
            f"Clips: {count(corners.summary.get('clips'))} at each point, by {engine}. The "
            "design, every size and every bias mirror, is the one programmed at its own "
            "point; only models, supply and temperature change. A vote is kept when the "
            "transistors decide as the software twin. With the on-chip reference the unit current "
            "moves with the process; inputs that follow it come from a front end referenced to the "
            "same current. Not modelled: mismatch of the reference, wiring, package, the front "
            "end itself.",
        ),
    )


def _badge(corners: Corners, known: list[tuple[str, str, str]]) -> Badge:
    total = corners.summary.get("pvt_points_total")
    if not any(condition == "ideal" for condition, _, _ in known):
        return Badge(None, "On-chip reference only")
    kept = corners.summary.get("pvt_points_all_votes_kept")
    if corners.summary.get("pvt_points") != total:
        return Badge(None, f"{count(corners.summary.get('pvt_points'))} of {count(total)} points")
    return Badge(kept == total, f"{count(kept)} of {count(total)} points keep every vote")


def _sentence(summary: dict[str, Any], prefix: str, title: str) -> str:
    def value(name: str) -> Any:
        return summary.get(f"{prefix}_{name}")

    said = (
        f"{title}: every vote is kept at {count(value('points_all_votes_kept'))} of "
        f"{count(value('points'))} points, {percent(value('state_agreement'), 2)} of states are "
        f"equal ({percent(value('state_agreement_worst_point'), 1)} at the worst point), power "
        f"{quantity(value('power_min_w'), 'W')} to {quantity(value('power_max_w'), 'W')}"
    )
    if is_number(value("reference_current_min_a")):
        said += (
            f", reference current {quantity(value('reference_current_min_a'), 'A')} to "
            f"{quantity(value('reference_current_max_a'), 'A')}"
        )
    return f"{said}."


def _figure(points: pd.DataFrame, condition: str, title: str) -> Figure:
    power = points["mean_power_w"].max()
    panels = [
        Panel("votes kept", lambda r: f"{r.votes_kept}/{r.clips}", _vote_tint),
        Panel(
            "states equal (%)",
            lambda r: fixed(100 * _agreement(r), 1),
            lambda r: ("warn", (1 - _agreement(r)) / _FULL_STATES),
        ),
        Panel(
            "power (nW)",
            lambda r: fixed(1e9 * r.mean_power_w, 0),
            lambda r: ("chip", r.mean_power_w / power if r.clips_ok else 0.0),
        ),
    ]
    if condition == "ideal":
        panels.append(
            Panel(
                "least logit margin (units)",
                lambda r: fixed(r.logit_margin_min_units, 2),
                lambda r: ("bad", 1.0) if r.logit_margin_min_units < 0 else ("good", 0.2),
            )
        )
    else:
        highest = points["reference_current_a"].max()
        panels.append(
            Panel(
                "reference current (nA)",
                lambda r: fixed(1e9 * r.reference_current_a, 2),
                lambda r: ("bias", r.reference_current_a / highest),
            )
        )
    caption = f"{title}: corners down, supply and temperature (°C) across."
    return matrices(points, panels, caption)


def _vote_tint(row: Any) -> tuple[str, float]:
    if row.clips_ok < row.clips:
        return ("muted", 0.6)
    return ("good", 0.3) if row.votes_kept == row.clips else ("bad", 0.8)


def _agreement(row: Any) -> float:
    return 1 - row.states_differing / row.states if row.states else float("nan")


def _cells_figure(points: pd.DataFrame) -> Figure:
    bias = "ideal" if (points["bias"] == "ideal").any() else "tree"
    chosen = points[points["bias"] == bias].drop_duplicates("point")

    def panel(name: str, shown: str) -> Panel:
        key = f"{name}_error_worst"
        return Panel(
            f"worst {shown} error (%)",
            lambda r: signed(100 * getattr(r, key), 1),
            lambda r: ("warn", abs(getattr(r, key)) / _FULL_ERROR),
        )

    source = "an ideal reference" if bias == "ideal" else "the on-chip reference"
    return matrices(
        chosen,
        [panel(*value) for value in _CELL_VALUES],
        f"The worst of the design's cells at each point, against what it was programmed to, with "
        f"{source}; bias mirrors as built.",
    )


def _tables(corners: Corners, known: list[tuple[str, str, str]]) -> tuple[Table, ...]:
    titles = {condition: title for condition, _, title in known}
    listed: Iterable[Any] = corners.points.itertuples()
    rows = tuple(_row(row, titles[row.condition]) for row in listed)
    tables = [
        Table(
            "Every point",
            columns(
                "Reference | Corner | #Supply | #Temperature | #Votes | #States equal | "
                "#Where they change | #Least margin | #Power | #Bias | #Reference current"
            ),
            rows,
            folded=True,
        )
    ]
    failures = corners.summary.get("pvt_failures") or []
    if failures:
        tables.insert(0, _failures(failures))
    return tuple(tables)


def _row(row: Any, title: str) -> tuple[Cell, ...]:
    lost = row.votes_kept < row.clips
    changed = (
        row.states_changed_agreeing / row.states_changed if row.states_changed else float("nan")
    )
    agreement = _agreement(row)
    return (
        text(title), text(row.corner), figure(row.supply_v, f"{row.supply_v:g} V"),
        figure(row.temperature_c, f"{row.temperature_c:g} °C".replace("-", "−")),
        figure(row.votes_kept, f"{row.votes_kept} of {row.clips}", "bad" if lost else ""),
        figure(agreement, percent(agreement, 2)),
        figure(changed, percent(changed, 1)),
        figure(row.logit_margin_min_units, fixed(row.logit_margin_min_units, 3)),
        figure(row.mean_power_w, quantity(row.mean_power_w, "W")),
        figure(row.mean_power_bias_w, quantity(row.mean_power_bias_w, "W")),
        figure(row.reference_current_a, quantity(row.reference_current_a, "A")),
    )  # fmt: skip


def _failures(failures: list[dict[str, Any]]) -> Table:
    rows = tuple(
        (
            text(item.get("condition")),
            text(f"{item.get('corner')} {item.get('supply_v')} V {item.get('temperature_c')} C"),
            text(item.get("clip_id")), text(item.get("status"), "bad"), text(item.get("message")),
            text(item.get("log")),
        )
        for item in failures
    )  # fmt: skip
    return Table(
        "Samples that did not end well",
        columns("Condition | Point | Clip | Status | Message | Log"),
        rows,
    )
