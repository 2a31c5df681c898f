"""Mapping strategies side by side, and what is left between positive and negative paths."""

from typing import Any

import numpy as np
from markupsafe import Markup

from codesign.report.page import Badge, Figure, Section, Table, columns, figure, text
from codesign.report.reading import read_object
from codesign.report.rundata import RunData
from codesign.report.style import area, count, light, number, percent, quantity
from codesign.report.svg import HALF, drawing, new_figure, render

_MAKE = "codesign export-netlist --compare"
# Names of the paths of codesign.device.paths, and how they are drawn.
_PATHS = {
    "p_positive": ("P diode, positive: P copy", "class0", "-"),
    "p_negative": ("P diode, negative: turn, N copy", "class1", "--"),
    "n_positive": ("N diode, positive: turn, P copy", "class2", "-"),
    "n_negative": ("N diode, negative: N copy", "class3", "--"),
}


def strategies_section(data: RunData) -> Section | None:
    """None where no comparison was made."""
    path = data.run.design_dir / "strategies.json"
    if data.design is None or not path.is_file():
        return None
    found = read_object(path, "the comparison of strategies", _MAKE)
    items = [item for item in found.get("strategies") or [] if isinstance(item, dict)]
    own = next((item for item in items if item.get("name") == found.get("used")), None)
    if own is None:
        return None
    paths = found.get("sign_paths") or {}
    figures = [Figure(_errors(items, found), _errors_caption(found))]
    if paths:
        figures.append(Figure(_gains(paths), _gains_caption()))
    return Section(
        key="strategies",
        title="Mapping strategies",
        badge=Badge(
            bool(own.get("meets")), "Weights as promised" if own.get("meets") else "Weights off"
        ),
        lead=_lead(own, found),
        figures=tuple(figures),
        tables=(_table(items, found), _residues(own), *([_delays(paths)] if paths else [])),
        notes=(
            "Errors are of the device's current over its signal's, turns included, against the "
            "value the strategy gives the weight; what it rounds is counted apart. Power is "
            "that of the currents, which are the same in every strategy. Where a weight is on the "
            "grid, k/8 and continuous make it of the same devices; they differ for other values.",
        ),
    )


def _lead(own: dict[str, Any], found: dict[str, Any]) -> str:
    rms, worst = percent(own.get("error_rms"), 3), percent(own.get("error_worst"), 2)
    return (
        "Every weight, bias and skip measured where it is, at the current it typically carries: "
        f"{count(own.get('devices_measured'))} devices, {rms} rms and at most {worst} off at "
        f"{number(found.get('nominal_c'), 3)} °C, at most "
        f"{percent(own.get('error_over_temperature_worst'), 2)} over temperature. Promised: 0.5 % "
        "rms, and 1 % over temperature."
    )


def _errors(items: list[dict[str, Any]], found: dict[str, Any]) -> Markup:
    """Worst and rms error of each strategy at each temperature."""
    temperatures = [f"{value:g}" for value in found.get("temperatures_c") or []]
    with drawing():
        fig = new_figure((HALF[0], 300))
        ax = fig.subplots()
        rows = np.arange(len(items))[::-1]
        for k, temperature in enumerate(["nominal", *temperatures]):
            rms, worst = [], []
            for item in items:
                at = (item.get("error_over_temperature") or {}).get(temperature) or {
                    "rms": item["error_rms"], "worst": item["error_worst"],
                }  # fmt: skip
                rms.append(max(100 * at["rms"], 1e-3))
                worst.append(max(100 * at["worst"], 1e-3))
            y = rows + 0.22 * (1 - k)
            colour = light(f"class{k}")
            name = f"{number(found.get('nominal_c'), 3)} °C" if k == 0 else f"{temperature} °C"
            ax.hlines(y, rms, worst, color=colour, linewidth=2.2, label=name)
            ax.plot(rms, y, "o", color=colour, markersize=4)
            ax.plot(worst, y, "|", color=colour, markersize=9, markeredgewidth=2)
        ax.axvline(1.0, color=light("muted"), linestyle=(0, (2, 2)), linewidth=1.1)
        ax.set_xscale("log")
        ax.set_xlim(0.02, 30)
        ax.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
        ax.set_yticks(rows, [str(item.get("name")) for item in items])
        ax.set_ylim(-0.6, len(items) - 0.4)
        ax.grid(visible=True, axis="x")
        ax.grid(visible=False, axis="y")
        ax.set(xlabel="error of a weight (%): dot rms, bar worst")
        ax.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=3)
        return render(fig, "strategies", "Error of the weights by strategy and temperature")


