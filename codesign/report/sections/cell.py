"""One cell, swept up and down: its hysteresis loop against the thresholds it was programmed for."""

from typing import Any

import numpy as np
import pandas as pd

from codesign.report.load import RunData
from codesign.report.page import Figure, Section, Table, columns, figure, text
from codesign.report.style import axis_scale, is_number, light, quantity, signed
from codesign.report.svg import HALF, drawing, new_figure, plain, render

_NAMES = {"beta_hi_a": "β hi", "beta_lo_a": "β lo", "alpha_a": "α"}
_MEANING = {
    "beta_hi_a": "input, sets",
    "beta_lo_a": "input, resets",
    "alpha_a": "output, set",
}


def cell_section(data: RunData) -> Section | None:
    """None where no sweep was recorded."""
    if data.simulation is None or data.simulation.hysteresis is None:
        return None
    sweep, info = data.simulation.hysteresis
    programmed, measured = info.get("programmed") or {}, info.get("measured") or {}
    name = f"layer {info.get('layer', '–')}, unit {info.get('unit', '–')}"
    errors = {key: _error(programmed.get(key), measured.get(key)) for key in _NAMES}
    finite = [abs(value) for value in errors.values() if is_number(value)]
    worst = f"within {max(finite):.2f} % of what was programmed" if finite else "not measured"
    rows = tuple(
        (
            text(f"{label} ({_MEANING[key]})"),
            figure(programmed.get(key), quantity(programmed.get(key), "A", 4)),
            figure(measured.get(key), quantity(measured.get(key), "A", 4)),
            figure(errors[key], f"{signed(errors[key])}\u00a0%"),
        )
        for key, label in _NAMES.items()
    )
    return Section(
        key="cell",
        title="One cell remembers",
        lead=f"The cell of {name} sets, holds and resets {worst}.",
        figures=(
            Figure(
                _loop(sweep, programmed, measured, errors),
                f"Static sweep of {info.get('instance', 'the cell')}: output current against "
                "input current, upwards and downwards. Dashed: programmed. Diamonds: measured.",
            ),
        ),
        beside=Table(
            "Programmed against measured",
            columns("Quantity | #Programmed | #Measured | #Error"),
            rows,
        ),
    )


def _error(programmed: Any, measured: Any) -> float:
    """Relative error in percent, NaN where either is missing or the target is zero."""
    if not (is_number(programmed) and is_number(measured)) or not programmed:
        return float("nan")
    return 100 * (float(measured) / float(programmed) - 1)


def _loop(
    sweep: pd.DataFrame,
    programmed: dict[str, Any],
    measured: dict[str, Any],
    errors: dict[str, float],
) -> Any:
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
            part = sweep[sweep["direction"] == direction].sort_values("input_a")
            x, y = part["input_a"] * in_scale, part["output_a"] * out_scale
            ax.plot(x, y, color=light(role), linestyle=style, linewidth=2.0, label=label)
        for key, height in (("beta_lo_a", 1.24), ("beta_hi_a", 1.24)):
            _mark_threshold(ax, key, programmed, measured, errors[key], in_scale, top, height)
        if is_number(programmed.get("alpha_a")):
            level = programmed["alpha_a"] * out_scale
            ax.axhline(level, color=light("twin"), linestyle=(0, (2, 2)), linewidth=1.2)
            ax.annotate(
                f"{_NAMES['alpha_a']} {signed(errors['alpha_a'])} %",
                (0, level), xytext=(4, 4), textcoords="offset points", color=light("twin"),
            )  # fmt: skip
        ax.set(
            xlabel=f"input current ({in_unit})", ylabel=f"output current ({out_unit})",
            ylim=(-0.04 * top, 1.42 * top), xlim=(0, None),
        )  # fmt: skip
        ax.legend(loc="lower right", bbox_to_anchor=(1, 0.06))
        return render(fig, "loop", "Hysteresis loop of one cell with programmed thresholds")


def _mark_threshold(
    ax: Any, key: str, programmed: dict[str, Any], measured: dict[str, Any],
    error: float, scale: float, top: float, height: float,
) -> None:  # fmt: skip
    if is_number(programmed.get(key)):
        at = programmed[key] * scale
        ax.axvline(at, ymax=0.86, color=light("twin"), linestyle=(0, (2, 2)), linewidth=1.2)
        ax.annotate(
            plain(f"{_NAMES[key]} {signed(error)} %"), (at, height * top), ha="center",
            xytext=(0, 6), textcoords="offset points", color=light("twin"),
        )  # fmt: skip
    if is_number(measured.get(key)):
        ax.plot(
            [measured[key] * scale], [0.5 * top], marker="D", markersize=6, linestyle="none",
            color=light("ink"), zorder=5,
        )  # fmt: skip
