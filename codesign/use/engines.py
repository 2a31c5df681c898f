"""Clips from anywhere through one of three engines: the software twin, or the transistors.

The transistors are simulated as by ``codesign simulate``, in a folder of their own under the run's
``sim``: finished clips are kept, an interrupted call is continued, and the results of the run's own
test clips stay as they are.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from codesign.checkpoint import Model
from codesign.decision import class_margins, compared, decide
from codesign.errors import InputError
from codesign.mapping.exported import load_exported
from codesign.network import evaluate
from codesign.rules import EVERY_FRAME
from codesign.runs import Run
from codesign.simulation.execution import Progress
from codesign.simulation.run import simulate
from codesign.simulation.setting import Given, Options
from codesign.simulation.traces import join, read_traces
from codesign.tasks.base import Split

Engine = Literal["twin", "batched", "ngspice"]
ENGINES: tuple[Engine, ...] = ("twin", "batched", "ngspice")
_CLIPS_AT_ONCE = 256
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Heard:
    """What an engine made of n clips, in units, values at the end of every frame.

    candidates, states (n, layers, units, frames), of cells without a circuit as wide as their
    own; logits (n, frames, classes); compared and margins
    (n, classes), what the decision rule tells classes apart by and how far each is from the
    decision (``codesign.decision``). decision (n,), -1 where a clip failed. Values of failed clips
    are NaN, and status and message say why.
    """

    status: tuple[str, ...]
    message: tuple[str, ...]
    candidates: Floats
    states: Floats
    logits: Floats
    compared: Floats
    margins: Floats
    decision: NDArray[np.int64]

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Which clips ended well, (n,)."""
        return np.array([status == "ok" for status in self.status], dtype=bool)


@dataclass(frozen=True)
class Effort:
    """How transistors are simulated; None takes the value of the run's flow.

    ``judge`` clips of a batched run are simulated again in ngspice.
    """

    jobs: int | None = None
    timeout_s: float | None = None
    judge: int = 0
    fresh: bool = False
    pdk_root: Path | None = None


def hear_twin(model: Model, clips: Split) -> Heard:
    """The ideal software twin, in double precision.

    Raises InputError for a model that decides in every frame, and for clips that do not fit it.
    """
    _check(model, clips)
    parameters = {key: value.double() for key, value in model.network.state_dict().items()}
    parts = []
    with torch.no_grad():
        for first in range(0, len(clips), _CLIPS_AT_ONCE):
            inputs = clips.currents(slice(first, first + _CLIPS_AT_ONCE)).double()
            trace = evaluate(parameters, inputs, model.network.recurrence)
            layers = (torch.stack(v, 1).transpose(-1, -2) for v in (trace.candidates, trace.states))
            parts.append([*layers, trace.logits])
    candidates, states, logits = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
    ok = ("ok",) * len(clips)
    return _heard(model, ok, ("",) * len(clips), candidates, states, logits)


def hear_transistors(
    run: Run, model: Model, clips: Split, engine: Engine, name: str, effort: Effort,
    progress: Progress = lambda *_: None, say: Callable[[str], None] = lambda _: None,
) -> Heard:  # fmt: skip
    """The nominal chip in ngspice or the batched engine, into ``sim/<name>`` of the run.

    Raises InputError (no design; clips that do not fit) and EnvironmentMissing.
    """
    _check(model, clips)
    if engine == "twin":
        raise ValueError("the twin has no transistors")
    options = Options(
        clips=len(clips), engine=engine, given=Given(name, clips), jobs=effort.jobs,
        timeout_s=effort.timeout_s, judge=effort.judge, fresh=effort.fresh,
        pdk_root=effort.pdk_root, suppression=(),
    )  # fmt: skip
    figures = simulate(run, options, progress, say)
    return read_heard(run, model, clips, str(figures["plan"]))


def read_heard(run: Run, model: Model, clips: Split, plan: str) -> Heard:
    """What a finished simulation of ``clips`` left in the folder of a plan, in their order."""
    folder, unit_a = run.sim_dir(plan), load_exported(run).hardware.unit_current_a
    samples = pd.read_parquet(folder / "samples.parquet").sort_values("sample")
    kind = "groups" if (folder / "groups").is_dir() else "shards"
    parts = [read_traces(path, None) for path in sorted((folder / kind).glob("*.parquet"))]
    traces = join([part for part in parts if part is not None])
    at = {int(sample): row for row, sample in enumerate(traces.sample)}
    # Of each clip the sample that simulated it: the plan shuffles the clips.
    of_clip = dict(zip(samples["clip"], samples["sample"], strict=True))
    rows = np.array([at[int(of_clip[clip])] for clip in range(len(clips))])
    found = traces.take(rows)
    candidates, states, logits = (
        values / np.float64(unit_a)
        for values in (found.candidates_a, found.states_a, found.logits_a)
    )
    return _heard(model, found.status, found.message, candidates, states, logits)


def folder_name(kind: str, clips: Split) -> str:
    """A plan's name that depends on the clips alone: the same clips continue where they were."""
    digest = hashlib.sha256(clips.currents().numpy().tobytes())
    digest.update("\n".join(clips.ids).encode())
    return f"{kind}-{digest.hexdigest()[:10]}"


def _heard(
    model: Model, status: tuple[str, ...], message: tuple[str, ...],
    candidates: Floats, states: Floats, logits: Floats,
) -> Heard:  # fmt: skip
    ok = np.array([one == "ok" for one in status], dtype=bool)
    count, classes = len(ok), logits.shape[-1]
    told, margins = np.full((count, classes), np.nan), np.full((count, classes), np.nan)
    decision = np.full(count, -1, dtype=np.int64)
    seen = torch.tensor(logits[ok])
    told[ok] = compared(seen, model.decision).numpy()
    margins[ok] = class_margins(seen, model.decision).numpy()
    decision[ok] = decide(seen, model.decision).numpy()
    return Heard(status, message, candidates, states, logits, told, margins, decision)


def _check(model: Model, clips: Split) -> None:
    if model.decision == EVERY_FRAME or clips.per_frame:
        raise InputError(
            "This run decides in every frame, and a clip is scored by one decision; its accuracy "
            "per frame is in metrics.json."
        )
    if clips.n_inputs != model.inputs:
        raise InputError(
            f"The clips have {clips.n_inputs} input lines and the network {model.inputs}; they are "
            "not of the same task."
        )
