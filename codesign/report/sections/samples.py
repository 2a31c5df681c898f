"""Every sample, failed ones first: a failed simulation is a result and is never dropped."""

from typing import Any

from codesign.report.page import ROWS_LISTED, Cell, Section, Table, columns, figure, text, unlisted
from codesign.report.rundata import RunData, Simulation
from codesign.report.style import count, fixed, is_number, number, quantity


def samples_section(data: RunData) -> Section | None:
    """None without a simulation."""
    sim = data.simulation
    if sim is None:
        return None
    failed = sim.samples[sim.samples["status"] != "ok"]
    lead = (
        f"{count(len(failed))} of {count(len(sim.samples))} simulations failed; each is listed "
        "with its message and log."
        if len(failed)
        else f"All {count(len(sim.samples))} simulations ended and gave all their outputs."
    )
    tables = [_failed(sim, failed)] if len(failed) else []
    tables.append(_all(data, sim))
    seconds = sim.summary.get("seconds_per_sample")
    notes = (f"{number(seconds)} s of simulation per sample.",) if is_number(seconds) else ()
    return Section("samples", "Samples", lead, tables=tuple(tables), notes=notes)


def _failed(sim: Simulation, failed: Any) -> Table:
    return Table(
        f"Failed: {len(failed)} of {len(sim.samples)}",
        columns("Sample | Clip | Status | Message | Log"),
        tuple(
            (
                figure(row.sample, str(row.sample)), text(row.clip_id),
                text(f"✗ {str(row.status).replace('_', ' ')}", "bad"), text(row.message),
                text(f"sim/{sim.plan}/{row.log}" if row.log else None),
            )
            for row in failed.head(ROWS_LISTED).itertuples()
        ),
        note=unlisted(len(failed)),
    )  # fmt: skip


def _all(data: RunData, sim: Simulation) -> Table:
    wrong = sim.states[~sim.states["agree"].astype(bool)].groupby("sample").size()
    rows: list[tuple[Cell, ...]] = []
    # Of very many, those that failed or differ are the ones to read about.
    first = sim.samples.assign(good=(sim.samples["status"] == "ok") & sim.samples["agree"])
    listed = first.sort_values("good", kind="stable") if len(first) > ROWS_LISTED else first
    for row in listed.head(ROWS_LISTED).itertuples():
        ok = row.status == "ok"
        differ = wrong.get(row.sample, 0)
        if not ok:
            state = text(f"✗ {str(row.status).replace('_', ' ')}", "bad")
        elif row.agree:
            state = text("✓ equal", "good")
        else:
            state = text("✗ differs", "bad")
        rows.append(
            (
                figure(row.sample, str(row.sample)), text(row.clip_id), state,
                text(data.class_name(row.label)), text(data.class_name(row.twin_decision)),
                text(data.class_name(row.chip_decision)),
                figure(row.twin_margin_units, fixed(row.twin_margin_units)),
                figure(differ, count(differ)) if ok else Cell("–", ""),
                figure(row.mean_power_w, quantity(row.mean_power_w, "W")),
                figure(row.energy_j, quantity(row.energy_j, "J")),
            )
        )  # fmt: skip
    return Table(
        "All samples" if len(rows) == len(sim.samples) else "Samples, those that differ first",
        columns(
            "Sample | Clip | Result | Label | Twin | Transistors | "
            "#Twin margin (units) | #States that differ | #Mean power | #Energy"
        ),
        tuple(rows),
        note=unlisted(len(sim.samples)),
        folded=len(rows) > 60,
    )
