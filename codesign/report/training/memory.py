"""Which units hold memory: how long, how often they change, and what is lost when one forgets."""

from typing import Any

import numpy as np
import pandas as pd

from codesign.report.page import Figure, Mark, Section, Table, columns, figure, share_cell, text
from codesign.report.style import count, fixed, light, percent, signed
from codesign.report.svg import NARROW, WIDE, drawing, new_figure, render
from codesign.report.training.data import Learned, unit_name

# More bars than this cannot be told apart; the rest is in the table.
MAX_DRAWN = 64
# A cell that is on from memory alone in fewer frames than this hardly remembers.
MEMORY_SHARE = 0.01


def section(learned: Learned) -> Section | None:
    """None where the cell has no thresholds, or nothing was measured."""
    units = learned.thresholds
    if units is None or learned.evidence is None:
        return None
    facts = learned.evidence.facts
    use = usage(units, int(facts["clips"]), float(facts["forgetting"]["balanced_accuracy"]))
    idle = use[use["use"].isin(["never on", "always on"])]
    lead = (
        f"{count((use['use'] == 'remembers').sum())} of {count(len(use))} cells are on from memory "
        f"alone in at least {percent(MEMORY_SHARE, 0)} of all frames"
    )
    if len(idle):
        lead += f"; {count(len(idle))} never change and carry no information"
    drawn = use.sort_values("held_share", ascending=False, kind="stable").head(MAX_DRAWN)
    drawn = drawn.sort_values(["layer", "unit"])
    return Section(
        key="memory",
        title="Which units hold memory",
        lead=f"{lead}.",
        figures=(
            Figure(
                _bars(drawn, WIDE[0], "memory"),
                _caption(use, learned),
                _bars(drawn, NARROW[0], "memory-narrow"),
            ),
        ),
        tables=(_table(use, learned),),
    )


def usage(units: pd.DataFrame, clips: int, balanced: float) -> pd.DataFrame:
    """Per unit: shares of all frames, changes per clip, mean hold in frames, points lost when it
    forgets, and in a word how it is used.

    ``balanced``: balanced accuracy of the whole network on the clips that forgetting was
    measured on.
    """
    table = units.copy()
    table["held_share"] = units["held"] / units["frames"]
    table["driven_share"] = (units["on"] - units["held"]) / units["frames"]
    table["window_share"] = units["window"] / units["frames"]
    table["changes_per_clip"] = (units["sets"] + units["clears"]) / clips
    table["hold_frames"] = units["held"] / units["holds"].where(units["holds"] > 0)
    table["points_lost"] = 100 * (balanced - units["forgotten_balanced_accuracy"])
    table["use"] = uses(units)
    return table


def uses(units: pd.DataFrame) -> list[str]:
    """In a word, what each unit does with its state: remembers, hardly remembers, follows its
    candidate, never on, always on."""
    counts = zip(units["on"], units["held"], units["frames"], strict=True)
    return [_word(on, held, frames) for on, held, frames in counts]


def _word(on: int, held: int, frames: int) -> str:
    if on == 0:
        return "never on"
    if on == frames:
        return "always on"
    if held >= MEMORY_SHARE * frames:
        return "remembers"
    return "hardly remembers" if held else "follows its candidate"


def _caption(use: pd.DataFrame, learned: Learned) -> str:
    assert learned.evidence is not None
    forgetting = learned.evidence.facts["forgetting"]
    left = len(use) - MAX_DRAWN
    rest = f" {count(left)} units that hold least are in the table alone." if left > 0 else ""
    return (
        "Top: share of frames in which a cell is on, because its candidate is above β_hi (pale) "
        "or from memory alone (full). Below: points of balanced accuracy lost when this cell "
        "alone forgets (its two thresholds made one), on "
        f"{count(forgetting['clips'])} test clips.{rest}"
    )


def _bars(use: pd.DataFrame, width: float, name: str) -> Any:
    at = np.arange(len(use))
    names = [unit_name(int(a), int(b)) for a, b in zip(use["layer"], use["unit"], strict=True)]
    with drawing():
        fig = new_figure((width, 330))
        upper, lower = fig.subplots(2, 1, sharex=True, height_ratios=(1.3, 1))
        held, driven = (100 * use[f"{kind}_share"].to_numpy() for kind in ("held", "driven"))
        upper.bar(at, held, color=light("cells"), width=0.72, label="on from memory alone")
        upper.bar(
            at, driven, bottom=held, color=light("cells"), alpha=0.3, width=0.72,
            label="on, candidate above β_hi",
        )  # fmt: skip
        upper.set(ylabel="frames (%)", ylim=(0, 102))
        lost = use["points_lost"].to_numpy()
        lower.bar(at, lost, color=light("chip"), width=0.72)
        lower.axhline(0, color=light("muted"), linewidth=0.8)
        span = max(1.0, float(np.abs(lost).max()))
        lower.set(ylabel="points lost", ylim=(min(-0.1 * span, 1.1 * lost.min()), 1.1 * span))
        layers = use["layer"].to_numpy()
        for edge in np.flatnonzero(np.diff(layers)) + 0.5:
            for ax in (upper, lower):
                ax.axvline(edge, color=light("muted"), linewidth=1, linestyle=(0, (4, 3)))
        step = max(1, int(np.ceil(len(names) * 30 / width)))
        lower.set_xticks(at[::step], names[::step])
        lower.set(xlabel="layer.unit", xlim=(-0.6, len(use) - 0.4))
        fig.legend(*upper.get_legend_handles_labels(), loc="outside upper left", ncols=2)
        return render(fig, name, "Use of memory by every unit")


def _table(use: pd.DataFrame, learned: Learned) -> Table:
    marks: dict[str, Mark] = {"never on": "warn", "always on": "warn"}
    rows = []
    for row in use.to_dict("records"):
        name = unit_name(int(row["layer"]), int(row["unit"]))
        rows.append(
            (
                text(name),
                text(row["use"], marks.get(str(row["use"]), "")),
                share_cell(row["on"], row["frames"], 1, bar=False),
                share_cell(row["held"], row["frames"], 1, bar=False),
                figure(row["hold_frames"], fixed(row["hold_frames"], 1)),
                figure(row["changes_per_clip"], fixed(row["changes_per_clip"], 2)),
                figure(row["clips_on"], count(row["clips_on"])),
                figure(row["points_lost"], signed(row["points_lost"])),
            )
        )
    assert learned.evidence is not None
    facts = learned.evidence.facts
    whole = percent(facts["forgetting"]["balanced_accuracy"])
    return Table(
        "Units",
        columns(
            "Unit | Use | #On | #From memory | #Mean hold, frames | #Changes per clip | "
            "#Clips with it on | #Points lost"
        ),
        tuple(rows),
        note=f"Test split, {count(facts['clips'])} clips of {count(facts['frames'])} frames. A "
        "hold is a run of frames with the state on and the candidate not above β_hi. Points lost: "
        f"of the {whole} that the whole network reaches.",
        folded=len(rows) > 40,
    )
