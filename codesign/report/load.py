"""Reading a run folder for the report: whatever stages exist, each checked before it is used.

A stage that was not run is None. A stage that was run but lacks a file, or holds one that cannot
be read, is an InputError that names the file and the command that makes it.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from codesign.errors import InputError
from codesign.files import read_json
from codesign.report.corners import CORNERS_PLAN, Corners, read_corners
from codesign.report.judged import judged_plans
from codesign.report.reading import clean, read_object, read_table
from codesign.report.rundata import Design, RunData, Simulation
from codesign.runs import Run

_SIMULATE = "codesign simulate"
_EXPORT = "codesign export-netlist"
_TRAIN = "codesign train"

_SAMPLES = (
    "sample clip_id status message log label twin_decision chip_decision agree twin_margin_units "
    "near_tie explanation mean_power_w mean_power_cells_w mean_power_feedforward_w "
    "mean_power_bias_w mean_power_strobe_w energy_j"
)
_STATES = (
    "sample frame layer unit twin_candidate_units chip_candidate_units twin_state_units "
    "chip_state_units twin_active chip_active changed agree cause"
)
_LOGITS = "sample frame class_index twin_logit_units chip_logit_units"
_MAPPING = (
    "parameter index software_value instance role device w_m l_m m bias_current_a "
    "expected_value relative_error note"
)
_HISTORY = "start step eps train_loss validation_loss validation_accuracy model"
_UNITS = "layer unit pairs differing changed changed_agreeing error_square_sum_units2"
_HYSTERESIS = "direction input_a output_a"


def load_run(run: Run, plan: str = "nominal") -> RunData:
    """Read the stages of ``run`` that exist; ``plan`` names the simulation plan.

    Raises InputError for a run that was not trained, a stage with a missing or unreadable file,
    and a plan other than "nominal" that does not exist.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.\-]*", plan):
        raise InputError(
            f"'{plan}' is not the name of a simulation plan; use a name under {run.path}/sim."
        )
    if plan == CORNERS_PLAN:
        raise InputError(
            f"The points of '{_SIMULATE} --corners' are a section of every page; leave --plan out."
        )
    notices: list[str] = []
    flow = run.flow()
    provenance = read_object(run.provenance_file, "provenance", _TRAIN)
    model = read_object(run.model_file, "model description", _TRAIN)
    metrics, history = _training(run, notices)
    return RunData(
        run=run,
        flow=flow,
        provenance=provenance,
        model=model,
        metrics=metrics,
        history=history,
        design=_design(run, str(model.get("cell")), notices),
        simulation=_simulation(run, plan, notices),
        judged=judged_plans(run),
        corners=_corners(run, notices),
        notices=tuple(notices),
    )


def _training(run: Run, notices: list[str]) -> tuple[dict[str, Any], pd.DataFrame]:
    """Metrics and history; empty for a model that came from elsewhere and was mapped here."""
    files = (run.metrics_file, run.history_file)
    if run.design_dir.is_dir() and not any(path.is_file() for path in files):
        notices.append(
            f"The model was not trained here: {run.metrics_file.name} and "
            f"{run.history_file.name} are missing."
        )
        return {}, pd.DataFrame(columns=_HISTORY.split())
    return (
        read_object(run.metrics_file, "training metrics", _TRAIN),
        read_table(run.history_file, _HISTORY, "training history", _TRAIN),
    )


