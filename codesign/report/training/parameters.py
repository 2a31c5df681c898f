"""Parameters: weights on their grid, thresholds of every unit, what is at a limit, currents."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from codesign.report.page import Figure, Section, Table, columns, figure, share_cell, text
from codesign.report.style import count, light, number, percent
from codesign.report.svg import HALF, NARROW, WIDE, drawing, new_figure, render
from codesign.report.training.data import Floats, Learned, unit_name
from codesign.training.hardware_limits import Limits

MAX_UNITS = 96


def section(learned: Learned) -> Section | None:
    """None where the run holds no weights."""
    if not learned.weights:
        return None
    figures = [_weights_figure(learned)]
    if learned.evidence is not None and learned.evidence.facts.get("mirrored_current_units"):
        figures.append(_currents_figure(learned.evidence.facts["mirrored_current_units"]))
    tables = [_groups(learned)]
    if learned.thresholds is not None:
        figures.append(_thresholds_figure(learned))
        tables.append(_at_limits(learned))
    total = sum(value.size for value in learned.weights.values())
    return Section(
        key="parameters",
        title="Parameters",
        lead=f"{count(total)} learned numbers"
        + (
            ", each one element of the chip." if learned.on_chip else ", free of the chip's limits."
        ),
        figures=tuple(figures),
        tables=tuple(tables),
    )


def _gridded(learned: Learned) -> Floats:
    found = [value.ravel() for name, value in learned.weights.items() if ".cell." not in name]
    return np.concatenate(found) if found else np.zeros(0)


def grid_counts(values: Floats, grid: int) -> tuple[Floats, Floats]:
    """(multiples k/grid, how many values lie nearest to each), from the least to the largest."""
    k = np.rint(values * grid).astype(np.int64)
    at = np.arange(k.min(), k.max() + 1)
    return at / grid, np.bincount(k - k.min(), minlength=len(at)).astype(np.float64)


def _weights_figure(learned: Learned) -> Figure:
    values, grid = _gridded(learned), learned.data.flow.hardware.weight_grid
    on_grid = learned.on_chip and bool(np.abs(values * grid - np.rint(values * grid)).max() < 1e-4)
    zero = int((values == 0).sum())
    limit = learned.data.flow.training.weight_limit
    at_limit = int((np.abs(values) >= limit - 1e-6).sum())
    shown = values[values != 0] if zero < len(values) else values
    caption = (
        f"{count(len(values))} weights and biases"
        + (f", multiples of 1/{grid}" if on_grid else "")
        + f". {count(zero)} are zero ({percent(zero / max(1, len(values)))}), which is no device; "
        "they are not drawn."
    )
    if learned.on_chip:
        caption += f" {count(at_limit)} are at the limit of {limit:g}."
    return Figure(_weights(shown, grid, on_grid, limit if learned.on_chip else None), caption)


def _weights(values: Floats, grid: int, on_grid: bool, limit: float | None) -> Any:
    with drawing():
        fig = new_figure((HALF[0], 290))
        ax = fig.subplots()
        if on_grid:
            at, counts = grid_counts(values, grid)
            ax.bar(at, counts, width=0.8 / grid, color=light("chip"), alpha=0.9)
        else:
            ax.hist(values.tolist(), bins=60, color=light("chip"), alpha=0.9)
        reach = float(np.abs(values).max())
        for side in (-limit, limit) if limit is not None and reach > 0.8 * limit else ():
            ax.axvline(side, color=light("bad"), linestyle=(0, (4, 3)), linewidth=1.2)
        ax.axvline(0, color=light("muted"), linewidth=0.8)
        ax.set(xlabel="weight or bias", ylabel="parameters")
        ax.yaxis.set_major_formatter(lambda value, _: count(value) if value == int(value) else "")
        return render(fig, "weights", "Histogram of weights and biases on their grid")


def _currents_figure(blocks: dict[str, float]) -> Figure:
    names = list(blocks)
    values = [blocks[name] for name in names]
    roles = ["cells" if name.endswith(".cell") else "feedforward" for name in names]
    with drawing():
        fig = new_figure((HALF[0], 100 + 26.0 * len(names)))
        ax = fig.subplots()
        for row, (value, role) in enumerate(zip(values, roles, strict=True)):
            ax.barh(row, value, color=light(role), alpha=0.85, height=0.66)
            ax.text(value, row, f" {number(value)}", va="center", fontsize=10)
        ax.set(
            yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.4, -0.6),
            xlim=(0, 1.18 * max(values)), xlabel="mean current (units)",
        )  # fmt: skip
        ax.grid(True, axis="x")
        ax.grid(False, axis="y")
        svg = render(fig, "currents", "Mean mirrored current by block")
    return Figure(
        svg,
        f"Current copied by the mirrors of each block, mean over test clips; {number(sum(values))} "
        "units in all. It is what training prices; the power of the circuit needs the mapping.",
    )


def _thresholds_figure(learned: Learned) -> Figure:
    units = learned.thresholds
    assert units is not None
    left = len(units) - MAX_UNITS
    rest = f" The first {MAX_UNITS} of {count(len(units))} units." if left > 0 else ""
    limits = Limits.of(learned.data.flow)
    return Figure(
        _thresholds(learned, WIDE[0], "thresholds"),
        "Every unit's window, from β_lo to β_hi: below it the cell is cleared, above it set, in it "
        "the cell holds. Dots: α, the current of a state that is on. Pale: units that never "
        f"change on test clips. Dashed: the lowest β_lo ({limits.beta_lo_min:g}) and the largest "
        f"bias current ({limits.bias_max:g}).{rest}",
        _thresholds(learned, NARROW[0], "thresholds-narrow"),
    )


def _thresholds(learned: Learned, width: float, name: str) -> Any:
    assert learned.thresholds is not None
    units, limits = learned.thresholds.head(MAX_UNITS), Limits.of(learned.data.flow)
    at = np.arange(len(units))
    low, high = (units[f"beta_{side}_units"].to_numpy() for side in ("lo", "hi"))
    alive = ((units["on"] > 0) & (units["on"] < units["frames"])).to_numpy()
    names = [unit_name(int(a), int(b)) for a, b in zip(units["layer"], units["unit"], strict=True)]
    with drawing():
        fig = new_figure((width, 300))
        ax = fig.subplots()
        thick = float(np.clip(0.45 * width / len(units), 2.0, 12.0))
        for shown, strength in ((alive, 0.95), (~alive, 0.3)):
            if shown.any():
                ax.vlines(
                    at[shown], low[shown], high[shown], color=light("cells"), linewidth=thick,
                    alpha=strength, capstyle="butt",
                )  # fmt: skip
                ax.plot(
                    at[shown], units["alpha_units"].to_numpy()[shown], "o", color=light("twin"),
                    markersize=min(5.0, thick), alpha=strength, linestyle="none",
                )  # fmt: skip
        tops = [limits.beta_lo_min]
        if max(float(high.max()), float(units["alpha_units"].max())) > 0.8 * limits.bias_max:
            tops.append(limits.bias_max)
        for level in tops:
            ax.axhline(level, color=light("bad"), linestyle=(0, (4, 3)), linewidth=1.1)
        for edge in np.flatnonzero(np.diff(units["layer"])) + 0.5:
            ax.axvline(edge, color=light("muted"), linewidth=1, linestyle=(0, (4, 3)))
        step = max(1, int(np.ceil(len(names) * 30 / width)))
        ax.set_xticks(at[::step], names[::step])
        ax.set(xlabel="layer.unit", ylabel="current (units)", xlim=(-0.7, len(units) - 0.3))
        ax.set_ylim(bottom=0)
        return render(fig, name, "Thresholds and state currents of every unit")


def _groups(learned: Learned) -> Table:
    rows = []
    for name, value in learned.weights.items():
        zero = int((value == 0).sum())
        rows.append(
            (
                text(name),
                text(" × ".join(str(size) for size in value.shape)),
                figure(value.size, count(value.size)),
                figure(zero, count(zero)),
                figure(value.min(), number(value.min())),
                figure(value.max(), number(value.max())),
                figure(np.abs(value).mean(), number(np.abs(value).mean())),
            )
        )
    return Table(
        "Parameters by group",
        columns("Parameter | Shape | #Numbers | #Zero | #Least | #Largest | #Mean size"),
        tuple(rows),
        note="In units; names are those of the devices.",
        folded=len(rows) > 24,
    )


def limits_met(learned: Learned) -> Iterator[tuple[str, float, int, int]]:
    """(what is limited, limit, how many parameters are at it, of how many)."""
    limits = Limits.of(learned.data.flow)
    units = learned.thresholds
    weights = np.abs(_gridded(learned))
    yield "largest |weight|", limits.weight_limit, _at(weights, limits.weight_limit), len(weights)
    if units is None:
        return
    low, high = units["beta_lo_units"], units["beta_hi_units"]
    for what, values, limit in (
        ("lowest β_lo", low, limits.beta_lo_min),
        ("narrowest window", high - low, limits.width_min),
        ("smallest α", units["alpha_units"], limits.alpha_min),
        ("largest bias current, β_hi", high, limits.bias_max),
        ("largest bias current, α", units["alpha_units"], limits.bias_max),
    ):
        yield what, limit, _at(values.to_numpy(np.float64), limit), len(values)


def _at(values: Floats, limit: float) -> int:
    return int((np.abs(values - limit) < 1e-4).sum())


def _at_limits(learned: Learned) -> Table:
    return Table(
        "At a limit of the chip",
        columns("Limit | #Value | #At it | #Of | #Share"),
        tuple(
            (
                text(what), figure(limit, f"{limit:g}"), figure(at, count(at)),
                figure(of, count(of)), share_cell(at, of, 1),
            )
            for what, limit, at, of in limits_met(learned)
        ),
        note="Where training would have gone further. Thresholds and α of a unit that does nothing "
        "drift to the smallest currents, because current has a price.",
    )  # fmt: skip
