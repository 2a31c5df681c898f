"""A stand-in for the batched engine: same interface, the network's equations inside.

A chip's currents are those of the software twin times a power of the chip's mean ``mulu0``: results
follow the draws, in no time, and some chips "fail".
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from codesign.checkpoint import load_model, model_parameters
from codesign.circuit.elements import Mosfet, flatten
from codesign.circuit.library import read_network
from codesign.device.bench import ProcessPoint
from codesign.errors import InputError
from codesign.mapping.exported import Exported
from codesign.rules import LAST_FRAME
from codesign.runs import Run
from codesign.simulation.draws import Draws
from codesign.twin.ideal import ideal_twin

Floats = NDArray[np.float64]

FRAME_S = 0.01


class UnsupportedDesign(InputError):  # noqa: N818 - reads as what happened
    """As codesign.engine.Unsupported."""


@dataclass(frozen=True)
class FakeResult:
    candidates_a: NDArray[np.float32]
    states_a: NDArray[np.float32]
    logits_a: NDArray[np.float32]
    power_w: Floats
    status: tuple[str, ...]
    message: tuple[str, ...]
    wall_s: float


@dataclass
class FakeEngine:
    """``calls`` keeps the size of every batch; samples of ``bad_seeds`` chips fail."""

    instances: tuple[str, ...]
    parameters: dict[str, Floats]
    unit_a: float
    key: str = "fake 1"
    calls: list[int] = field(default_factory=list)
    error: float = 0.0

    @classmethod
    def prepare(
        cls, exported: Exported, point: ProcessPoint, *, progress: Callable[[str], None]
    ) -> "FakeEngine":
        progress("preparing the fake")
        library = read_network(exported.folder, point.pdk.nmos, point.pdk.pmos)
        names = [d.name for d in flatten(library) if isinstance(d, Mosfet)]
        model = load_model(Run(exported.folder.parent))
        # Not the network's order: the engine's is its own.
        return cls(
            tuple(reversed(names)), model_parameters(model), exported.hardware.unit_current_a
        )

    def run(
        self, inputs_units: Floats, clip: NDArray[np.int64], draws: Draws | None,
        chip: NDArray[np.int64], *, threads: int, waves: int = 0,
    ) -> FakeResult:  # fmt: skip
        assert threads >= 1
        if not waves:
            self.calls.append(len(clip))
        twins = ideal_twin(self.parameters, inputs_units, LAST_FRAME)
        factor = np.ones(1) if draws is None else draws.mulu0.mean(axis=1) ** 100
        if draws is not None:
            assert draws.instances == self.instances
        scale = self.unit_a * factor[chip] * (1 + self.error)

        def of(name: str) -> NDArray[np.float32]:
            values = np.stack([getattr(twin, name) for twin in twins])[clip]
            return (values * scale.reshape(-1, *[1] * (values.ndim - 1))).astype(np.float32)

        failed = factor[chip] < 0.99
        return FakeResult(
            of("candidates"), of("states"), of("logits"),
            np.ones((len(clip), 3)) * scale[:, None],
            tuple("range" if bad else "ok" for bad in failed),
            tuple("a current left the fitted range" if bad else "" for bad in failed),
            0.01 * len(clip),
        )  # fmt: skip

    def waves_of(self, result: FakeResult, row: int) -> pd.DataFrame:
        return stepped_waves(result, row)


def stepped_waves(result: FakeResult, row: int) -> pd.DataFrame:
    """Waveforms in steps: every frame at its sampled value, v0 on the state's side."""
    layers, units, frames = result.candidates_a.shape[1:]
    columns: dict[str, Any] = {"time_s": (np.arange(20 * frames) + 1) / 20 * FRAME_S}
    for layer, unit in np.ndindex(layers, units):
        at = f"l{layer}.u{unit}"
        candidate, state = (
            np.repeat(values[row, layer, unit], 20)
            for values in (result.candidates_a, result.states_a)
        )
        columns[f"candidate.{at}_a"], columns[f"state.{at}_a"] = candidate, state
        columns[f"v0.{at}_v"] = np.where(state > 1e-10, 1.6, 0.0)
    return pd.DataFrame(columns)


def install(monkeypatch: pytest.MonkeyPatch, engine: Any = FakeEngine) -> list[Any]:
    """Put ``engine`` in the place of codesign.engine; returns the engines as they are prepared."""
    made: list[Any] = []
    module = ModuleType("codesign.engine")

    class Prepared:
        @classmethod
        def prepare(cls, *arguments: Any, **keywords: Any) -> Any:
            made.append(engine.prepare(*arguments, **keywords))
            return made[-1]

    module.__dict__.update(BatchedEngine=Prepared, Unsupported=UnsupportedDesign)
    monkeypatch.setitem(sys.modules, "codesign.engine", module)
    return made


def stamps(folder: Path) -> dict[str, int]:
    """When each file of a folder was written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
