"""Cells: the map from bias currents, its residuals, and what the closed loop leaves."""

import numpy as np
import pandas as pd
from markupsafe import Markup

from codesign.device.characterization_files import Stored
from codesign.report.characterization.plots import log_grid
from codesign.report.page import Badge, Cell, Figure, Section, Table, columns, figure, text
from codesign.report.style import fixed, light, number, signed
from codesign.report.svg import HALF, dots, drawing, new_figure, render

_QUANTITIES = {"beta_hi": "β hi", "beta_lo": "β lo", "width": "width", "alpha": "α"}


def cells_section(stored: Stored) -> Section:
    """Errors of programmed cells, one dot each, and the map they started from."""
    program, fitted = stored.tables["cell_program"], stored.tables["cell_map"]
    figures, targets = stored.facts["figures"], stored.facts["targets"]
    met = targets["cell_error_rms"]["met"] and targets["cell_error_worst"]["met"]
    unit = stored.facts["conditions"]["hardware"]["unit_current_a"]
    low = 1e12 * unit * program[["beta_hi_target_units", "alpha_target_units"]].min().min()
    high = 1e9 * unit * program[["beta_hi_target_units", "alpha_target_units"]].max().max()
    summary = tuple(
        (
            text(label),
            *_percent(figures.get(f"map_{key}_error_rms"), figures.get(f"map_{key}_error_worst")),
            *_percent(figures[f"cell_{key}_error_rms"], figures[f"cell_{key}_error_worst"]),
        )
        for key, label in _QUANTITIES.items()
    )
    return Section(
        key="cells",
        title="A cell is programmed by three currents",
        lead=f"{len(program)} cells, thresholds and gains from {number(low)} pA to {number(high)} "
        "nA: the map gives a first guess, then the cells are measured with the bias mirrors they "
        "are drawn with, and corrected.",
        badge=Badge(met, "targets met" if met else "targets missed"),
        figures=(
            Figure(
                _errors(program),
                "What is left after the closed loop, one dot per cell, against the programmed "
                "upper threshold. Relative to the quantity itself: a lower threshold of a tenth of "
                "the upper one shows the layout grid ten times enlarged.",
            ),
            Figure(
                _map(fitted),
                "The map alone: error of the fitted formulas on cells with ideal bias currents.",
            ),
        ),
        tables=(
            Table(
                "Errors in percent",
                columns("Quantity | #Map, rms | #worst | #Programmed, rms | #worst"),
                summary,
            ),
            _coefficients(figures),
            _cells(program),
        ),
    )


def _percent(rms: float | None, worst: float | None) -> tuple[Cell, Cell]:
    if rms is None or worst is None:
        return figure(None), figure(None)
    return figure(rms, fixed(100 * rms)), figure(worst, fixed(100 * worst))


def _errors(program: pd.DataFrame) -> Markup:
    roles = dict(zip(_QUANTITIES, ("class0", "class1", "class2", "class3"), strict=True))
    with drawing():
        fig = new_figure(HALF)
        ax = fig.subplots()
        x = np.log10(program["beta_hi_target_units"].to_numpy(float))
        for key, label in _QUANTITIES.items():
            y = 100 * program[f"{key}_error"].to_numpy(float)
            dots(ax, x.tolist(), y.tolist(), roles[key], 5.5)
            ax.plot([], [], "o", color=light(roles[key]), label=label, markersize=5)
        bound = 1.15 * max(
            0.05, *(100 * program[f"{key}_error"].abs().max() for key in _QUANTITIES)
        )
        ticks = [v for v in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10) if x.min() <= np.log10(v) <= x.max()]
        ax.set(
            xticks=np.log10(ticks), xticklabels=[f"{v:g}" for v in ticks], ylim=(-bound, bound),
            xlim=(x.min() - 0.1, x.max() + 0.1),
            xlabel="programmed β hi (unit currents)", ylabel="error (%)",
        )  # fmt: skip
        ax.axhline(0, color=light("muted"), linewidth=0.8)
        ax.legend(ncols=4)
        return render(fig, "programmed", "Errors of programmed cells against their threshold")


def _map(fitted: pd.DataFrame) -> Markup:
    roles = {"beta_hi": "class0", "width": "class2", "alpha": "class3"}
    bias = {"beta_hi": "threshold", "width": "width", "alpha": "gain"}
    with drawing():
        fig = new_figure(HALF)
        ax = fig.subplots()
        for key, role in roles.items():
            x = fitted[f"{bias[key]}_bias_units"].to_numpy(float)
            y = 100 * fitted[f"{key}_map_error"].to_numpy(float)
            ax.plot(x, y, "o", color=light(role), label=_QUANTITIES[key], markersize=4.5)
        ax.axhline(0, color=light("muted"), linewidth=0.8)
        ax.set(
            xscale="log", xlabel="its bias current (unit currents)", ylabel="error of the map (%)"
        )
        log_grid(ax)
        ax.legend(ncols=3)
        return render(fig, "map", "Residuals of the cell map against bias current")


def _coefficients(figures: dict[str, float]) -> Table:
    formulas = {
        "β hi = I_thresh (t0 + t1 ln I_thresh)": ("t0", "t1"),
        "width = w0 I_width + w1 I_thresh": ("w0", "w1"),
        "α = I_gain (g0 + g1 ln I_gain)": ("g0", "g1"),
    }
    return Table(
        "The map, in unit currents",
        columns("Formula | #First | #Second"),
        tuple(
            (
                text(formula),
                *(figure(figures[f"map_{k}"], signed(figures[f"map_{k}"], 5)) for k in keys),
            )
            for formula, keys in formulas.items()
        ),
    )


def _cells(program: pd.DataFrame) -> Table:
    rows = tuple(
        tuple(
            cell
            for key in _QUANTITIES
            for cell in (
                figure(row[f"{key}_target_units"], fixed(row[f"{key}_target_units"], 4)),
                figure(row[f"{key}_error"], signed(100 * row[f"{key}_error"], 3)),
            )
        )
        for _, row in program.iterrows()
    )
    heads = " | ".join(f"#{label} (units) | #error (%)" for label in _QUANTITIES.values())
    return Table("Every programmed cell", columns(heads), rows, folded=True)
