"""Where the result comes from: versions, hashes, seeds, settings; every value of the files."""

from typing import Any

from codesign.report.page import Section, Table, columns, text
from codesign.report.reading import flatten
from codesign.report.rundata import RunData
from codesign.report.style import MISSING


def provenance_section(data: RunData) -> Section:
    """Always present."""
    tables = [_table("Where and with what", data.provenance)]
    notes = (data.metrics.get("task") or {}).get("notes")
    if isinstance(notes, dict):
        tables.append(_table("The data", notes))
    if data.design is not None:
        tables.append(_table("Hardware specification", data.design.info.get("hardware") or {}))
        tables.append(_table("Process models", data.design.info.get("pdk") or {}))
    if data.simulation is not None:
        plan = f"Simulation plan '{data.simulation.plan}'"
        settings = data.simulation.settings
        # Each clip is in the table of samples.
        told = {k: len(v) if isinstance(v, list) else v for k, v in settings.items()}
        tables.append(_table(plan, told))
        tables.append(_table("Every figure of summary.json", data.simulation.summary))
    tables.append(_table("The flow, resolved", data.flow.model_dump(mode="json")))
    made = str(data.provenance.get("time_utc") or MISSING)
    made = made.replace("T", " ").replace("+00:00", " UTC")
    return Section(
        key="provenance",
        title="Provenance",
        lead=f"Trained {made} on {data.provenance.get('host', MISSING)}, seed "
        f"{data.provenance.get('seed', MISSING)}.",
        tables=tuple(tables),
    )


def _table(title: str, values: dict[str, Any], limit: int = 400) -> Table:
    leaves = flatten(values)
    return Table(
        title,
        columns("Key | Value"),
        tuple((text(key), text(_shown(value))) for key, value in leaves[:limit] if key),
        note=f"{len(leaves) - limit} more values in the file." if len(leaves) > limit else "",
        folded=len(leaves) > 26,
        empty="Not recorded.",
    )


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return str(value)
