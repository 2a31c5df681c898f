"""The cells alone: one hysteresis loop, and how all cells came out against what was programmed."""

from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes

from codesign.report.page import Cell, Figure, Section, Table, columns, figure, text
from codesign.report.rundata import RunData
from codesign.report.style import NBSP, axis_scale, is_number, light, quantity, signed
from codesign.report.svg import HALF, dots, drawing, new_figure, plain, render

_NAMES = {"beta_hi_a": "β hi", "beta_lo_a": "β lo", "alpha_a": "α"}
_MEANING = {"beta_hi_a": "input, sets", "beta_lo_a": "input, resets", "alpha_a": "output, set"}


def cell_section(data: RunData) -> Section | None:
    """None where no sweep was recorded."""
    if data.simulation is None or data.simulation.hysteresis is None:
        return None
    sweep, info = data.simulation.hysteresis
    cells = data.simulation.cells
    errors = _errors(info)
    measured = all(is_number(value) for value in errors.values())
    worst = max((abs(value) for value in errors.values()), default=0.0)
    found = f"within {worst:.2f} % of what was programmed" if measured else "not as programmed"
    figures = [
        Figure(
            _loop(sweep, info, errors),
            f"Slow sweep of {plain(info.get('instance', 'the cell'), 60)}: output current against "
            "input current, upwards and downwards. Dashed: programmed. Diamonds: measured.",
        )
    ]
    programmed = _programmed_table(info, errors)
    if cells:
        figures.append(Figure(_all_cells(cells), _all_cells_caption(cells)))
    return Section(
        key="cell",
        title="One cell remembers",
        lead=f"The cell of layer {info.get('layer', '–')}, unit {info.get('unit', '–')} sets, "
        f"holds and resets {found}.",
        figures=tuple(figures),
        beside=None if cells else programmed,
        tables=(programmed, _cells_table(cells)) if cells else (),
    )


def _errors(info: dict[str, Any]) -> dict[str, float]:
    """Relative errors in percent; NaN where a value is missing or the programmed one is zero."""
    errors = {}
    for key in _NAMES:
        wanted = (info.get("programmed") or {}).get(key)
        got = (info.get("measured") or {}).get(key)
        errors[key] = float("nan")
        if is_number(wanted) and is_number(got) and wanted:
            errors[key] = 100 * (float(got) / float(wanted) - 1)
    return errors


def _programmed_table(info: dict[str, Any], errors: dict[str, float]) -> Table:
    programmed, measured = info.get("programmed") or {}, info.get("measured") or {}
    return Table(
        "Programmed against measured",
        columns("Quantity | #Programmed | #Measured | #Error | #Error"),
        tuple(
            (
                text(f"{label} ({_MEANING[key]})"),
                figure(programmed.get(key), quantity(programmed.get(key), "A", 4)),
                figure(measured.get(key), quantity(measured.get(key), "A", 4)),
                figure(_difference(info, key), quantity(_difference(info, key), "A", 2)),
                _error_cell(errors[key]),
            )
            for key, label in _NAMES.items()
        ),
    )


def _difference(info: dict[str, Any], key: str) -> float:
    """Measured minus programmed, in ampere."""
    wanted = (info.get("programmed") or {}).get(key)
    got = (info.get("measured") or {}).get(key)
    return float(got) - float(wanted) if is_number(got) and is_number(wanted) else float("nan")


def _error_cell(error: float) -> Cell:
    return figure(error, f"{signed(error, 2)}{NBSP}%")


def _cells_table(cells: tuple[dict[str, Any], ...]) -> Table:
    rows = []
    for info in cells:
        errors = _errors(info)
        programmed = info.get("programmed") or {}
        rows.append(
            (
                text(info.get("layer")), text(info.get("unit")),
                *(
                    cell
                    for key in _NAMES
                    for cell in (
                        figure(programmed.get(key), quantity(programmed.get(key), "A")),
                        _error_cell(errors[key]),
                    )
                ),
            )
        )  # fmt: skip
    return Table(
        f"All {len(cells)} cells",
        columns("Layer | Unit | #β hi | #Error | #β lo | #Error | #α | #Error"),
        tuple(rows),
        folded=True,
    )


