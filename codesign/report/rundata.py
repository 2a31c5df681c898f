"""What a report is made from: a run folder as read, each stage or None where it was not run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from codesign.flows import Flow
from codesign.report.corners import Corners
from codesign.report.judged import Judged
from codesign.runs import Run


@dataclass(frozen=True)
class Design:
    """The mapped hardware: design.json and the table of parameters and devices."""

    info: dict[str, Any]
    mapping: pd.DataFrame


@dataclass(frozen=True)
class Simulation:
    """One simulation plan: headline figures and per-sample tables.

    ``waves`` maps a sample to its waveform file; ``hysteresis`` is the sweep of one cell with
    its programmed and measured values, or None where it was not recorded; ``cells`` holds such
    values of every cell that was measured; ``units`` holds sums over all states by unit.
    """

    plan: str
    folder: Path
    summary: dict[str, Any]
    settings: dict[str, Any]
    samples: pd.DataFrame
    states: pd.DataFrame
    logits: pd.DataFrame
    hysteresis: tuple[pd.DataFrame, dict[str, Any]] | None
    cells: tuple[dict[str, Any], ...]
    waves: dict[int, Path]
    units: pd.DataFrame | None = None

    @property
    def partial(self) -> bool:
        """Whether ``states`` and ``logits`` hold what differs alone, as for large plans."""
        return str(self.summary.get("states_in_table", "all")) != "all"

    @property
    def ok(self) -> pd.DataFrame:
        """The samples that ended well."""
        return self.samples[self.samples["status"] == "ok"]


@dataclass(frozen=True)
class RunData:
    """Everything the page is made of. ``notices`` are said at the top of the page."""

    run: Run
    flow: Flow
    provenance: dict[str, Any]
    model: dict[str, Any]
    metrics: dict[str, Any]
    history: pd.DataFrame
    design: Design | None
    simulation: Simulation | None
    judged: tuple[Judged, ...]
    notices: tuple[str, ...]
    corners: Corners | None = None

    @property
    def hardware(self) -> dict[str, Any]:
        """The hardware specification: the design's own, else what the flow asks for."""
        made = self.design.info.get("hardware") if self.design is not None else None
        return {**self.flow.hardware.model_dump(), **(made or {})}

    @property
    def class_names(self) -> tuple[str, ...]:
        names = self.metrics.get("class_names") or self.model.get("class_names") or ()
        return tuple(str(name) for name in names)

    def class_name(self, index: Any) -> str:
        """Name of a class given by index (or by name, or missing)."""
        if index is None or pd.isna(index):
            return "–"
        if isinstance(index, str) and not index.isdecimal():
            return index
        names = self.class_names
        return names[int(index)] if 0 <= int(index) < len(names) else str(int(index))
