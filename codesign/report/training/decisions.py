"""Decisions: who is confused with whom, recall by class, and every rule beside the deployed one."""

from typing import Any

import numpy as np

from codesign.analysis.intervals import wilson
from codesign.report.page import Cell, Figure, Matrix, Section, Table, columns, figure, text
from codesign.report.style import count, fixed, light, percent, signed
from codesign.report.svg import HALF, drawing, new_figure, plain, render
from codesign.report.training.data import Learned, Score, rule_words

MAX_DRAWN = 40


def section(learned: Learned) -> Section | None:
    """None where no decisions were counted."""
    score = learned.score()
    if score is None:
        return None
    names = learned.data.class_names
    control = learned.score("memoryless")
    pictures: tuple[Figure, ...] = ()
    if len(names) <= MAX_DRAWN:
        pictures = (Figure(_recalls(names, score, control), _recalls_caption(control)),)
    right = sum(score.right)
    return Section(
        key="decisions",
        title="Decisions",
        lead=f"{count(right)} of {count(score.total)} {learned.judged} are decided rightly by "
        f"{rule_words(learned.rule)}, the rule that was trained.",
        figures=pictures,
        beside=_classes(names, score, control),
        matrices=_matrix(learned, score),
        tables=tuple(table for table in (_rules(learned),) if table is not None),
        notes=(
            "Confusion: rows are labels, columns decisions; shading is the share of the row, blue "
            "on the diagonal and red off it.",
        ),
    )


def _matrix(learned: Learned, score: Score) -> tuple[Matrix, ...]:
    counts = learned.metrics.get("confusion")
    names = learned.data.class_names
    if not counts or len(counts) != len(names):
        return ()
    table = tuple(tuple(int(value) for value in row) for row in counts)
    recalls = tuple(
        percent(r / n) if n else "–" for r, n in zip(score.right, score.clips, strict=True)
    )
    return (Matrix("Confusion on the test split", names, table, recalls),)


def _classes(names: tuple[str, ...], score: Score, control: Score | None) -> Table:
    rows = []
    for k, name in enumerate(names):
        right, clips = score.right[k], score.clips[k]
        low, high = wilson(right, clips) or (None, None)
        row = [
            text(name),
            figure(clips, count(clips)),
            figure(right, count(right)),
            figure(right / clips if clips else None, percent(right / clips if clips else None)),
            Cell(f"{percent(low, 0)} to {percent(high, 0)}" if clips else "–", low or 0.0),
        ]
        if control is not None:
            other = control.right[k] / clips if clips else None
            row.append(figure(other, percent(other)))
        rows.append(tuple(row))
    titles = "Class | #Clips | #Right | #Recall | #95 % interval"
    return Table(
        "Recall by class",
        columns(titles + (" | #Without memory" if control is not None else "")),
        tuple(rows),
        note="Wilson's interval; clips count as independent, those of one speaker too.",
    )


def _rules(learned: Learned) -> Table | None:
    """Every decision rule on the same logits; only the first row was trained for."""
    if learned.evidence is None:
        return None
    names = list(dict.fromkeys(learned.evidence.rules["rule"]))
    names.sort(key=lambda name: name != learned.rule)
    rows = []
    for name in names:
        own, control = learned.score("network", name), learned.score("memoryless", name)
        if own is None:
            continue
        low, high = (100 * value for value in own.interval)
        worth = None if control is None else 100 * (own.value - control.value)
        trained = name == learned.rule
        rows.append(
            (
                text(rule_words(name) + (" (trained)" if trained else "")),
                figure(own.value, percent(own.value)),
                Cell(f"{fixed(low, 1)} to {fixed(high, 1)}", low),
                figure(None if control is None else control.value,
                       None if control is None else percent(control.value)),
                figure(worth, signed(worth)),
            )
        )  # fmt: skip
    score = learned.score()
    total = count(score.total) if score else "–"
    return Table(
        "The same networks under every decision rule",
        columns("Rule | #Balanced accuracy | #95 % interval | #Without memory | #Memory, points"),
        tuple(rows),
        note=f"{total} {learned.judged}. Network and control were trained for one rule; the others "
        "show what it costs to read the same logits otherwise.",
    )


def _recalls(names: tuple[str, ...], score: Score, control: Score | None) -> Any:
    with drawing():
        fig = new_figure((HALF[0], 96 + 26.0 * len(names)))
        ax = fig.subplots()
        pairs = [(score, "chip", "o", "network", 0.0)]
        if control is not None:
            pairs.append((control, "twin", "D", "without memory", 0.26))
        for one, role, mark, label, shift in pairs:
            at = [k for k, n in enumerate(one.clips) if n]
            middle = np.array([100 * one.right[k] / one.clips[k] for k in at])
            limits = np.array([wilson(one.right[k], one.clips[k]) or (0, 1) for k in at])
            spread = np.abs(100 * limits.reshape(-1, 2).T - middle)
            ax.errorbar(
                middle, np.array(at) + shift, xerr=spread, fmt=mark, color=light(role),
                markersize=6 if mark == "o" else 4.5, linewidth=1.4, label=label,
            )  # fmt: skip
        ax.axvline(100 / max(1, len(names)), color=light("muted"), linestyle=(0, (1, 2)))
        ax.set(
            yticks=range(len(names)), yticklabels=[plain(name, 18) for name in names],
            ylim=(len(names) - 0.4, -0.6), xlim=(0, 101), xlabel="recall (%)",
        )  # fmt: skip
        ax.grid(True, axis="x")
        ax.grid(False, axis="y")
        fig.legend(loc="outside upper left", ncols=2)
        return render(fig, "recalls", "Recall of every class with its 95 % interval")


def _recalls_caption(control: Score | None) -> str:
    other = " Diamonds: the control without memory." if control is not None else ""
    return f"Recall by class with its 95 % interval; dotted: chance.{other}"
