"""Weights and mirrors: ratios of unit devices, the transfer of copies, the supported currents."""

import numpy as np
import pandas as pd
from markupsafe import Markup

from codesign.device.characterization_files import Stored
from codesign.report.characterization.plots import (
    KIND_NAMES,
    KIND_ROLES,
    NAMES,
    ROLES,
    line,
    log_grid,
    parts,
)
from codesign.report.page import Badge, Figure, Section, Table, columns, figure, text
from codesign.report.style import fixed, light, quantity, signed
from codesign.report.svg import HALF, drawing, new_figure, render


def ratio_section(stored: Stored) -> Section:
    """Errors of weights against m, at nominal and over temperature."""
    table, targets = stored.tables["unit_ratio"], stored.facts["targets"]
    nominal = stored.facts["conditions"]["hardware"]["temperature_c"]
    met = all(targets[key]["met"] for key in targets if key.startswith("weight"))
    rows = []
    for kind, name in KIND_NAMES.items():
        part = table[table["kind"] == kind]
        cells = [text(name)]
        for _, at in parts(part, "temperature_c"):
            errors = at["error"].to_numpy(float)
            rms = 100 * float(np.sqrt(np.mean(errors**2)))
            worst = 100 * float(errors[np.argmax(np.abs(errors))])
            cells += [figure(rms, fixed(rms)), figure(worst, signed(worst, 3))]
        rows.append(tuple(cells))
    headings = " | ".join(
        f"#{t:g} °C, rms (%) | #worst (%)" for t in sorted(table["temperature_c"].unique())
    )
    return Section(
        key="weights",
        title="A weight is a number of unit devices",
        lead=f"Error of every weight m/{_grid(stored)} up to four units, its current flowing where "
        "such a weight's current flows; one length per kind of copy, trimmed at the nominal point.",
        badge=Badge(met, "targets met" if met else "targets missed"),
        figures=(
            Figure(
                _ratios(table, nominal),
                "Error against the weight at the nominal temperature. A larger weight brings its "
                "destination to another voltage; that is all that is left.",
            ),
            Figure(
                _drift(table),
                "The same weights over temperature with the nominal trims: bars from the smallest "
                "to the largest error of all m.",
            ),
        ),
        tables=(Table("Errors by destination", columns(f"Copy | {headings}"), tuple(rows)),),
    )


def _grid(stored: Stored) -> int:
    return int(stored.facts["conditions"]["hardware"]["weight_grid"])


def _ratios(table: pd.DataFrame, nominal: float) -> Markup:
    with drawing():
        fig = new_figure(HALF)
        ax = fig.subplots()
        for (kind,), part in parts(table[table["temperature_c"] == nominal], "kind"):
            line(ax, part["weight_units"], 100 * part["error"], KIND_ROLES[kind], KIND_NAMES[kind])
        ax.set(xlabel="weight", ylabel="error (%)")
        ax.margins(y=0.25)
        ax.legend(loc="upper center", ncols=2)
        return render(fig, "ratios", "Error of unit-device weights against the weight")


def _drift(table: pd.DataFrame) -> Markup:
    temperatures = sorted(table["temperature_c"].unique())
    with drawing():
        fig = new_figure(HALF)
        ax = fig.subplots()
        for k, kind in enumerate(KIND_NAMES):
            part = 100 * table[table["kind"] == kind].set_index("temperature_c")["error"]
            for n, temperature in enumerate(temperatures):
                at = part.loc[[temperature]]
                x = n + 0.13 * (k - 2)
                label = KIND_NAMES[kind] if n == 0 else None
                ax.plot(
                    [x, x], [at.min(), at.max()], color=light(KIND_ROLES[kind]), linewidth=5,
                    solid_capstyle="butt", label=label,
                )  # fmt: skip
        ax.axhline(0, color=light("muted"), linewidth=0.8)
        ax.set(
            xticks=range(len(temperatures)),
            xticklabels=[f"{t:g} °C" for t in temperatures],
            ylabel="error (%)",
        )
        return render(fig, "drift", "Range of weight errors at each temperature, by destination")


