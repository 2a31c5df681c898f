"""Assembling ``characterization.html`` from the tables and facts of a characterisation."""

from pathlib import Path
from typing import Any

from codesign.device.characterization_files import Stored
from codesign.files import write_text
from codesign.report.build import render_document
from codesign.report.characterization.cells import cells_section
from codesign.report.characterization.dynamics import leakage_section, time_section
from codesign.report.characterization.mirrors import mirror_section, range_section, ratio_section
from codesign.report.characterization.spread import mismatch_section, noise_section
from codesign.report.characterization.verdict import characterization_verdict
from codesign.report.page import Section, Table, columns, text
from codesign.report.reading import flatten
from codesign.report.style import number, quantity


def build_characterization(folder: Path, stored: Stored) -> Path:
    """Write characterization.html into ``folder`` and return its path."""
    path = folder / "characterization.html"
    write_text(path, render_characterization(stored))
    return path


def render_characterization(stored: Stored) -> str:
    """The page as one self-contained HTML document; the same data give the same bytes."""
    hardware = stored.facts["conditions"]["hardware"]
    sections = [
        make(stored)
        for make in (
            ratio_section, cells_section, mirror_section, range_section, time_section,
            leakage_section, mismatch_section, noise_section, _provenance,
        )
    ]  # fmt: skip
    run = stored.facts["run"]
    title = f"Characterization: {hardware['pdk']}" + (f", cells of {run}" if run else "")
    return render_document(
        title,
        _facts(hardware),
        characterization_verdict(stored),
        sections,
        stored.facts["outside_range"],
    )


def _facts(hardware: dict[str, Any]) -> list[str]:
    um = {key: number(1e6 * hardware[key]) for key in hardware if key.endswith(("_w_m", "_l_m"))}
    return [
        f"corner {hardware['corner']}, {number(hardware['supply_v'])}\u00a0V, "
        f"{number(hardware['temperature_c'])}\u00a0°C",
        f"unit current {quantity(hardware['unit_current_a'], 'A')}, weights in "
        f"1/{hardware['weight_grid']}",
        f"unit device {um['unit_w_m']}/{um['unit_l_m']}\u00a0µm, cell mirrors "
        f"{um['cell_w_m']}/{um['cell_l_m']}\u00a0µm, {hardware['cell']} cell",
    ]


def _provenance(stored: Stored) -> Section:
    facts = stored.facts
    made = str(facts["provenance"].get("time_utc", "")).replace("T", " ").replace("+00:00", " UTC")
    return Section(
        key="provenance",
        title="Provenance",
        lead=f"Written {made} with {facts['conditions']['ngspice']}; hash {facts['hash'][:16]}.",
        tables=(
            _values("Conditions", facts["conditions"]),
            _values("Where and with what", facts["provenance"]),
            _values("Every figure of characterization.json", facts["figures"]),
        ),
    )


def _values(title: str, values: dict[str, Any]) -> Table:
    rows = tuple(
        (text(key), text(f"{value:.6g}" if isinstance(value, float) else value))
        for key, value in flatten(values)
        if key
    )
    return Table(title, columns("Key | Value"), rows, folded=len(rows) > 26)
