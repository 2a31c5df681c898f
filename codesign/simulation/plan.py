"""The plan: which samples, each with its own seed, and what they are samples of.

A sample's seed depends on the run's seed and the sample's index alone, so any subset can run
anywhere, in any order, and be continued later.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from codesign.circuit.testbench import TRANSIENT_OPTIONS
from codesign.circuit.timing import SAMPLE, Timing
from codesign.errors import InputError
from codesign.files import read_json, write_json
from codesign.mapping.exported import Exported
from codesign.runs import Run

if TYPE_CHECKING:  # torch takes seconds to load, and workers read this module
    from codesign.tasks.base import Split

PLAN = "nominal"


@dataclass(frozen=True)
class PlannedSample:
    """One run of the simulator: a test clip on the nominal chip."""

    sample: int
    clip: int
    clip_id: str
    label: int
    seed: int


@dataclass(frozen=True)
class Plan:
    """All samples of a simulation; ``digest`` names what they are samples of."""

    name: str
    samples: tuple[PlannedSample, ...]
    digest: str


def sample_seed(run_seed: int, sample: int) -> int:
    """A 31-bit seed from the run's seed and the sample's index."""
    digest = hashlib.sha256(f"codesign sample {run_seed} {sample}".encode()).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF


def make_plan(exported: Exported, clips: "Split", count: int, run_seed: int) -> Plan:
    """The first ``count`` test clips, in an order shuffled once by the run's seed.

    Raises InputError when there are fewer test clips than asked for.
    """
    if count > len(clips):
        raise InputError(
            f"--clips {count}: the run has {len(clips)} test clips; ask for at most that many."
        )
    order = sorted(range(len(clips)), key=lambda clip: sample_seed(run_seed, clip))
    samples = tuple(
        PlannedSample(
            sample, clip, clips.ids[clip], int(clips.labels[clip]), sample_seed(run_seed, sample)
        )
        for sample, clip in enumerate(order[:count])
    )
    return Plan(PLAN, samples, design_digest(exported))


def design_digest(exported: Exported) -> str:
    """Hash of all a sample depends on: the circuit as it stands, hardware, process and timing."""
    digest = hashlib.sha256()
    for path in [exported.network_file, *sorted((exported.folder / "cells").glob("*.cir"))]:
        digest.update(path.read_bytes())
    hw, layers = exported.hardware, exported.shape.layers
    timing = Timing(hw.frame_s, hw.edge_s, 1, layers)
    windows = [timing.window(layer) for layer in range(layers)]
    pdk_sha256 = exported.facts["pdk"]["sha256"]
    facts = [hw.model_dump(), pdk_sha256, TRANSIENT_OPTIONS, SAMPLE, windows]
    digest.update(json.dumps(facts, sort_keys=True).encode())
    return digest.hexdigest()


def write_plan(run: Run, plan: Plan) -> None:
    """Write ``plan.json``."""
    write_json(run.sim_dir(plan.name) / "plan.json", asdict(plan))


def existing_digest(run: Run, name: str) -> str | None:
    """What the samples already in the plan's folder are samples of."""
    path = run.sim_dir(name) / "plan.json"
    if not path.is_file():
        return None
    stored: Any = read_json(path, "the plan of a simulation")
    return str(stored.get("digest")) if isinstance(stored, dict) else None
