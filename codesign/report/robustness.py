"""The page of a robustness study: accuracy against noise, leaks and offsets, cells side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codesign.files import write_text
from codesign.report.build import render_document
from codesign.report.page import Card, Column, Figure, Section, Table, columns, figure, text
from codesign.report.reading import flatten, read_object
from codesign.report.sections.verdict import Verdict, judged
from codesign.report.style import class_color, count, fixed, is_number, light, number, percent
from codesign.report.svg import HALF, drawing, new_figure, plain, render
from codesign.robustness.summary import (
    TARGET_LEAK_POINTS,
    TARGET_LEAK_UNITS,
    TARGET_MEAN_POINTS,
    TARGET_P5_POINTS,
    TARGET_PERCENT,
    TARGET_STATE_DIM,
)

Facts = Mapping[str, Any]
KINDS = {
    "percent": "Parameter noise",
    "leak": "Leak, the same everywhere",
    "leak_uniform": "Leak, drawn for every unit",
    "offset": "Offset, drawn for every unit",
}
_AXES = {
    "percent": "noise on every parameter (%, three sigma)",
    "leak": "into every candidate alike (units)",
    "leak_uniform": "largest leak of a candidate (units)",
    "offset": "largest offset of a candidate (units)",
}
_LEADS = {
    "percent": "Every stored parameter is multiplied by 1 + p/300 N(0, 1), independently.",
    "leak": "One current, added to every candidate of every layer.",
    "leak_uniform": "U(0, level) added to every unit's candidate, drawn for each unit.",
    "offset": "U(-level, level) added to every unit's candidate, drawn for each unit.",
}
_STYLES = ("-", "--", ":", "-.")
TARGETS = (
    f"Targets, for FQ-BMRU networks with d = {TARGET_STATE_DIM}: at {TARGET_PERCENT:g} % noise "
    f"less than {TARGET_MEAN_POINTS:g} points lost on average and {TARGET_P5_POINTS:g} at the 5th "
    f"percentile of draws; at a leak of {TARGET_LEAK_UNITS:g} units less than "
    f"{TARGET_LEAK_POINTS:g} point."
)


def build_robustness_page(folder: Path) -> Path:
    """Write ``robustness.html`` beside robustness.json and return its path.

    Raises InputError when the file is missing or damaged.
    """
    found = read_object(folder / "robustness.json", "a robustness study", "codesign robustness")
    path = folder / "robustness.html"
    write_text(path, render_robustness(found))
    return path


def render_robustness(found: Facts) -> str:
    """The page as one HTML document, from the content of robustness.json."""
    subjects = found["subjects"]
    groups = list(dict.fromkeys(s["group"] for s in subjects))
    tasks = list(dict.fromkeys(s["task"] for s in subjects))
    facts = [
        *tasks[:3], f"{count(len(subjects))} trained networks in {count(len(groups))} groups",
        f"{count(found['asked']['draws'])} draws of each disturbance",
    ]  # fmt: skip
    sections = [
        Section(
            "figures", "Accuracy against the disturbance",
            "Balanced accuracy on the stored test clips by the decision of the run. Lines: mean "
            "over draws and runs of a group; bands: 5th to 95th percentile of draws.",
            figures=tuple(_figure(found, kind, groups) for kind in KINDS if _has(found, kind)),
        ),
        *(
            Section(kind, title, _LEADS[kind], tables=(_group_table(found, kind),))
            for kind, title in KINDS.items() if _has(found, kind)
        ),
        Section("runs", "Every run", "", tables=(_run_table(found),)),
        Section("provenance", "Provenance", "Clips and rule are those of each run folder.",
                tables=(_provenance(found),)),
    ]  # fmt: skip
    return render_document("Robustness", facts, _verdict(found), sections)


def _has(found: Facts, kind: str) -> bool:
    return any(row["kind"] == kind for row in found["groups"])


def _verdict(found: Facts) -> Verdict:
    cards = [_card(item) for item in found["targets"]]
    clips = [s["test_clips"] for s in found["subjects"]]
    span = count(min(clips)) if min(clips) == max(clips) else f"{min(clips)} to {max(clips)}"
    cards.append(
        Card("Networks", count(len(clips)), "", f"each on its {span} test clips, "
             f"{count(found['asked']['draws'])} draws of what is drawn", "", "info")
    )  # fmt: skip
    if not found["targets"]:
        return Verdict(f"{TARGETS} None of these networks is one.", None, "No target", tuple(cards))
    return judged(TARGETS, cards)


def _card(item: Facts) -> Card:
    level = f"{item['level']:g} %" if item["kind"] == "percent" else f"{item['level']:g} units"
    runs, draws = item["runs"], item["draws"]
    over = f"{count(runs)} {'run' if runs == 1 else 'runs'} of {count(draws)} "
    return Card(
        label=f"{str(item['name']).capitalize()} of {level}",
        value=fixed(item["lost_points"], 2),
        unit="points",
        detail=f"{item['group']}; mean over {over}{'draw' if draws == 1 else 'draws'}",
        target=f"below {item['limit_points']:g}",
        status="met" if item["met"] else "missed",
    )


def _figure(found: Facts, kind: str, groups: Sequence[str]) -> Figure:
    with drawing():
        fig = new_figure((HALF[0], 330))
        ax = fig.subplots()
        for place, group in enumerate(groups):
            rows = [r for r in found["groups"] if r["group"] == group]
            clean = next(r for r in rows if r["kind"] == "none")
            own = [clean, *(r for r in rows if r["kind"] == kind)]
            x = [r["level"] for r in own]
            colour = light(class_color(place))
            ax.plot(x, [100 * r["mean"] for r in own], _STYLES[place // 8 % 4], color=colour,
                    marker="o", markersize=3.5, label=plain(group, 40))  # fmt: skip
            if any(r["p95"] > r["p5"] for r in own):
                ax.fill_between(x, [100 * r["p5"] for r in own], [100 * r["p95"] for r in own],
                                color=colour, alpha=0.13, linewidth=0)  # fmt: skip
        ax.set(xlabel=_AXES[kind], ylabel="balanced accuracy (%)", xlim=(0, None))
        ax.set_title(KINDS[kind])
        fig.legend(loc="outside lower center", ncols=2 if len(groups) > 1 else 1, fontsize=9)
        svg = render(fig, f"robust-{kind}", KINDS[kind])
    return Figure(svg, _LEADS[kind])


def _group_table(found: Facts, kind: str) -> Table:
    unit = "%" if kind == "percent" else "units"
    heads = (
        Column("Networks"), Column(f"Level ({unit})", True),
        *columns("#Runs | #Draws | #Undisturbed | #Mean | 95 % interval | #5th percentile | #Worst "
                 "draw | #Lost, mean (points) | #Lost, 5th percentile | #Worst run lost, mean"),
    )  # fmt: skip
    rows = tuple(
        (
            text(r["group"]), figure(r["level"], f"{r['level']:g}"),
            *(figure(r[key], count(r[key])) for key in ("runs", "draws")),
            *(figure(r[key], percent(r[key])) for key in ("clean", "mean")),
            text(f"{percent(r['mean_low'])} to {percent(r['mean_high'])}"
                 if is_number(r["mean_low"]) else None),
            *(figure(r[key], percent(r[key])) for key in ("p5", "worst")),
            *(figure(r[key], fixed(r[key], 2)) for key in
              ("lost_mean_points", "lost_p5_points", "worst_run_lost_mean_points")),
        )
        for r in found["groups"] if r["kind"] == kind
    )  # fmt: skip
    note = "The interval of the mean is over runs (Student's t); one run has none."
    return Table(KINDS[kind], heads, rows, note=note)


def _run_table(found: Facts) -> Table:
    heads = columns(
        "Run | Disturbance | #Level | #Draws | #Undisturbed | #Mean | #5th percentile | #Worst | "
        "#Lost, mean (points) | #Lost, 5th percentile"
    )
    rows = tuple(
        (
            text(r["run"]), text(KINDS[r["kind"]]), figure(r["level"], number(r["level"], 3)),
            figure(r["draws"], count(r["draws"])),
            *(figure(r[key], percent(r[key])) for key in ("clean", "mean", "p5", "worst")),
            *(figure(r[key], fixed(r[key], 2)) for key in ("lost_mean_points", "lost_p5_points")),
        )
        for r in found["runs"] if r["kind"] in KINDS
    )  # fmt: skip
    return Table("Every run", heads, rows, folded=len(rows) > 26)


def _provenance(found: Facts) -> Table:
    leaves = flatten({"asked": found["asked"], **found["provenance"]})
    networks = [
        (s["run"], f"{s['cell']}, d = {s['state_dim']}, {s['layers']} layers, {s['parameters']} "
         f"parameters, seed {s['seed']}: {s['task']}")
        for s in found["subjects"]
    ]  # fmt: skip
    rows = tuple((text(key), text(value)) for key, value in (*networks, *leaves) if key)
    return Table("Networks, levels, versions", columns("Key | Value"), rows)