def _all_cells(cells: tuple[dict[str, Any], ...]) -> Markup:
    """One row of dots per quantity, one dot per cell."""
    table = pd.DataFrame([_errors(info) for info in cells])[list(_NAMES)]
    with drawing():
        fig = new_figure((HALF[0], 320))
        ax = fig.subplots()
        ax.axvline(0, color=light("twin"), linewidth=3.5, alpha=0.45)
        for row, key in enumerate(_NAMES):
            values = np.sort(table[key].dropna().to_numpy(float))
            # Spread by rank, so that equal errors do not hide one another.
            spread = np.linspace(-0.28, 0.28, len(values)) if len(values) > 1 else np.zeros(1)
            dots(ax, values.tolist(), (row + spread).tolist()[: len(values)], "chip", 5.5)
        bound = max([0.1, *(1.15 * table.abs().max().dropna())])
        ax.set(
            yticks=range(len(_NAMES)), yticklabels=list(_NAMES.values()),
            xlabel="measured minus programmed (%)", xlim=(-bound, bound), ylim=(2.6, -0.6),
        )  # fmt: skip
        ax.grid(False, axis="y")
        ax.grid(True, axis="x")
        return render(fig, "cells", "Errors of all cells against what was programmed")


def _all_cells_caption(cells: tuple[dict[str, Any], ...]) -> str:
    table = pd.DataFrame([_errors(info) for info in cells])[list(_NAMES)]
    worst = ", ".join(
        f"{label} {table[key].abs().max():.2f}{NBSP}%"
        for key, label in _NAMES.items()
        if table[key].notna().any()
    )
    failed = int(table.isna().any(axis=1).sum())
    silent = f" {failed} did not switch exactly once each way." if failed else ""
    return f"Errors of all {len(cells)} cells, one dot each. Largest: {worst}.{silent}"


def _loop(sweep: pd.DataFrame, info: dict[str, Any], errors: dict[str, float]) -> Markup:
    programmed, measured = info.get("programmed") or {}, info.get("measured") or {}
    in_scale, in_unit = axis_scale(sweep["input_a"].tolist(), "A")
    out_scale, out_unit = axis_scale(sweep["output_a"].tolist(), "A")
    with drawing():
        fig = new_figure((HALF[0], 320))
        ax = fig.subplots()
        outputs = sweep["output_a"].to_numpy(float) * out_scale
        top = max([1e-6, *outputs[np.isfinite(outputs)]])
        for direction, role, style, label in (
            ("up", "chip", "-", "input rising"),
            ("down", "feedforward", (0, (5, 2)), "input falling"),
        ):
            part = sweep[sweep["direction"] == direction]
            x, y = part["input_a"] * in_scale, part["output_a"] * out_scale
            ax.plot(x, y, color=light(role), linestyle=style, linewidth=2.0, label=label)
        for row, key in enumerate(("beta_hi_a", "beta_lo_a")):
            _mark_threshold(
                ax, key, (programmed, measured), errors[key], in_scale, (1.16 + 0.13 * row) * top
            )
        if is_number(programmed.get("alpha_a")):
            level = programmed["alpha_a"] * out_scale
            ax.axhline(level, color=light("twin"), linestyle=(0, (2, 2)), linewidth=1.2)
            ax.annotate(
                f"{_NAMES['alpha_a']} {signed(errors['alpha_a'], 2)} %", (1, level), ha="right",
                xycoords=("axes fraction", "data"), xytext=(-2, 4), textcoords="offset points",
                color=light("twin"),
            )  # fmt: skip
        ax.set(
            xlabel=f"input current ({in_unit})", ylabel=f"output current ({out_unit})",
            ylim=(-0.04 * top, 1.42 * top), xlim=(0, None),
        )  # fmt: skip
        ax.legend(loc="lower right", bbox_to_anchor=(1, 0.06))
        return render(fig, "loop", "Hysteresis loop of one cell with programmed thresholds")


def _mark_threshold(
    ax: Axes, key: str, values: tuple[dict[str, Any], dict[str, Any]], error: float,
    scale: float, height: float,
) -> None:  # fmt: skip
    """A dashed line where it was programmed, up to its label, and a diamond where it lies."""
    programmed, measured = (value.get(key) for value in values)
    if is_number(programmed):
        at = programmed * scale
        ax.plot([at, at], [0, height], color=light("twin"), linestyle=(0, (2, 2)), linewidth=1.2)
        ax.annotate(
            f"{_NAMES[key]} {signed(error, 2)} %", (at, height), ha="left", va="center",
            xytext=(5, -2), textcoords="offset points", color=light("twin"),
        )  # fmt: skip
    if is_number(measured):
        ax.plot(
            [measured * scale], [0.37 * height], marker="D", markersize=6, linestyle="none",
            color=light("ink"), zorder=5,
        )  # fmt: skip