def mirror_section(stored: Stored) -> Section:
    """Output against drain voltage, and gain against current, untrimmed."""
    table, figures = stored.tables["mirror_transfer"], stored.facts["figures"]
    rows = []
    for polarity in ("nmos", "pmos"):
        for device in ("unit", "cell"):
            name = f"{polarity}_{device}"
            slope = figures[f"{name}_output_conductance_percent_per_v"]
            saturation = figures[f"{name}_saturation_v"]
            rows.append(
                (
                    text(f"{NAMES[polarity]} {device}"),
                    figure(slope, fixed(slope, 2)),
                    figure(saturation, fixed(saturation, 2)),
                )
            )
    return Section(
        key="mirrors",
        title="A copy, untrimmed",
        lead="What a copy of the diode's own size carries, from 50 pA to 20 nA and over the drain "
        "voltage: the output conductance is what the trims take out.",
        figures=(
            Figure(
                _outputs(table),
                "Gain of the unit device against the magnitude of its drain voltage; one curve "
                "per input current, the darkest the largest.",
            ),
            Figure(
                _by_current(table),
                "Gain at half the supply against the input current, unit device and cell mirror.",
            ),
        ),
        tables=(
            Table(
                "Output conductance at 1 nA, and the voltage of 95 % of the current",
                columns("Device | #Conductance (%/V) | #Saturated from (V)"),
                tuple(rows),
            ),
        ),
    )


def _outputs(table: pd.DataFrame) -> Markup:
    with drawing():
        fig = new_figure(HALF)
        ax = fig.subplots()
        for polarity in ("n", "p"):
            part = table[(table["polarity"] == polarity) & (table["device"] == "unit")]
            groups = list(part.groupby((part["drain_v"] == 0).cumsum()))
            for k, (_, curve) in enumerate(groups[::3]):
                curve = curve[curve["drain_v"] > 0.05]
                ax.plot(curve["drain_v"], curve["gain"], color=light(ROLES[polarity]),
                        alpha=0.35 + 0.65 * k / len(groups[::3]), linewidth=1.2,
                        label=NAMES[polarity] if k == len(groups[::3]) - 1 else None)  # fmt: skip
        ax.set(xlabel="|drain voltage| (V)", ylabel="output / input", ylim=(0.94, 1.06))
        ax.legend()
        return render(fig, "outputs", "Gain of unit mirrors against drain voltage")


def _by_current(table: pd.DataFrame) -> Markup:
    drains = np.sort(table["drain_v"].unique())
    middle = drains[len(drains) // 2]
    with drawing():
        fig = new_figure(HALF)
        ax = fig.subplots()
        at_middle = table[table["drain_v"] == middle]
        for (polarity, device), part in parts(at_middle, "polarity", "device"):
            style = "-" if device == "unit" else "--"
            label = f"{NAMES[polarity]} {device}"
            line(ax, 1e9 * part["input_a"], part["gain"], ROLES[polarity], label, style)
        ax.set(xscale="log", xlabel="input (nA)", ylabel="output / input")
        log_grid(ax)
        ax.legend()
        return render(fig, "gains", "Gain of mirrors at half the supply against input current")


def range_section(stored: Stored) -> Section:
    """The currents between which copies stay copies."""
    table, figures = stored.tables["current_range"], stored.facts["figures"]
    named = (
        ("range_gain_low_a", "a trimmed copy is 1 % off its gain at the unit current, below"),
        ("range_leakage_low_a", "leakage of an idle node with 32 unit drains is 1 % of it"),
        ("range_gain_high_a", "a trimmed copy is 1 % off its gain at the unit current, above"),
        ("range_inversion_high_a", "a unit line's gm/I is half of that in weak inversion"),
        ("range_cell_high_a", "a cell mirror's gm/I is half of that in weak inversion"),
    )
    hardware = stored.facts["conditions"]["hardware"]
    return Section(
        key="range",
        title="Which currents the devices support",
        lead=f"From {quantity(figures['range_low_a'], 'A')} to "
        f"{quantity(figures['range_high_a'], 'A')} on a line; the specification asks for bias "
        f"currents from {quantity(hardware['bias_min_units'] * hardware['unit_current_a'], 'A')} "
        f"to {quantity(hardware['bias_max_units'] * hardware['unit_current_a'], 'A')}.",
        figures=(
            Figure(
                _range(table, figures),
                "Gain of each trimmed copy against the current of the line, source and "
                "destination carrying the same. Dashed: the ends of the supported range.",
            ),
        ),
        beside=Table(
            "Where each limit sets in",
            columns("Limit | #Current"),
            tuple(
                (text(what), figure(figures[key], quantity(figures[key], "A")))
                for key, what in named
            ),
        ),
    )


def _range(table: pd.DataFrame, figures: dict[str, float]) -> Markup:
    with drawing():
        fig = new_figure(HALF)
        ax = fig.subplots()
        for kind, name in KIND_NAMES.items():
            line(ax, 1e9 * table["input_a"], table[f"{kind}_gain"], KIND_ROLES[kind], name)
        for key in ("range_low_a", "range_high_a"):
            ax.axvline(1e9 * figures[key], color=light("muted"), linestyle="--", linewidth=1)
        ax.set(
            xscale="log", xlabel="line current (nA)", ylabel="gain, trimmed", ylim=(0.965, 1.025)
        )
        log_grid(ax)
        ax.legend(loc="lower left")
        return render(fig, "range", "Gain of trimmed copies against line current")
