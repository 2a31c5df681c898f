"""The batched engine before its judge: ngspice's verdict, and every sample both simulated."""

from typing import Any

import pandas as pd

from codesign.report.judged import Judged
from codesign.report.page import Badge, Cell, Section, Table, columns, figure, text
from codesign.report.rundata import RunData
from codesign.report.style import count, is_number, percent, quantity

_STRATA = {
    "nominal": "nominal chip",
    "random": "random",
    "closest": "closest to a flip",
}


def engine_section(data: RunData) -> Section | None:
    """None where no plan was simulated by the batched engine."""
    plans = data.judged
    if not plans:
        return None
    return Section(
        key="engine",
        title="Batched engine",
        badge=_badge([str(plan.summary.get("judge_verdict")) for plan in plans]),
        lead=" ".join(_sentence(plan) for plan in plans),
        tables=tuple(table for plan in plans for table in _tables(data, plan)),
        notes=(
            "The judge simulates some samples of every batched run again in ngspice, with the "
            "same mismatch draws: the nominal chip, the samples whose decision is closest to a "
            "flip, and others at random. A state that differs is marginal when a change of one "
            "mirror's current by 0.5 % makes the engine decide as ngspice did; any other fails "
            "the run. Candidate error: rms, of the rms current, where the states of the layers "
            "below agree.",
        ),
    )


def _badge(verdicts: list[str]) -> Badge:
    if "fail" in verdicts:
        return Badge(False, "Contradicted by ngspice")
    if set(verdicts) == {"pass"}:
        return Badge(True, "Confirmed by ngspice")
    return Badge(None, "Checked in part" if "pass" in verdicts else "Not checked")


def _failed(plan: Judged) -> bool:
    return bool(plan.summary.get("judge_verdict") == "fail")


def _sentence(plan: Judged) -> str:
    s = plan.summary
    what = f"Plan '{plan.plan}', {count(s.get('samples_total'))} samples"
    if s.get("judge_verdict") == "skipped":
        return f"{what}: not checked against ngspice (--judge 0), so nothing vouches for it."
    if _failed(plan):
        reasons = "; ".join(str(reason) for reason in s.get("judge_reasons") or ())
        return f"{what}: ngspice contradicts the engine ({reasons})."
    return (
        f"{what}: {count(s.get('judge_samples_compared'))} of them agree with ngspice, candidates "
        f"within {percent(s.get('judge_candidate_error_rms_relative'), 3)} rms, "
        f"{count(s.get('judge_states_differing'))} of {count(s.get('judge_states_compared'))} "
        f"states different, power within {percent(s.get('judge_power_error_relative_max'), 3)}."
    )


def _tables(data: RunData, plan: Judged) -> list[Table]:
    if plan.rows is None:
        return []
    rows = [_row(data, row) for _, row in plan.rows.iterrows()]
    return [
        Table(
            f"Plan '{plan.plan}': samples in both engines",
            columns(
                "Chosen as | #Sample | #Chip | Clip | #Candidate error | #States that differ | "
                "#Power error | Decision | #ngspice | #batched"
            ),
            tuple(rows),
        )
    ]


def _row(data: RunData, row: "pd.Series[Any]") -> tuple[Cell, ...]:
    def value(name: str) -> float:
        return float(row[name]) if is_number(row.get(name)) else float("nan")

    sample = value("sample")
    names = (
        text(_STRATA.get(str(row["stratum"]), row["stratum"])),
        figure(sample if sample >= 0 else None, str(row["sample"])),
        figure(value("chip"), str(row["chip"])),
        text(row["clip_id"]),
    )
    times = tuple(figure(value(key), quantity(value(key), "s")) for key in
                  ("wall_ngspice_s", "wall_batched_s"))  # fmt: skip
    ended = [str(row[f"status_{engine}"]) for engine in ("ngspice", "batched")]
    if ended != ["ok", "ok"]:
        named = zip(ended, ("ngspice", "batched"), strict=True)
        bad = [f"{end} in {engine}" for end, engine in named if end != "ok"]
        said = f"✗ {', '.join(bad)}".replace("_", " ")
        return (*names, *[Cell("–", "")] * 3, text(said, "bad"), *times)
    relative = value("candidate_error_rms_a") / value("candidate_rms_a")
    power = value("power_error_relative")
    differ, marginal = int(value("states_differing")), int(value("states_marginal"))
    states = count(differ) + (f", {count(marginal)} marginal" if differ else "")
    decisions = [data.class_name(row[f"decision_{engine}"]) for engine in ("ngspice", "batched")]
    same = decisions[0] == decisions[1]
    return (
        *names,
        figure(relative, percent(relative, 3)),
        figure(differ, states, "bad" if differ > marginal else ""),
        figure(power, percent(power, 3)),
        text(f"✓ {decisions[0]}" if same else f"✗ {decisions[0]}, batched {decisions[1]}",
             "good" if same else "bad"),
        *times,
    )  # fmt: skip
