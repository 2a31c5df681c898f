"""The strobe generator: when each layer looks, and what it costs to tell it."""

from typing import Any

from codesign.circuit.timing import RESET_END, SAMPLE
from codesign.report.page import Figure, Section, Table, columns, text
from codesign.report.rundata import RunData
from codesign.report.style import area, count, is_number, light, percent, quantity
from codesign.report.svg import HALF, drawing, new_figure, render


def strobe_section(data: RunData) -> Section | None:
    """None for designs without strobes, or made before their generator was measured."""
    info = data.design.info.get("strobe") if data.design is not None else None
    if not isinstance(info, dict) or not info.get("windows_ticks"):
        return None
    simulated = bool(info.get("simulated"))
    share = ""
    total = (data.design.info.get("predicted_power_w") or {}).get("total") if data.design else None
    if is_number(total) and total:
        share = f", {percent(info['power_w'] / total, 2)} of the predicted total"
    how = (
        "It is part of the netlist: a counter of transistors on a supply of its own."
        if simulated
        else "The strobes of this simulation are ideal sources; the generator was measured alone "
        "in ngspice with the load of these cells, and its power is counted in every total."
    )
    return Section(
        key="strobe",
        title="Strobes",
        lead=f"{quantity(info['power_w'], 'W')} for the generator{share}. {how}",
        figures=(Figure(_frame(info), _caption(info)),),
        beside=_table(info, simulated),
    )


def _frame(info: dict[str, Any]) -> Any:
    ticks, windows = int(info["ticks"]), info["windows_ticks"]
    with drawing():
        fig = new_figure((HALF[0], 120 + 34 * len(windows)))
        ax = fig.subplots()
        for layer, (opens, closes) in enumerate(windows):
            ax.barh(layer, closes - opens, left=opens, height=0.55, color=light("cells"))
        top = len(windows)
        ax.barh(top, RESET_END * ticks, height=0.55, color=light("bias"))
        ax.axvline(SAMPLE * ticks, color=light("chip"), linewidth=1.4, linestyle=(0, (5, 3)))
        ax.set(
            xlabel=f"tick of the frame ({ticks} ticks)", xlim=(0, ticks),
            yticks=range(top + 1),
            yticklabels=[*(f"layer {layer}" for layer in range(top)), "reset"],
        )  # fmt: skip
        ax.invert_yaxis()
        ax.grid(axis="x")
        return render(fig, "strobe-frame", "Windows of the strobes in a frame")


def _caption(info: dict[str, Any]) -> str:
    return (
        "One frame. A cell looks at its candidate while its layer's bar lasts; reset is in the "
        "first frame alone. Dashed: the instant at which chip and twin are compared."
    )


def _table(info: dict[str, Any], simulated: bool) -> Table:
    rise, overlap = _edges(info)
    rows = (
        ("In the simulation", "transistors" if simulated else "ideal sources"),
        ("Power", quantity(info.get("power_w"), "W")),
        ("of it leakage", quantity(info.get("leakage_w"), "W")),
        ("Transistors", count(info.get("transistors"))),
        ("Gate area", area(info.get("gate_area_m2"))),
        ("Clock", f"{count(info.get('ticks'))} ticks per frame"),
        ("Slowest edge", quantity(rise, "s")),
        ("Both lines high", quantity(overlap, "s")),
    )
    return Table(
        "Strobe generator, measured",
        columns(" | This design"),
        tuple((text(name), text(value)) for name, value in rows),
    )


def _edges(info: dict[str, Any]) -> tuple[float, float]:
    """The slowest edge, and how long after a strobe its complement leaves, seconds."""
    pulses = [pulse for pair in info["edges"] for pulse in pair]
    slowest = max(
        max(pulse["away_s"] - pulse["leaves_s"], pulse["back_s"] - pulse["returns_s"])
        for pulse in pulses
    )
    overlap = max(stbn["leaves_s"] - stb["leaves_s"] for stb, stbn in info["edges"])
    return slowest, overlap
