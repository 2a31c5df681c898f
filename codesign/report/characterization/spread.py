"""Mismatch sensitivities and device noise."""

import numpy as np
import pandas as pd
from markupsafe import Markup

from codesign.device.characterization_files import Stored
from codesign.report.characterization.plots import NAMES, ROLES, line, log_grid, parts
from codesign.report.page import Figure, Section, Table, columns, figure, text
from codesign.report.style import fixed, light, quantity, signed
from codesign.report.svg import HALF, drawing, new_figure, render

_QUANTITIES = {"beta_hi": "β hi", "width": "width", "alpha": "α"}


def mismatch_section(stored: Stored) -> Section:
    """How mirrors and cells follow their transistors, and the sigma that makes."""
    mirrors, cell = stored.tables["mirror_sensitivity"], stored.tables["cell_sensitivity"]
    figures = stored.facts["figures"]
    total = ", ".join(
        f"{label} {fixed(100 * figures[f'cell_{key}_sigma'], 2)} %"
        for key, label in _QUANTITIES.items()
    )
    return Section(
        key="mismatch",
        title="How equal devices differ",
        lead="Finite differences in ngspice times the sigma of the process's law, first order. "
        f"One cell (β hi 1, width 0.5, α 1): {total}.",
        figures=(
            Figure(
                _pairs(mirrors),
                "Spread of a mirror (diode and copy) against its current: weak inversion is where "
                "it is largest.",
            ),
            Figure(
                _shares(cell), "Which transistor moves which quantity of a cell: its own sigma."
            ),
        ),
        tables=(_cell_table(cell),),
        notes=(
            "A positive threshold shift weakens an N device and strengthens a P device. Not "
            "included: the bias mirrors, the candidate's turn, and the weights before it.",
        ),
    )


def _pairs(mirrors: pd.DataFrame) -> Markup:
    with drawing():
        fig = new_figure(HALF)
        ax = fig.subplots()
        for (polarity, device), part in parts(mirrors, "polarity", "device"):
            style = "-" if device == "unit" else "--"
            label = f"{NAMES[polarity]} {device}"
            x, y = 1e9 * part["current_a"], 100 * part["pair_sigma"]
            line(ax, x, y, ROLES[polarity], label, style)
        ax.set(xscale="log", xlabel="current (nA)", ylabel="sigma of the ratio (%)")
        ax.set_ylim(bottom=0)
        log_grid(ax)
        ax.legend()
        return render(fig, "pairs", "Sigma of mirror ratios against current")


def _shares(cell: pd.DataFrame) -> Markup:
    shown = cell[(cell[[f"{key}_sigma" for key in _QUANTITIES]] > 1e-4).any(axis=1)]
    roles = dict(zip(_QUANTITIES, ("class0", "class2", "class3"), strict=True))
    with drawing():
        fig = new_figure((HALF[0], 340))
        ax = fig.subplots()
        places = np.arange(len(shown))
        for k, (key, label) in enumerate(_QUANTITIES.items()):
            ax.barh(places + 0.27 * (k - 1), 100 * shown[f"{key}_sigma"], 0.25,
                    color=light(roles[key]), label=label)  # fmt: skip
        ax.set(yticks=places, yticklabels=shown["device"].tolist(), xlabel="sigma it causes (%)")
        ax.invert_yaxis()
        ax.grid(False, axis="y")
        ax.grid(True, axis="x")
        ax.legend()
        return render(fig, "shares", "Sigma of cell quantities by transistor")


def _cell_table(cell: pd.DataFrame) -> Table:
    rows = []
    for _, row in cell.iterrows():
        cells = [text(row["device"]), text(NAMES[str(row["polarity"])])]
        for key in _QUANTITIES:
            # Rounded first: what is nothing has no sign. Percent per millivolt is 0.1 of 1/V.
            shift = round(float(row[f"dln_{key}_ddelvto_per_v"]) / 10, 3) + 0.0
            mobility = round(float(row[f"dln_{key}_dlnmulu0"]), 3) + 0.0
            sigma = float(row[f"{key}_sigma"])
            cells += [
                figure(shift, signed(shift, 3)),
                figure(mobility, signed(mobility, 3)),
                figure(sigma, fixed(100 * sigma)),
            ]
        rows.append(tuple(cells))
    heads = " | ".join(
        f"#{label}: %/mV | #dln/dln µ0 | #sigma (%)" for label in _QUANTITIES.values()
    )
    return Table("Sensitivities of a cell", columns(f"Device | Type | {heads}"), tuple(rows))


def noise_section(stored: Stored) -> Section:
    """Noise densities of mirror devices against frequency, and the figures of their fits."""
    table, figures = stored.tables["noise_density"], stored.facts["figures"]
    rows = []
    for polarity in ("nmos", "pmos"):
        for device in ("unit", "cell"):
            name = f"{polarity}_{device}"
            white, corner = (
                figures[f"{name}_white_over_shot"],
                figures.get(f"{name}_noise_corner_hz"),
            )
            error = figures[f"{name}_noise_fit_error"]
            rows.append(
                (
                    text(f"{NAMES[polarity]} {device}"),
                    figure(white, fixed(white, 2)),
                    figure(corner, None if corner is None else quantity(corner, "Hz")),
                    figure(error, fixed(100 * error, 1)),
                )
            )
    return Section(
        key="noise",
        title="Device noise",
        lead="Drain current noise of one device (m = 1) from ngspice's small-signal noise analysis "
        "at signal currents.",
        figures=(Figure(_densities(table), "Density at about 1 nA; dotted: shot noise 2 q I."),),
        beside=Table(
            "Densities",
            columns("Device | #White over shot noise | #Corner at a unit | #Worst of the fit (%)"),
            tuple(rows),
        ),
    )


def _densities(table: pd.DataFrame) -> Markup:
    currents = np.sort(table["current_a"].unique())
    near = currents[int(np.argmin(np.abs(np.log(currents / 1e-9))))]
    with drawing():
        fig = new_figure(HALF)
        ax = fig.subplots()
        part = table[table["current_a"] == near]
        for (polarity, device), curve in parts(part, "polarity", "device"):
            style = "-" if device == "unit" else "--"
            y = 1e15 * np.sqrt(curve["density_a2_per_hz"])
            label = f"{NAMES[polarity]} {device}"
            line(ax, curve["frequency_hz"], y, ROLES[polarity], label, style)
        shot = 1e15 * float(np.sqrt(part["shot_a2_per_hz"].iloc[0]))
        ax.axhline(shot, color=light("muted"), linestyle=":", linewidth=1.2)
        ax.set(xscale="log", yscale="log", xlabel="frequency (Hz)", ylabel="noise (fA/√Hz)")
        log_grid(ax)
        ax.legend()
        return render(fig, "noise", "Noise density against frequency")
