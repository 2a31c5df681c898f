"""Every sample that failed or had to be run again, by name; none is dropped."""

from typing import Any

import pandas as pd

from codesign.report.mismatch.data import Population
from codesign.report.page import ROWS_LISTED, Section, Table, columns, figure, text
from codesign.report.style import count, is_number, number, quantity


def samples_section(found: Population) -> Section:
    """Failed ones with status, seed and log; retried ones with what made them end well."""
    s, failed, total = found.summary, found.failed, len(found.samples)
    lead = f"All {count(total)} samples ended and gave all their outputs."
    if len(failed):
        ended = ", ".join(
            f"{count(n)} {str(name).replace('_', ' ')}"
            for name, n in failed["status"].value_counts().sort_index().items()
        )
        lead = (
            f"{count(len(failed))} of {count(total)} samples failed ({ended}). They count against "
            "votes and yield; means are over the others."
        )
    again = retried(found)
    if len(again):
        lead += f" {count(len(again))} were run more than once."
    tables = [_failed(found, failed)] if len(failed) else []
    if len(again):
        tables.append(_retried(found, again))
    return Section("samples", "Samples", lead, tables=tuple(tables), notes=_cost(s))


def retried(found: Population) -> pd.DataFrame:
    """Samples run more than once, with what they took; of tables that say so."""
    timings = found.more.get("timings")
    if timings is None or "attempts" not in timings:
        return found.samples.iloc[:0]
    again = timings[timings["attempts"] > 1]
    extra = [name for name in ("attempts", "wall_s") if name not in found.samples]
    return found.samples.merge(again[["sample", *extra]], on="sample")


def _cost(s: dict[str, Any]) -> tuple[str, ...]:
    said = []
    if is_number(s.get("seconds_per_sample")):
        said.append(f"{number(s['seconds_per_sample'])} s per sample")
    for name, what in (
        ("peak_memory_bytes", "the whole run held at most"),
        ("peak_memory_sample_bytes", "the largest simulator process held"),
    ):
        if is_number(s.get(name)):
            said.append(f"{what} {quantity(s[name], 'B')}")
    return (f"{'; '.join(said)}.",) if said else ()


def _failed(found: Population, failed: pd.DataFrame) -> Table:
    shown: Any = failed.head(ROWS_LISTED).itertuples()
    left = len(failed) - ROWS_LISTED
    return Table(
        f"Failed: {count(len(failed))} of {count(len(found.samples))}",
        columns("Sample | Corner | #Chip | Clip | Status | Message | #Seed | #Chip seed | Log"),
        tuple(
            (
                figure(row.sample, str(row.sample)), text(row.corner),
                figure(row.chip, str(row.chip)), text(row.clip_id),
                text(f"✗ {str(row.status).replace('_', ' ')}", "bad"), text(row.message),
                figure(row.seed, str(row.seed)), figure(row.chip_seed, str(row.chip_seed)),
                text(f"sim/{found.plan}/{row.log}" if row.log else None),
            )
            for row in shown
        ),
        note=f"{count(left)} more are in samples.parquet." if left > 0 else "",
    )  # fmt: skip


def _retried(found: Population, again: pd.DataFrame) -> Table:
    shown: Any = again.head(ROWS_LISTED).itertuples()
    left = len(again) - ROWS_LISTED
    return Table(
        f"Run more than once: {count(len(again))} of {count(len(found.samples))}",
        columns("Sample | #Chip | Clip | #Attempts | Ended | With | #Time"),
        tuple(
            (
                figure(row.sample, str(row.sample)), figure(row.chip, str(row.chip)),
                text(row.clip_id), figure(row.attempts, count(row.attempts)),
                text("✓ well", "good") if row.status == "ok"
                else text(f"✗ {str(row.status).replace('_', ' ')}", "bad"),
                text(getattr(row, "rung", None)), figure(row.wall_s, quantity(row.wall_s, "s")),
            )
            for row in shown
        ),
        note=f"{count(left)} more are in timings.parquet." if left > 0 else "",
        folded=len(again) > 40,
    )  # fmt: skip
