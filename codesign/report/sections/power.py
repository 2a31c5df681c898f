"""Where the power goes: over time for one clip, over clips, and beside the published figure."""

from typing import Any

import numpy as np

from codesign.report.page import Cell, Figure, Section, Table, columns, figure, share_cell, text
from codesign.report.rundata import RunData, Simulation
from codesign.report.style import BLOCKS, axis_scale, count, is_number, light, quantity
from codesign.report.svg import HALF, NARROW, WIDE, drawing, new_figure, plain, render
from codesign.report.waves import Clip, bin_means, clip_order, read_clip

# From the bottom: what changes least first, so that the others can be read.
STACK = ("strobe", "bias", "cells", "feedforward")

# More bars than this cannot be told apart.
BARS = 120

PUBLISHED_NOTE = (
    "Both: schematic level, core only, no bias generator, no front end. They differ in task, "
    "process and network, so compare orders of magnitude, not digits."
)


def power_section(data: RunData) -> Section | None:
    """None without a simulation in which some sample ended well."""
    sim = data.simulation
    if sim is None or sim.ok.empty:
        return None
    summary = sim.summary
    figures = [Figure(_per_clip(sim), _per_clip_caption(sim))]
    if sim.waves:
        clip = read_clip(sim, clip_order(sim)[0])
        if "power.cells_w" in clip.waves.columns:
            figures.insert(0, _over_time(clip))
    cells = summary.get("mean_power_cells_w")
    share = ""
    if is_number(cells) and is_number(summary.get("mean_power_w")) and summary["mean_power_w"]:
        share = f", {100 * cells / summary['mean_power_w']:.0f} % of it in the recurrent cells"
    return Section(
        key="power",
        title="Power",
        lead=f"{quantity(summary.get('mean_power_w'), 'W')} on average{share}; "
        f"{quantity(summary.get('energy_per_clip_j'), 'J')} per clip of "
        f"{count(summary.get('frames'))} frames.",
        figures=tuple(figures),
        beside=_split_table(data, sim),
        tables=(_published_table(data, sim),),
    )


def _over_time(clip: Clip) -> Figure:
    time = clip.waves["time_s"].to_numpy(float)
    binned = {
        block: bin_means(time, clip.waves[f"power.{block}_w"].to_numpy(float), 400)
        for block in BLOCKS
        if f"power.{block}_w" in clip.waves.columns
    }
    means = {block: float(values.mean()) for block, (_, values) in binned.items()}
    wide, narrow = (
        _stack(binned, means, size, name)
        for size, name in (((WIDE[0], 270.0), "power-wide"), ((NARROW[0], 270.0), "power-narrow"))
    )
    energy = sum(means.values()) * (time[-1] - time[0])
    width_ms = (time[-1] - time[0]) / 400 * 1e3
    return Figure(
        wide,
        f"Power drawn from the supply during clip {plain(clip.row['clip_id'], 60)}, by block, "
        f"averaged in steps of {width_ms:.2g} ms. Line: mean, "
        f"{quantity(sum(means.values()), 'W')}; {quantity(energy, 'J')} for this inference.",
        narrow,
    )


def _stack(binned: Any, means: dict[str, float], size: tuple[float, float], name: str) -> Any:
    with drawing():
        fig = new_figure(size)
        ax = fig.subplots()
        total = np.sum([values for _, values in binned.values()], axis=0)
        factor, unit = axis_scale(total.tolist(), "W")
        base = np.zeros_like(total)
        for block in (name for name in STACK if name in binned):
            centre, values = binned[block]
            top = base + values
            ax.fill_between(
                centre * 1e3, base * factor, top * factor, color=light(block), linewidth=0,
                alpha=0.85, label=f"{BLOCKS[block]} {quantity(means[block], 'W')}",
            )  # fmt: skip
            base = top
        mean = sum(means.values())
        ax.axhline(mean * factor, color=light("ink"), linewidth=1.2, linestyle=(0, (5, 3)))
        ax.annotate(
            f"mean {quantity(mean, 'W')}", (1, mean * factor), xytext=(-4, 4), ha="right",
            textcoords="offset points", xycoords=("axes fraction", "data"),
        )  # fmt: skip
        # Edges of the frames make needles; the axis follows the bulk, needles leave the frame.
        ceiling = float(np.quantile(total, 0.995)) * factor
        ax.set(xlabel="time (ms)", ylabel=f"power ({unit})", ylim=(0, 1.22 * ceiling))
        ax.margins(x=0)
        handles, labels = ax.get_legend_handles_labels()
        fig.legend(
            handles[::-1], labels[::-1], loc="outside upper left",
            ncols=3 if size[0] > 500 else 1,
        )  # fmt: skip
        return render(fig, name, "Power over time, stacked by block")