def _design(run: Run, cell: str, notices: list[str]) -> Design | None:
    names = ("design.json", "mapping.csv")
    if not any((run.design_dir / name).is_file() for name in names):
        notices.append(
            f"No design yet: '{_EXPORT} {run.path}' maps the network to devices."
            if cell == "fq_bmru"
            else f"Only fq_bmru networks have a circuit; this one, of {cell} cells, is a baseline."
        )
        return None
    info = read_object(run.design_dir / "design.json", "the design", _EXPORT)
    weights = info.get("weights_sha256")
    if weights and run.weights_file.is_file() and weights != _sha256(run.weights_file):
        notices.append(
            "The design was made from other weights than the run holds now, so training and "
            f"hardware below do not belong together: '{_EXPORT} {run.path}' makes it again."
        )
    # Of a process that is not silicon, the page must say so before any figure.
    notices += [str(said)] if (said := (info.get("pdk") or {}).get("notice")) else []
    return Design(
        info=info,
        mapping=read_table(
            run.design_dir / "mapping.csv", _MAPPING, "parameter-to-device table", _EXPORT
        ),
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _simulation(run: Run, plan: str, notices: list[str]) -> Simulation | None:
    folder = run.sim_dir(plan)
    summary_file = folder / "summary.json"
    if not summary_file.is_file():
        if plan != "nominal":
            raise InputError(
                f"{summary_file} (results of plan '{plan}') is missing; "
                f"plans of this run: {', '.join(_plans(run)) or 'none'}."
            )
        if folder.is_dir():
            notices.append(f"The simulation did not finish: '{_SIMULATE} {run.path}' continues it.")
        elif (run.design_dir / "design.json").is_file():
            notices.append(f"No simulation yet: '{_SIMULATE} {run.path}' runs the transistors.")
        others = [f"'codesign report --plan {name} {run.path}'" for name in _plans(run)]
        if others:
            notices.append(f"Other plans were simulated: {', '.join(others)} shows them.")
        return None
    summary = read_object(summary_file, "simulation summary", _SIMULATE)
    settings = _optional_json(folder / "plan.json", "simulation plan")
    if _other_circuit(run, settings):
        notices.append(
            "The simulation below was of another circuit than the design is now: "
            f"'{_SIMULATE} {run.path}' simulates this one."
        )
    samples = read_table(folder / "samples.parquet", _SAMPLES, "simulated samples", _SIMULATE)
    samples = samples.sort_values("sample", kind="stable").reset_index(drop=True)
    for flag in ("agree", "near_tie"):
        # Missing where a sample failed; those are told apart by their status.
        samples[flag] = [bool(value) for value in samples[flag].astype(object).fillna(False)]
    some_ok = bool((samples["status"] == "ok").any())
    return Simulation(
        plan=plan,
        folder=folder,
        summary=summary,
        settings=settings,
        samples=samples,
        states=_results(folder / "states.parquet", _STATES, "cell states", some_ok),
        logits=_results(folder / "logits.parquet", _LOGITS, "logits", some_ok),
        hysteresis=_hysteresis(folder),
        cells=_cells(folder / "cells.json"),
        waves=_waves(
            folder / ("waves_batched" if summary.get("engine") == "batched" else "waves"),
            samples.loc[samples["status"] == "ok", "sample"].tolist(),
        ),
        units=_units(folder / "units.parquet") if some_ok else None,
    )


def _corners(run: Run, notices: list[str]) -> Corners | None:
    found = read_corners(run)
    if found is not None and _other_circuit(run, found.settings):
        notices.append(
            "The points of the process below are of another circuit than the design is now: "
            f"'{_SIMULATE} --corners {run.path}' simulates this one."
        )
    return found


def _other_circuit(run: Run, settings: dict[str, Any]) -> bool:
    """Whether the simulated circuit, named by its digest, is no longer the one in design/."""
    simulated = settings.get("design") or settings.get("digest")
    if not simulated or not (run.design_dir / "network.cir").is_file():
        return False
    # Late: these rooms import torch, which a report of a trained run can do without.
    from codesign.mapping.exported import load_exported
    from codesign.simulation.plan import design_digest

    try:
        exported = load_exported(run)
    except InputError:  # a design of other weights, which has its own notice
        return False
    return design_digest(exported) != str(simulated)


def _results(path: Path, columns: str, what: str, needed: bool) -> pd.DataFrame:
    """A per-frame table; where every sample failed it may be missing or empty."""
    if not needed:
        return pd.DataFrame(columns=columns.split())
    table = read_table(path, columns, what, _SIMULATE)
    flags = [name for name in ("agree", "changed", "twin_active", "chip_active") if name in table]
    return table.astype(dict.fromkeys(flags, bool))


def _hysteresis(folder: Path) -> tuple[pd.DataFrame, dict[str, Any]] | None:
    table, info = folder / "hysteresis.parquet", folder / "hysteresis.json"
    if not table.is_file() and not info.is_file():
        return None
    return (
        read_table(table, _HYSTERESIS, "hysteresis sweep", _SIMULATE),
        read_object(info, "hysteresis thresholds", _SIMULATE),
    )


def _cells(path: Path) -> tuple[dict[str, Any], ...]:
    if not path.is_file():
        return ()
    value = clean(read_json(path, "measured cells"))
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise InputError(
            f"{path} (measured cells) should hold a list of cells. Make it again with "
            f"'{_SIMULATE}'."
        )
    return tuple(value)


def _units(path: Path) -> pd.DataFrame | None:
    return read_table(path, _UNITS, "states by unit", _SIMULATE) if path.is_file() else None


def _optional_json(path: Path, what: str) -> dict[str, Any]:
    return read_object(path, what, _SIMULATE) if path.is_file() else {}


def _waves(folder: Path, samples: Sequence[int]) -> dict[int, Path]:
    paths = {int(n): folder / f"sample-{int(n):05d}.parquet" for n in samples}
    return {n: path for n, path in paths.items() if path.is_file()}


def _plans(run: Run) -> list[str]:
    found = (path.parent.name for path in (run.path / "sim").glob("*/summary.json"))
    return sorted(name for name in found if name != CORNERS_PLAN)
