"""The page of a sweep: what validation chose, every combination over its seeds, every run."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codesign.analysis.intervals import wilson
from codesign.files import write_text
from codesign.report.build import render_document
from codesign.report.page import Card, Cell, Column, Figure, Section, Table, columns, figure, text
from codesign.report.reading import flatten, read_object, read_table
from codesign.report.sections.verdict import Verdict
from codesign.report.style import MISSING, count, is_number, light, number, percent, signed
from codesign.report.svg import WIDE, drawing, new_figure, plain, render
from codesign.search.leaderboard import NOTE, RUN_COLUMNS
from codesign.search.space import short_keys

_COMMAND = "codesign sweep"
_DRAWN = 40  # combinations in the figure


def build_sweep_page(folder: Path) -> Path:
    """Write ``sweep.html`` into a sweep folder from its tables and return its path.

    Raises InputError when a table is missing or damaged.
    """
    asked = read_object(folder / "sweep.json", "the description of a sweep", _COMMAND)
    runs = read_table(folder / "runs.parquet", " ".join(RUN_COLUMNS), "the runs", _COMMAND)
    wanted = "rank combination validation_mean test_mean finished failed"
    board = read_table(folder / "leaderboard.parquet", wanted, "the combinations", _COMMAND)
    path = folder / "sweep.html"
    write_text(path, render_sweep(folder.name, asked, runs, board))
    return path


def render_sweep(name: str, asked: dict[str, Any], runs: pd.DataFrame, board: pd.DataFrame) -> str:
    """The page as one HTML document; the tables are those of ``codesign.search.leaderboard``."""
    keys = [key for key in runs.columns if key not in RUN_COLUMNS]
    failed = int((runs["status"] == "failed").sum())
    facts = [
        f"{_many(len(board), 'combination')} of {_many(len(keys), 'key')}",
        f"{_many(runs['seed'].nunique(), 'seed')} each",
        f"flow {asked.get('flow', MISSING)}",
    ]
    notices = [
        f"{count(failed)} of {count(len(runs))} runs failed; their reasons are listed below."
    ]
    sections = [
        Section(
            "combinations", "Combinations",
            NOTE + " The control is the same network with cells that forget, best of its starts.",
            figures=_figures(board, runs, keys), tables=(board_table(board, keys),),
        ),
        Section("runs", "Runs", "Every run is a run folder; codesign report RUN makes its page.",
                tables=(_run_rows(runs, keys),)),
        Section("provenance", "Provenance", "", tables=(_provenance(asked),)),
    ]  # fmt: skip
    return render_document(
        name, facts, _verdict(runs, board, keys), sections, notices[: bool(failed)]
    )


def label(row: Any, keys: list[str]) -> str:
    """A combination in words: ``state_dim 8, cell mingru``."""
    short = short_keys(keys)
    return ", ".join(f"{short[key]} {_value(row[key])}" for key in keys) or "the flow as it is"


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    # Not iterrows: it would make the whole numbers of a table of numbers floating point.
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _many(number: int, thing: str) -> str:
    return f"{count(number)} {thing}{'s' * (number != 1)}"


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _verdict(runs: pd.DataFrame, board: pd.DataFrame, keys: list[str]) -> Verdict:
    ranked = board[board["rank"] > 0]
    done = runs[runs["status"] != "failed"]
    if ranked.empty:
        return Verdict("No run of the sweep has finished.", None, "Nothing to compare", ())
    first = _rows(ranked)[0]
    own = done[done["combination"] == first["combination"]]
    clips = own["test_count"].min()
    right = own["test_balanced_accuracy"].mean() * clips
    span = wilson(round(right), int(clips)) or [math.nan, math.nan]
    gap = first["test_mean"] - first["memoryless_mean"]
    total = float(done["wall_s"].sum())
    cards = (
        Card("Chosen by validation", percent(first["test_mean"]).removesuffix("\u00a0%"), "% test",
             f"mean of {_many(len(own), 'seed')}, worst {percent(first['test_worst'])}, best "
             f"{percent(first['test_best'])}; balanced, {count(clips)} test clips each (95 % "
             f"interval of one such run {percent(span[0])} to {percent(span[1])})",
             "reported, no target", "info"),
        Card("Its validation", percent(first["validation_mean"]).removesuffix("\u00a0%"), "%",
             f"mean; worst seed {percent(first['validation_worst'])}", "what ranks", "info"),
        Card("Without memory", percent(first["memoryless_mean"]).removesuffix("\u00a0%"), "%",
             f"the control on the same test clips; memory is worth {signed(100 * gap)} points"
             if is_number(gap) else "this cell has no memoryless control",
             "reported, no target", "info"),
        Card("Runs finished", count(len(done)), f"of {count(len(runs))}",
             f"{number(total / 60)} minutes of training in all", "all",
             "met" if len(done) == len(runs) else "missed"),
    )  # fmt: skip
    sentence = (
        f"By validation the best of {count(len(board))} combinations is {label(first, keys)}."
        if len(board) > 1
        else f"One combination: {label(first, keys)}."
    )
    passed = len(done) == len(runs)
    word = "All runs finished" if passed else f"{count(len(runs) - len(done))} runs failed"
    return Verdict(sentence, passed, word, cards)


def _figures(board: pd.DataFrame, runs: pd.DataFrame, keys: list[str]) -> tuple[Figure, ...]:
    shown = board[board["rank"] > 0].head(_DRAWN)
    if shown.empty:
        return ()
    wide = _strips(shown, runs, keys, (WIDE[0], 90 + 24.0 * len(shown)), "sweep")
    narrow = _strips(shown, runs, keys, (400, 90 + 24.0 * len(shown)), "sweep-narrow")
    left = int((board["rank"] > 0).sum()) - len(shown)
    rest = f" {count(left)} combinations of lower rank are in the table alone." if left else ""
    return (Figure(wide, "Balanced accuracy on test: a dot for each seed, a bar for their mean, a "
                   "cross for the control without memory. The order is that of validation (hollow "
                   "diamond)." + rest, narrow),)  # fmt: skip


def _strips(
    shown: pd.DataFrame, runs: pd.DataFrame, keys: list[str], size: tuple[float, float],
    name: str,
) -> Any:  # fmt: skip
    with drawing():
        fig = new_figure(size)
        ax = fig.subplots()
        places = np.arange(len(shown))[::-1]
        for place, row in zip(places, _rows(shown), strict=True):
            own = runs[runs["combination"] == row["combination"]]
            test = 100 * own["test_balanced_accuracy"].dropna().to_numpy()
            ax.plot(test, np.full(len(test), place), "o", color=light("chip"), markersize=5,
                    alpha=0.6, label="test, one seed" if place == places[0] else None)  # fmt: skip
        marks = (
            ("test_mean", "|", "chip", "test, mean", 12, 2.0),
            ("memoryless_mean", "x", "twin", "without memory, mean", 6, 1.2),
            ("validation_mean", "D", "ink", "validation, mean", 6, 1.2),
        )
        for key, mark, role, said, large, edge in marks:
            if shown[key].notna().any():
                ax.plot(
                    100 * shown[key], places, mark, color=light(role), label=said, markersize=large,
                    markeredgewidth=edge, markerfacecolor="none", linestyle="none",
                )  # fmt: skip
        wide = size[0] > 500  # else there is room for ranks alone
        names = [
            plain(label(row, keys), 44) if wide else f"rank {count(row['rank'])}"
            for row in _rows(shown)
        ]
        ax.set_yticks(places, names)
        ax.set(xlabel="balanced accuracy (%)", ylim=(-0.7, len(shown) - 0.3))
        ax.grid(axis="x")
        ax.grid(visible=False, axis="y")
        fig.legend(loc="outside upper left", ncols=4 if wide else 2, fontsize=9.5)
        return render(fig, name, "Balanced accuracy of every combination")


def board_table(board: pd.DataFrame, keys: list[str]) -> Table:
    """The leaderboard as a table of the page."""
    short = short_keys(keys)
    heads = (
        Column("Rank", True), *(Column(short[key]) for key in keys),
        *columns("#Validation mean | #worst | #Test mean | #worst | #best | #No memory, mean | "
                 "#Seeds | #Parameters | #Steps | #Time of a run"),
    )  # fmt: skip
    shares = ("validation_mean", "validation_worst", "test_mean", "test_worst", "test_best",
              "memoryless_mean")  # fmt: skip
    rows = tuple(
        (
            figure(row["rank"] or None, count(row["rank"])),
            *(_cell(row[key]) for key in keys),
            *(figure(row[share], percent(row[share])) for share in shares),
            _seeds(row),
            figure(row["parameters"], count(row["parameters"])),
            figure(row["steps"], count(row["steps"])),
            figure(row["wall_s"], f"{number(row['wall_s'])} s"),
        )
        for row in _rows(board)
    )
    return Table("Leaderboard", heads, rows, note=NOTE)


def _seeds(row: dict[str, Any]) -> Cell:
    failed = row["failed"]
    shown = count(row["finished"]) + (f", {count(failed)} failed" if failed else "")
    return figure(row["finished"], shown, "bad" if failed else "")


def _cell(value: Any) -> Cell:
    return figure(value, _value(value)) if is_number(value) else text(_value(value))


def _run_rows(runs: pd.DataFrame, keys: list[str]) -> Table:
    heads = columns("Run | #Seed | Status | #Validation | #Test | #Test clips | #No memory | #Time")
    rows = tuple(
        (
            text(row["run"]), figure(row["seed"], count(row["seed"])),
            text(row["reason"] or "", "bad") if row["status"] == "failed" else text(row["status"]),
            *(figure(row[key], percent(row[key])) for key in
              ("validation_balanced_accuracy", "test_balanced_accuracy")),
            figure(row["test_count"], count(row["test_count"])),
            figure(row["memoryless_test_balanced_accuracy"],
                   percent(row["memoryless_test_balanced_accuracy"])),
            figure(row["wall_s"], f"{number(row['wall_s'])} s"),
        )
        for row in _rows(runs)
    )  # fmt: skip
    return Table("Runs", heads, rows, folded=len(rows) > 26)


def _provenance(asked: dict[str, Any]) -> Table:
    return Table(
        "What was asked, where and with what",
        columns("Key | Value"),
        tuple((text(key), text(value)) for key, value in flatten(asked) if key),
    )
