"""The same trained network in several processes, side by side.

Each process gets a run folder of its own, RUN/pdks/<name>: the same weights and test clips, the
hardware specification as that process can take it (``codesign.device.suited``), its own
calibration and design, its own simulation of the same clips. So every other command works on it.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from codesign.analysis.processes import (
    MAPPED,
    SIMULATED,
    cell_residuals,
    mirror_sigmas,
    weight_errors,
)
from codesign.checkpoint import load_chip_model
from codesign.circuit.export import export_design
from codesign.device.suited import suited
from codesign.doctor.models import THERMAL_V, check_models
from codesign.errors import CodesignError, EnvironmentMissing
from codesign.files import read_json, unwritable, write_json, write_text
from codesign.flows import HardwareSection, dump_flow
from codesign.pdk import Pdk, find_pdk
from codesign.runs import Run
from codesign.simulation.run import Options, Progress, simulate
from codesign.spice.ngspice import find_ngspice

SCHEMA = 1
PROCESSES = ("gf180mcu", "sky130", "generic180")

Say = Callable[[str], None]


def processes_dir(run: Run) -> Path:
    """Where a run's designs in other processes and their comparison are kept."""
    return run.path / "pdks"


def compare_processes(
    run: Run,
    names: Sequence[str] | None,
    hardware: HardwareSection,
    options: Options,
    progress: Progress = lambda *_: None,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """Map and simulate the network of ``run`` in each process; write and return the summary.

    ``names`` None takes ``PROCESSES`` and lists those whose models are not on this machine under
    ``missing``; a process named by the caller must be there (EnvironmentMissing). A process in
    which the network cannot be built or simulated is a result: its entry has ``failed`` with the
    reason. Writes ``pdks/<name>`` and ``pdks/summary.json`` in the run folder.
    """
    model = load_chip_model(run)
    find_ngspice()
    found: dict[str, Pdk] = {}
    missing: dict[str, str] = {}
    for name in dict.fromkeys(names or PROCESSES):
        try:
            found[name] = find_pdk(name, options.pdk_root)
        except EnvironmentMissing as error:
            if names is not None:
                raise
            missing[name] = str(error)
            say(f"{name}: no models on this machine; left out")
    processes: dict[str, dict[str, Any]] = {}
    for name, pdk in found.items():
        say(f"{name}: {pdk.title}")
        facts: dict[str, Any] = {
            "title": pdk.title, "source": pdk.source, "sha256": pdk.sha256, "notice": pdk.notice,
        }  # fmt: skip
        try:
            specified, changed = suited(hardware, pdk)
            for line in changed:
                say(f"  {line}")
            facts |= {"changed": list(changed), "hardware": specified.model_dump()}
            copy = _copy(run, name, specified)
            export_design(copy, specified, options.pdk_root)
            simulate(copy, replace(options, chips=None), progress, say)
            processes[name] = facts | _figures(copy, pdk, specified)
        except CodesignError as error:
            say(f"  failed: {error}")
            processes[name] = facts | {"failed": str(error)}
    summary = {
        "schema": SCHEMA,
        "run": run.path.resolve().name,
        "state_dim": model.state_dim,
        "layers": model.layers,
        "class_names": list(model.class_names),
        "processes": processes,
        "missing": missing,
    }
    write_json(processes_dir(run) / "summary.json", summary)
    return summary


def _copy(run: Run, name: str, hardware: HardwareSection) -> Run:
    """A run folder with the same network, made or refreshed; finished samples stay."""
    copy = Run(processes_dir(run) / name)
    try:
        copy.path.mkdir(parents=True, exist_ok=True)
        for file in run.path.iterdir():
            if file.is_file() and not file.name.startswith("."):
                shutil.copyfile(file, copy.path / file.name)
    except OSError as error:
        raise unwritable(copy.path, error) from error
    flow = run.flow().model_copy(update={"hardware": hardware})
    write_text(copy.flow_file, dump_flow(flow))
    return copy


def _figures(copy: Run, pdk: Pdk, hardware: HardwareSection) -> dict[str, Any]:
    """Everything the table says of one process."""
    folder = copy.sim_dir()
    simulated: Mapping[str, Any] = read_json(folder / "summary.json", "the simulation's summary")
    design: Mapping[str, Any] = read_json(copy.design_dir / "design.json", "the design")
    cells = read_json(folder / "cells.json", "the measured cells")
    checks = check_models(find_ngspice(), pdk, hardware.corner, hardware)
    volts = {check.polarity: check.slope_factor * THERMAL_V for check in checks}
    figures: dict[str, Any] = {key: simulated.get(key) for key in SIMULATED}
    figures |= {key: design.get(key) for key in MAPPED}
    figures["unrepresentable"] = len(design["unrepresentable"])
    figures |= cell_residuals(cells)
    figures |= weight_errors(pd.read_csv(copy.design_dir / "mapping.csv"))
    figures |= mirror_sigmas(hardware, pdk.mismatch, volts)
    for check, letter in zip(checks, "np", strict=True):
        figures |= {
            f"vgs_{letter}_v": check.vgs_v,
            f"slope_factor_{letter}": check.slope_factor,
            f"switch_off_{letter}_a": check.off_a,
        }
    return figures
