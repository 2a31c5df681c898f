"""Capacitances, settling, the tail of a discharge, and leakage."""

import numpy as np
import pandas as pd
from markupsafe import Markup

from codesign.device.characterization_files import Stored
from codesign.report.characterization.plots import NAMES, ROLES, line, log_grid, parts
from codesign.report.page import Cell, Figure, Section, Table, columns, figure, text
from codesign.report.style import fixed, light, number, quantity, signed
from codesign.report.svg import HALF, drawing, new_figure, render


def time_section(stored: Stored) -> Section:
    """Time constants by current, the 1/t tail, gate capacitances."""
    times, tails = stored.tables["time_constant"], stored.tables["discharge"]
    rows = tuple(
        (
            text(NAMES[str(row["polarity"])]),
            figure(row["current_a"], quantity(row["current_a"], "A")),
            figure(row["tau_s"], quantity(row["tau_s"], "s")),
            figure(row["slope_factor"], fixed(row["slope_factor"])),
            figure(row["capacitance_f"], quantity(row["capacitance_f"], "F")),
            _against(row),
            figure(row["tail_charge_c"], quantity(row["tail_charge_c"], "C")),
        )
        for _, row in times.iterrows()
    )
    readers = int(times["readers"].iloc[0])
    return Section(
        key="time",
        title="How fast a line settles, and how slowly it empties",
        lead=f"A line of one unit weight with {readers} unit devices reading it: a small step "
        "settles with C n V_T / I; a line whose input ends falls as C n V_T / t, whatever it "
        "carried.",
        figures=(
            Figure(_taus(times), "Time constant of a 2 % step against the line's current."),
            Figure(
                _tails(tails),
                "The current of a P line after its input has ended at t = 0. Dashed: "
                "Q / (t + Q / I), with the Q measured late.",
            ),
            Figure(
                _capacitance(stored.tables["node_capacitance"]),
                "Gate capacitance of one device (m = 1) against gate voltage, overlap included.",
            ),
        ),
        tables=(
            Table(
                "Lines",
                columns(
                    "Line | #Current | #Time constant | #n | #C from it | "
                    "#C from small signals | #Charge of the tail"
                ),
                rows,
            ),
        ),
    )


def _against(row: "pd.Series[float]") -> Cell:
    apart = 100 * (row["small_signal_f"] / row["capacitance_f"] - 1)
    shown = f"{quantity(row['small_signal_f'], 'F')} ({signed(apart, 1)} %)"
    return figure(row["small_signal_f"], shown)


def _taus(times: pd.DataFrame) -> Markup:
    with drawing():
        fig = new_figure(HALF)
        ax = fig.subplots()
        for (polarity,), part in parts(times, "polarity"):
            line(
                ax,
                1e9 * part["current_a"],
                1e6 * part["tau_s"],
                ROLES[polarity],
                NAMES[polarity],
                "o-",
            )
        ax.set(xscale="log", yscale="log", xlabel="line current (nA)", ylabel="time constant (µs)")
        log_grid(ax)
        ax.legend()
        return render(fig, "taus", "Time constant of a line against its current")


def _tails(tails: pd.DataFrame) -> Markup:
    with drawing():
        fig = new_figure(HALF)
        ax = fig.subplots()
        part = tails[tails["polarity"] == "p"]
        for (start,), curve in parts(part, "start_a"):
            label = quantity(start, "A")
            role = f"class{int(np.searchsorted(np.unique(part['start_a']), start))}"
            line(ax, 1e3 * curve["time_s"], 1e9 * curve["current_a"], role, f"from {label}")
            ax.plot(1e3 * curve["time_s"], 1e9 * curve["one_over_t_a"], "--",
                    color=light("muted"), linewidth=0.9)  # fmt: skip
        ax.set(xscale="log", yscale="log", xlabel="time (ms)", ylabel="current (nA)")
        log_grid(ax)
        ax.legend()
        return render(fig, "tails", "Current of a P line after its input has ended")


def _capacitance(table: pd.DataFrame) -> Markup:
    with drawing():
        fig = new_figure(HALF)
        ax = fig.subplots()
        for (polarity, device), part in parts(table, "polarity", "device"):
            if device == "switch":
                continue
            style = "-" if device == "unit" else "--"
            label = f"{NAMES[polarity]} {device}"
            line(ax, part["gate_v"], 1e15 * part["gate_f"], ROLES[polarity], label, style)
        ax.set(xlabel="|gate voltage| (V)", ylabel="gate capacitance (fF)")
        ax.set_ylim(bottom=0)
        ax.legend()
        return render(fig, "capacitance", "Gate capacitance against gate voltage")


def leakage_section(stored: Stored) -> Section:
    """Off currents by temperature, and what gmin adds to them."""
    table = stored.tables["leakage"]
    top = table[table["drain_v"] == table["drain_v"].max()]
    unit = stored.facts["conditions"]["hardware"]["unit_current_a"]
    rows = tuple(
        (
            text(f"{NAMES[str(row['polarity'])]} {row['device']}"),
            figure(row["temperature_c"], number(row["temperature_c"], 2)),
            figure(row["leakage_a"], quantity(row["leakage_a"], "A")),
            figure(row["leakage_a"] / unit, number(1e6 * row["leakage_a"] / unit)),
            figure(row["gmin_a"], quantity(row["gmin_a"], "A")),
        )
        for _, row in top.iterrows()
    )
    return Section(
        key="leakage",
        title="What flows when nothing should",
        lead="Drain current with the gate at the source, junctions included. The simulator's own "
        "conductance (gmin, 1 fS in every transient here) is shown apart: it is no property of the "
        "process.",
        figures=(
            Figure(
                _leakage(table),
                "Leakage of a unit weight's devices against the drain voltage, by temperature.",
            ),
        ),
        tables=(
            Table(
                "Drain at the supply",
                columns(
                    "Device | #Temperature (°C) | #Leakage | #millionths of a unit | "
                    "#gmin adds, at 1 fS"
                ),
                rows,
            ),
        ),
    )


def _leakage(table: pd.DataFrame) -> Markup:
    styles = ("-", "--", ":", "-.")
    chosen = table[(table["device"] == "unit") & (table["drain_v"] > 0)]
    temperatures = sorted(chosen["temperature_c"].unique())
    with drawing():
        fig = new_figure(HALF)
        ax = fig.subplots()
        for (polarity, temperature), part in parts(chosen, "polarity", "temperature_c"):
            style = styles[temperatures.index(temperature) % len(styles)]
            positive = part[part["leakage_a"] > 0]
            line(ax, positive["drain_v"], 1e15 * positive["leakage_a"], ROLES[polarity],
                 f"{NAMES[polarity]} {temperature:g} °C", style)  # fmt: skip
        ax.set(yscale="log", xlabel="|drain voltage| (V)", ylabel="leakage (fA)")
        log_grid(ax)
        ax.set_ylim(top=1e17 * float(chosen["leakage_a"].max()))
        ax.legend(ncols=2, loc="upper left")
        return render(fig, "leakage", "Leakage against drain voltage by temperature")