def _per_clip(sim: Simulation) -> Any:
    ok = sim.ok.sort_values(["mean_power_w", "sample"])
    what = f"{len(ok)} samples, from lowest to highest"
    if len(ok) > BARS:
        part = np.arange(len(ok)) * BARS // len(ok)
        powers = [name for name in ok.columns if name.startswith("mean_power_")]
        ok, what = ok[powers].groupby(part).mean(), f"{what}, {BARS} equal parts"
    factor, unit = axis_scale(ok["mean_power_w"].tolist(), "W")
    with drawing():
        fig = new_figure((HALF[0], 260))
        ax = fig.subplots()
        base = np.zeros(len(ok))
        for block in STACK:
            values = ok[f"mean_power_{block}_w"].fillna(0).to_numpy(float) * factor
            ax.bar(range(len(ok)), values, bottom=base, color=light(block), width=0.82, alpha=0.85)
            base = base + values
        ax.set(
            xlabel=what, ylabel=f"mean power ({unit})",
            xticks=[],
        )  # fmt: skip
        return render(fig, "power-clips", "Mean power of each clip, by block")


def _per_clip_caption(sim: Simulation) -> str:
    power = sim.ok["mean_power_w"]
    return (
        f"Mean power of each of {len(power)} samples, by block: from "
        f"{quantity(power.min(), 'W')} to {quantity(power.max(), 'W')}."
    )


def _split_table(data: RunData, sim: Simulation) -> Table:
    ok = sim.ok
    predicted = data.design.info.get("predicted_power_w") if data.design is not None else None
    predicted = predicted if isinstance(predicted, dict) else {}
    total = float(ok["mean_power_w"].mean())
    rows = []
    blocks = [(f"mean_power_{b}_w", name) for b, name in BLOCKS.items()
              if b != "strobe" or sim.summary.get("cell") == "strobed"]  # fmt: skip
    for key, label in [*blocks, ("mean_power_w", "All")]:
        values = ok[key]
        guess = predicted.get("total" if key == "mean_power_w" else key.split("_")[2])
        mean = float(values.mean())
        share = (
            share_cell(mean, total, 1, bar=False)
            if is_number(mean) and total > 0
            else Cell("–", "")
        )
        rows.append(
            (
                text(label), figure(mean, quantity(mean, "W")), share,
                figure(guess, quantity(guess, "W")),
                figure(values.min(), quantity(values.min(), "W")),
                figure(values.max(), quantity(values.max(), "W")),
            )
        )  # fmt: skip
    return Table(
        f"Mean power by block, over {len(ok)} samples",
        columns("Block | #Mean | #Share | #Predicted | #Lowest | #Highest"),
        tuple(rows),
    )


def _published_table(data: RunData, sim: Simulation) -> Table:
    s = sim.summary
    model = data.model
    agree = f"{count(s.get('decisions_agreeing'))} of {count(s.get('samples_ok'))}"
    ours = (
        ("Network", f"d = {model.get('state_dim')}, {model.get('layers')} recurrent layers"),
        ("Transistors", count(s.get("transistors"))),
        ("Process, supply", f"{s.get('pdk')}, {s.get('supply_v')} V"),
        ("Simulated clip", f"{count(s.get('frames'))} frames"),
        ("Mean power", quantity(s.get("mean_power_w"), "W")),
        ("Recurrent cells", quantity(s.get("mean_power_cells_w"), "W")),
        ("Feed-forward", quantity(s.get("mean_power_feedforward_w"), "W")),
        ("Decisions as in software", agree),
    )
    theirs = (
        "d = 4, 2 recurrent layers", "768", "180 nm, closed", "1 s of speech",
        "82.6\u00a0nW (61 to 118 over 50 clips)", "43.7\u00a0nW", "39.7\u00a0nW", "49 of 50",
    )  # fmt: skip
    return Table(
        "Beside the published figures",
        columns(" | This run | Fyon et al., arXiv:2605.15216"),
        tuple(
            (text(name), text(mine), text(other))
            for (name, mine), other in zip(ours, theirs, strict=True)
        ),
        note=PUBLISHED_NOTE,
    )
