"""From parameters to devices: counts, areas, multiplicities, errors, what could not be."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from codesign.report.page import Cell, Figure, Section, Table, columns, figure, share_cell, text
from codesign.report.rundata import Design, RunData
from codesign.report.style import BLOCKS, area, count, is_number, light, number, percent, quantity
from codesign.report.svg import HALF, drawing, new_figure, plain, render

_COUNTED = ("transistors", "unit_devices", "capacitors")


def mapping_section(data: RunData) -> Section | None:
    """None before the network was mapped."""
    design = data.design
    if design is None:
        return None
    mapping = design.mapping
    lost = design.info.get("unrepresentable") or []
    figures = [Figure(_multiplicity(mapping), _multiplicity_caption(mapping))]
    connected = pd.to_numeric(mapping["software_value"], errors="coerce") != 0
    errors = pd.to_numeric(mapping.loc[connected, "relative_error"], errors="coerce").dropna()
    if len(errors):
        worst = percent(errors.abs().max(), 2)
        figures.append(
            Figure(
                _errors(errors),
                f"Expected effective value against the software value, {count(len(errors))} "
                f"parameters other than zero; at most {worst} off.",
            )
        )
    predicted = (design.info.get("predicted_power_w") or {}).get("total")
    guess = f" Predicted power: {quantity(predicted, 'W')}." if is_number(predicted) else ""
    missing = (
        f"{count(len(lost))} cannot be represented exactly as learned, listed by name"
        if lost
        else "every one can be represented"
    )
    learned = design.info.get("parameters_learned")
    return Section(
        key="mapping",
        title="One parameter, one element",
        lead=f"{count(learned)} learned parameters have {count(len(mapping))} rows in the "
        f"mapping table; {missing}.{guess}",
        figures=tuple(figures),
        tables=(_groups(mapping), _blocks(design), _lost(design, lost), _rows(mapping)),
    )


def _devices(mapping: pd.DataFrame) -> "pd.Series[float]":
    """Multiplicities of the weights that have a device."""
    weights = mapping[mapping["role"].isin(["weight", "bias"])]
    m = pd.to_numeric(weights["m"], errors="coerce")
    return m[m > 0]


def _multiplicity(mapping: pd.DataFrame) -> Any:
    m = _devices(mapping)
    with drawing():
        fig = new_figure((HALF[0], 270))
        ax = fig.subplots()
        top = int(m.max()) if len(m) else 1
        step = max(1, int(np.ceil(top / 48)))
        counts, edges = np.histogram(m, np.arange(0.5, top + step + 0.5, step))
        ax.bar(edges[:-1], counts, width=0.86 * step, align="edge", color=light("chip"), alpha=0.85)
        ax.set(xlabel="unit devices in parallel, m", ylabel="parameters", xlim=(0, top + step))
        ax.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
        return render(fig, "multiplicity", "Histogram of unit devices per parameter")


def _multiplicity_caption(mapping: pd.DataFrame) -> str:
    m = _devices(mapping)
    total = count(m.sum()) if len(m) else "0"
    return (
        f"Weights and biases as multiples of a unit device: {count(len(m))} parameters, {total} "
        f"unit devices, at most {count(m.max()) if len(m) else 0} for one parameter."
    )


def _errors(errors: "pd.Series[float]") -> Any:
    with drawing():
        fig = new_figure((HALF[0], 270))
        ax = fig.subplots()
        bound = max(float((100 * errors).abs().max()), 0.05) * 1.05
        ax.hist(
            100 * errors, bins=np.linspace(-bound, bound, 42).tolist(), color=light("chip"),
            alpha=0.85, rwidth=0.9,
        )  # fmt: skip
        ax.axvline(0, color=light("twin"), linestyle=(0, (2, 2)), linewidth=1.2)
        ax.set(xlabel="expected minus learned (%)", ylabel="parameters")
        ax.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
        return render(fig, "mapping-errors", "Histogram of expected mapping errors")


def _groups(mapping: pd.DataFrame) -> Table:
    rows = []
    for name, part in mapping.groupby("parameter", sort=False):
        m = pd.to_numeric(part["m"], errors="coerce").fillna(0)
        bias = pd.to_numeric(part["bias_current_a"], errors="coerce").dropna()
        error = pd.to_numeric(part["relative_error"], errors="coerce").abs().max()
        value = pd.to_numeric(part["software_value"], errors="coerce")
        span = f"{quantity(bias.min(), 'A')} to {quantity(bias.max(), 'A')}" if len(bias) else ""
        rows.append(
            (
                text(name),
                figure(len(part), count(len(part))),
                figure(int((value == 0).sum()), count((value == 0).sum())),
                figure(m.sum(), count(m.sum())) if m.any() else Cell("–", ""),
                figure(value.min(), f"{number(value.min())} to {number(value.max())}"),
                text(span),
                figure(error, percent(error, 2)),
            )
        )
    return Table(
        "Parameters by group",
        columns(
            "Parameter | #Learned = rows | #Zero | #Unit devices | "
            "#Software values | Bias current | #Largest error"
        ),
        tuple(rows),
    )


def _blocks(design: Design) -> Table:
    blocks = {
        str(name): block
        for name, block in (design.info.get("blocks") or {}).items()
        if isinstance(block, dict)
    }
    areas = {name: block.get("gate_area_m2") or 0.0 for name, block in blocks.items()}
    rows = [
        (
            text(BLOCKS.get(name, name.replace("_", " "))),
            *(figure(block.get(key), count(block.get(key))) for key in _COUNTED),
            figure(areas[name], area(areas[name])),
            share_cell(areas[name], sum(areas.values()), 1),
        )
        for name, block in blocks.items()
    ]
    if rows:
        totals = [sum(block.get(key) or 0 for block in blocks.values()) for key in _COUNTED]
        whole = sum(areas.values())
        everything = (figure(total, count(total)) for total in totals)
        rows.append((text("All"), *everything, figure(whole, area(whole)), Cell("", "")))
    return Table(
        "Devices and gate area by block",
        columns("Block | #Transistors | #Unit devices | #Capacitors | #Gate area | #Share"),
        tuple(rows),
        note="Unit devices in parallel count as one transistor. Gates alone, without wiring.",
        empty="Not recorded.",
    )


def _lost(design: Design, lost: list[Any]) -> Table:
    effect = design.info.get("unrepresentable_effect") or {}
    software, realised = (effect.get(f"accuracy_{key}") for key in ("software", "realised"))
    note = (
        f"Accuracy of the software twin on the test clips: {percent(software)} as learned, "
        f"{percent(realised)} as realised."
    )
    return Table(
        f"Not representable as learned: {len(lost)}",
        columns("Parameter | #Learned | #Realised | Reason"),
        tuple(
            (
                text(_name(item)), figure(item.get("software_value", item.get("value"))),
                figure(item.get("realised_value")), text(item.get("reason")),
            )
            for item in lost
            if isinstance(item, dict)
        ),
        note=note if is_number(realised) else "",
        empty="Every learned parameter is represented.",
    )  # fmt: skip


def _name(item: dict[str, Any]) -> str:
    index = item.get("index")
    return str(item.get("parameter")) + (f"[{index}]" if index is not None else "")


def _rows(mapping: pd.DataFrame, limit: int = 2000) -> Table:
    shown = mapping.head(limit)
    rest = len(mapping) - len(shown)
    return Table(
        "The mapping table",
        columns(
            "Parameter | #Software value | Instance | Device | #m | "
            "#Bias current | #Expected value | #Error | Note"
        ),
        tuple(
            (
                text(plain(f"{row.parameter}[{row.index_}]", 80)),
                figure(row.software_value, number(row.software_value, 4)),
                text(row.instance), text(row.device), figure(row.m, count(row.m)),
                figure(row.bias_current_a, quantity(row.bias_current_a, "A")),
                figure(row.expected_value, number(row.expected_value, 4)),
                figure(row.relative_error, percent(row.relative_error, 2)), text(row.note),
            )
            for row in shown.rename(columns={"index": "index_"}).itertuples()
        ),
        note=f"{count(rest)} more rows in design/mapping.csv." if rest else "",
        folded=True,
    )  # fmt: skip