def _errors_caption(found: dict[str, Any]) -> str:
    return (
        "Weights of this network in each strategy, measured in ngspice in the exported blocks. The "
        "dashed line is the 1 % that weights may be off over temperature."
    )


def _gains(paths: dict[str, Any]) -> Markup:
    with drawing():
        fig = new_figure((HALF[0], 300))
        ax = fig.subplots()
        current = 1e9 * np.asarray(paths["current_a"])
        for name, (title, colour, line) in _PATHS.items():
            gain = 100 * (np.asarray(paths["gain"][name]) - 1)
            ax.plot(current, gain, line, color=light(colour), label=title)
        trimmed = 100 * (np.asarray(paths["trimmed"]["n_positive"]) - 1)
        ax.plot(current, trimmed, ":", color=light("class2"), linewidth=2.2,
                label="the same, turn trimmed for its current")  # fmt: skip
        ax.set_xscale("log")
        ax.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
        ax.set(xlabel="current of the signal (nA)", ylabel="gain error (%)")
        ax.set_ylim(-1.25, 2.6)
        ax.legend(loc="upper right", fontsize=9.5)
        return render(fig, "sign-paths", "Gain of the positive and negative paths by current")


def _gains_caption() -> str:
    return (
        "Gain of each sign path, 50 pA to 10 nA, one length for all turns; dotted, the path that "
        "varies most with its turn cut for the current it carries, as in the design."
    )


def _table(items: list[dict[str, Any]], found: dict[str, Any]) -> Table:
    temperatures = [f"{value:g}" for value in found.get("temperatures_c") or []]
    rows = []
    for item in items:
        over, drift = item.get("error_over_temperature") or {}, item.get("drift") or {}
        own = " (this design)" if item.get("name") == found.get("used") else ""
        met = bool(item.get("meets"))
        rows.append(
            (
                text(f"{item.get('title')}{own}"),
                figure(item.get("not_representable"), count(item.get("not_representable"))),
                figure(item.get("error_rms"), percent(item.get("error_rms"), 3)),
                figure(item.get("error_worst"), percent(item.get("error_worst"), 2)),
                *(
                    figure(
                        over[t]["worst"],
                        percent(over[t]["worst"], 2),
                        "" if over[t]["worst"] <= 0.01 else "bad",
                    )
                    for t in temperatures
                ),
                figure(
                    max((d["worst"] for d in drift.values()), default=None),
                    percent(max((d["worst"] for d in drift.values()), default=None), 2),
                ),
                figure(item.get("gate_area_m2"), area(item.get("gate_area_m2"))),
                figure(item.get("predicted_power_w"), quantity(item.get("predicted_power_w"), "W")),
                text("✓ yes" if met else "✗ no", "good" if met else "bad"),
            )
        )
    worst = " | ".join(f"#Worst at {t} °C" for t in temperatures)
    return Table(
        "Strategies side by side",
        columns(
            f"Strategy | #Rounded | #Error rms | #Worst | {worst} | #Largest drift | #Gate area | "
            "#Power | As promised"
        ),
        tuple(rows),
    )


def _residues(own: dict[str, Any]) -> Table:
    rows = tuple(
        (
            text(name),
            figure(found.get("devices"), count(found.get("devices"))),
            figure(found.get("mean"), percent(found.get("mean"), 3)),
            figure(found.get("rms"), percent(found.get("rms"), 3)),
        )
        for name, found in (own.get("paths") or {}).items()
    )
    cost, logits = own.get("candidate_error_units_rms"), own.get("logit_error_units_rms")
    return Table(
        "What is left by kind of path",
        columns("Path | #Devices | #Mean error | #rms"),
        rows,
        note=f"With the mean current of every signal these errors add up to {number(cost, 2)} "
        f"units rms in the candidates and {number(logits, 2)} in the logits.",
    )


def _delays(paths: dict[str, Any]) -> Table:
    rows = tuple(
        (
            text(_PATHS[name][0]),
            figure(found.get("up_s"), quantity(found.get("up_s"), "s")),
            figure(found.get("down_s"), quantity(found.get("down_s"), "s")),
        )
        for name, found in (paths.get("delays") or {}).items()
        if name in _PATHS
    )
    return Table(
        "Delay of each path",
        columns("Path | #Up | #Down"),
        rows,
        note="Time to within 2 % of a step between a tenth of a unit and one unit, 48 unit gates "
        "on each line.",
    )
