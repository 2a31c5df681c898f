"""The page that shows one network in several processes: a column for each."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from codesign.files import write_text
from codesign.report.build import render_document
from codesign.report.page import Card, Cell, Column, Figure, Section, Share, Table, columns, text
from codesign.report.process_figures import mismatch_figure, power_figure, residual_figure
from codesign.report.sections.verdict import Verdict
from codesign.report.style import BLOCKS, MISSING, area, count, is_number, number, percent, quantity

Facts = Mapping[str, Any]
Row = tuple[str, Callable[[Facts], str]]


def _percent(key: str, decimals: int = 2) -> Callable[[Facts], str]:
    return lambda f: percent(f.get(key), decimals)


def _quantity(key: str, unit: str) -> Callable[[Facts], str]:
    return lambda f: quantity(f.get(key), unit)


def _pair(key: str, shown: Callable[[Any], str]) -> Callable[[Facts], str]:
    """An N and a P value."""
    return lambda f: f"{shown(f.get(key.format('n')))}, {shown(f.get(key.format('p')))}"


def _spread(key: str) -> Callable[[Facts], str]:
    return lambda f: f"{percent(f.get(f'{key}_rms'), 2)} ({percent(f.get(f'{key}_max'), 2)})"


def _of(part: str, whole: str) -> Callable[[Facts], str]:
    return lambda f: f"{count(f.get(part))} of {count(f.get(whole))}"


def _states(facts: Facts) -> str:
    return f"{percent(facts.get('state_agreement'), 2)} of {count(facts.get('state_count'))}"


def _changed(facts: Facts) -> str:
    whole = count(facts.get("state_changed_count"))
    return f"{percent(facts.get('state_agreement_changed'), 2)} of {whole}"


def _logits(facts: Facts) -> str:
    error, scale = facts.get("logit_error_rms_units"), facts.get("logit_full_scale_units")
    if not is_number(error) or not is_number(scale) or not scale:
        return MISSING
    return percent(error / scale, 2)


def _hardware(key: str, unit: str) -> Callable[[Facts], str]:
    return lambda f: quantity((f.get("hardware") or {}).get(key), unit)


def _size(device: str) -> Callable[[Facts], str]:
    def shown(facts: Facts) -> str:
        hardware = facts.get("hardware") or {}
        sizes = (hardware.get(f"{device}_{side}_m") for side in "wl")
        return " / ".join(f"{number(1e6 * float(side or 0))} µm" for side in sizes)

    return shown


GROUPS: tuple[tuple[str, str, tuple[Row, ...]], ...] = (
    (
        "Agreement with the ideal twin",
        "The same clips in each process. States: of every unit and frame. Candidates: where the "
        "states of the layers below agree. Logits: rms error of the twin's full scale.",
        (
            ("Decisions equal", _of("decisions_agreeing", "samples_ok")),
            ("States equal", _states),
            ("States that change, equal", _changed),
            (
                "Candidate error, rms",
                lambda f: f"{number(f.get('candidate_error_rms_units_same_states_below'))} units",
            ),
            ("Logit error, rms", _logits),
            ("Accuracy of the transistors", _percent("chip_accuracy", 1)),
        ),
    ),
    (
        "Programmed against realised",
        "Rms over all cells or weights, the worst in brackets, relative. Thresholds and gains are "
        "measured in ngspice on the cells of the design, with their bias mirrors; weights are "
        "what the process's mirror calibration expects of the drawn devices.",
        (
            ("Upper threshold", _spread("cell_beta_hi_residual")),
            ("Lower threshold", _spread("cell_beta_lo_residual")),
            ("State current", _spread("cell_alpha_residual")),
            ("Weights", _spread("weight_error")),
            ("Not representable", lambda f: count(f.get("unrepresentable"))),
        ),
    ),
    (
        "Power and area",
        "Mean over the clips, from the supplies. Gate area alone, without wiring.",
        (
            ("Mean power", _quantity("mean_power_w", "W")),
            ("  recurrent cells", _quantity("mean_power_cells_w", "W")),
            ("  feed-forward", _quantity("mean_power_feedforward_w", "W")),
            ("  bias", _quantity("mean_power_bias_w", "W")),
            ("Energy per clip", _quantity("energy_per_clip_j", "J")),
            ("Transistors", lambda f: count(f.get("transistors"))),
            ("Gate area", lambda f: area(f.get("gate_area_m2"))),
        ),
    ),
    (
        "Devices (N, P)",
        "Gate drive of the unit line at one unit current, its sub-threshold slope factor, and the "
        "off current of a switch, measured in ngspice. Sigma of one mirror branch in weak "
        "inversion by the process's matching law.",
        (
            ("Supply", _hardware("supply_v", "V")),
            ("Unit device", _size("unit")),
            ("Cell device", _size("cell")),
            ("Gate drive", _pair("vgs_{}_v", lambda v: quantity(v, "V"))),
            ("Slope factor", _pair("slope_factor_{}", number)),
            ("Switch off", _pair("switch_off_{}_a", lambda v: quantity(v, "A"))),
            ("Sigma Vth, unit", _pair("sigma_vth_unit_{}_v", lambda v: quantity(v, "V"))),
            ("Sigma I, unit", _pair("sigma_current_unit_{}", lambda v: percent(v, 2))),
            ("Sigma I, cell", _pair("sigma_current_cell_{}", lambda v: percent(v, 2))),
        ),
    ),
)


def build_processes_page(folder: Path, summary: Mapping[str, Any]) -> Path:
    """Write ``index.html`` beside the summary of a comparison and return its path."""
    path = folder / "index.html"
    write_text(path, render_processes(summary))
    return path


def render_processes(summary: Mapping[str, Any]) -> str:
    """The page of a comparison (``codesign.simulation.processes``) as one HTML document."""
    processes: Mapping[str, Facts] = summary["processes"]
    done = {name: facts for name, facts in processes.items() if "failed" not in facts}
    facts = [
        f"FQ-BMRU network, d = {summary['state_dim']}, {summary['layers']} recurrent layers",
        f"{len(summary['class_names'])} classes",
        ", ".join(processes),
    ]
    notices = [f"{name} failed: {f['failed']}" for name, f in processes.items() if "failed" in f]
    notices += [f["notice"] for f in processes.values() if f.get("notice")]
    notices += [
        f"{name} was left out: its models are not on this machine." for name in summary["missing"]
    ]
    title = f"{summary['run']} in {len(processes)} processes"
    return render_document(title, facts, _verdict(processes), _sections(processes, done), notices)


def _verdict(processes: Mapping[str, Facts]) -> Verdict:
    cards = tuple(_card(name, facts) for name, facts in processes.items())
    kept = [
        name for name, f in processes.items()
        if f.get("samples_ok") and f["decisions_agreeing"] == f["samples_total"]
    ]  # fmt: skip
    passed = len(kept) == len(processes)
    return Verdict(
        f"The same network, mapped for each process by that process's own calibration, decides as "
        f"the software twin on every clip in {len(kept)} of {len(processes)} processes.",
        passed,
        "Same decisions everywhere" if passed else f"{len(processes) - len(kept)} differ",
        cards,
    )


def _card(name: str, facts: Facts) -> Card:
    if "failed" in facts:
        return Card(name, MISSING, "", "could not be built or simulated", "", "missed")
    all_agree = facts["decisions_agreeing"] == facts["samples_total"]
    parts = [(block, facts.get(f"mean_power_{block}_w")) for block in BLOCKS]
    total = sum(value for _, value in parts if is_number(value))
    split = tuple(
        Share(BLOCKS[block], quantity(value, "W"), value / total, block)
        for block, value in parts
        if is_number(value) and total > 0
    )
    return Card(
        name, f"{count(facts['decisions_agreeing'])} of {count(facts['samples_total'])}",
        "decisions",
        f"{percent(facts.get('state_agreement'), 2)} of states, {quantity(total, 'W')}, "
        f"{area(facts.get('gate_area_m2'))}",
        "every decision the twin's", "met" if all_agree else "missed", split,
    )  # fmt: skip


def _sections(processes: Mapping[str, Facts], done: Mapping[str, Facts]) -> list[Section]:
    figures: tuple[Figure, ...] = ()
    if done:
        figures = (power_figure(done), residual_figure(done), mismatch_figure(done))
    tables = [_table(title, note, rows, done) for title, note, rows in GROUPS] if done else []
    # The third figure leaves half a line free; the narrowest table fills it.
    beside = tables.pop(2) if done else None
    return [
        Section(
            key="processes", title="Side by side",
            lead="One column for each process; every figure is of the same weights and clips.",
            figures=figures, beside=beside, tables=tuple(tables),
        ),
        Section(
            key="models", title="Process models",
            lead="Where the models came from and what of the hardware specification had to change.",
            tables=(_models(processes),),
        ),
    ]  # fmt: skip


def _table(title: str, note: str, rows: tuple[Row, ...], done: Mapping[str, Facts]) -> Table:
    heads = (Column(""), *(Column(name, numeric=True) for name in done))
    body = tuple(
        (text(label.strip()), *(Cell(shown(facts)) for facts in done.values()))
        for label, shown in rows
    )
    return Table(title, heads, body, note=note)


def _models(processes: Mapping[str, Facts]) -> Table:
    return Table(
        "Models",
        columns("Process | Title | Models from | SHA-256 | Changed for this process | Result"),
        tuple(
            (
                text(name), text(f["title"]), text(f["source"]), text(f["sha256"][:16]),
                text("; ".join(f.get("changed") or ()) or "nothing"),
                text(f.get("failed", "done"), "bad" if "failed" in f else ""),
            )
            for name, f in processes.items()
        ),
    )  # fmt: skip


def table_text(summary: Mapping[str, Any]) -> str:
    """The same table for a terminal."""
    done = {name: f for name, f in summary["processes"].items() if "failed" not in f}
    lines = [f"{'':28}" + "".join(f"{name:>28}" for name in done)]
    for title, _, rows in GROUPS:
        lines.append(title)
        for label, shown in rows:
            cells = (shown(facts).replace("\u202f", " ") for facts in done.values())
            lines.append(f"  {label:<26}" + "".join(f"{cell:>28}" for cell in cells))
    return "\n".join(lines)
