"""The plan: which samples, each a chip with a clip, and what they are samples of.

A plan is a rule, not a list: samples count noise seeds within clips within chips within corners,

    sample = ((corner * chips + chip) * clips + clip) * repeats + repeat

with the clips in an order shuffled once by the run's seed. A chip's seed depends on the run's seed
and the chip's index alone, so any subset can run anywhere, in any order, and be continued later;
at one corner more chips leave the samples of the first ones as they were.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.circuit.testbench import TRANSIENT_OPTIONS
from codesign.circuit.timing import SAMPLE, Timing
from codesign.errors import InputError
from codesign.files import read_json, write_json
from codesign.mapping.exported import Exported
from codesign.pdk.adapter import MismatchLaw
from codesign.runs import Run

if TYPE_CHECKING:  # torch takes seconds to load, and workers read this module
    from codesign.tasks.base import Split

NOMINAL, MONTE_CARLO, NOISE = "nominal", "mc", "noise"
Range = tuple[int | None, int | None]


@dataclass(frozen=True)
class PlannedSample:
    """One run of the simulator: a test clip on a chip at a corner of the process.

    No chip means the nominal one, no corner the one the design was made for, no noise seed a run
    without device noise.
    """

    sample: int
    clip: int
    clip_id: str
    label: int
    seed: int
    chip: int | None = None
    chip_seed: int | None = None
    corner: str | None = None
    noise_seed: int | None = None


@dataclass(frozen=True)
class Variation:
    """What makes the samples of a plan differ beside their clips.

    ``chips`` chips with mismatch (None: the nominal chip alone), drawn with variation of the whole
    process if ``process``; ``corners`` of the process, at least one; ``repeats`` runs with device
    noise of every chip and clip (None: one run without).
    """

    corners: tuple[str, ...]
    chips: int | None = None
    process: bool = False
    repeats: int | None = None


@dataclass(frozen=True)
class Plan:
    """All samples of a simulation; ``digest`` names what they are samples of.

    ``clips`` are positions in the test split, with their names and labels. Samples ``start`` to
    ``stop`` are the ones wanted now, of ``total``.
    """

    name: str
    digest: str
    run_seed: int
    varied: Variation
    clips: tuple[int, ...]
    clip_ids: tuple[str, ...]
    labels: tuple[int, ...]
    start: int
    stop: int

    @property
    def chips(self) -> int | None:
        return self.varied.chips

    @property
    def corners(self) -> tuple[str, ...]:
        return self.varied.corners

    @property
    def repeats(self) -> int:
        """Samples of every chip with every clip at every corner."""
        return self.varied.repeats or 1

    @property
    def noise(self) -> bool:
        return self.varied.repeats is not None

    @property
    def per_corner(self) -> int:
        """Samples of one corner."""
        return (self.chips or 1) * len(self.clips) * self.repeats

    @property
    def total(self) -> int:
        return len(self.corners) * self.per_corner

    @property
    def samples(self) -> range:
        """Indices of the samples wanted now."""
        return range(self.start, self.stop)

    def sample(self, index: int) -> PlannedSample:
        """Sample ``index`` of the plan."""
        corner, chip, at, repeat = self._place(index)
        return PlannedSample(
            index, self.clips[at], self.clip_ids[at], self.labels[at],
            sample_seed(self.run_seed, index), *self._chip(chip), self.corners[corner],
            self._noise_seed(chip, at, repeat),
        )  # fmt: skip

    def nominal(self, at: int = 0) -> PlannedSample:
        """A clip of the plan on the nominal chip; index -1, for it is not in the plan."""
        return PlannedSample(
            -1, self.clips[at], self.clip_ids[at], self.labels[at], 0, corner=self.corners[0]
        )

    def rows(self, samples: NDArray[np.int64]) -> pd.DataFrame:
        """What is planned for ``samples``: one row each, and ``at``, the clip's place in ``clips``.

        ``chip`` and ``chip_seed`` are missing for the nominal chip, ``noise_seed`` without noise.
        """
        corner, chip, at, repeat = self._place(samples)
        known = {int(k): self._chip(int(k)) for k in np.unique(chip)}
        noise = [self._noise_seed(*map(int, k)) for k in zip(chip, at, repeat, strict=True)]
        return pd.DataFrame(
            {
                "sample": samples,
                "clip": np.array(self.clips)[at],
                "clip_id": np.array(self.clip_ids, dtype=object)[at],
                "seed": [sample_seed(self.run_seed, int(sample)) for sample in samples],
                "chip": pd.array([known[int(k)][0] for k in chip], dtype="Int64"),
                "chip_seed": pd.array([known[int(k)][1] for k in chip], dtype="Int64"),
                "corner": np.array(self.corners, dtype=object)[corner],
                "noise_seed": pd.array(noise, dtype="Int64"),
                "label": np.array(self.labels)[at],
                "at": at,
            }
        )

    def _place(self, sample: Any) -> tuple[Any, Any, Any, Any]:
        """Corner, chip, clip and repeat of sample numbers."""
        rest, repeat = np.divmod(sample, self.repeats)
        rest, at = np.divmod(rest, len(self.clips))
        corner, chip = np.divmod(rest, self.chips or 1)
        return corner, chip, at, repeat

    def _noise_seed(self, chip: int, at: int, repeat: int) -> int | None:
        if not self.noise:
            return None
        return noise_seed(
            self.run_seed, None if self.chips is None else chip, self.clips[at], repeat
        )

    def _chip(self, chip: int) -> tuple[int | None, int | None]:
        return (None, None) if self.chips is None else (chip, chip_seed(self.run_seed, chip))


def sample_seed(run_seed: int, sample: int) -> int:
    """A 31-bit seed from the run's seed and the sample's index."""
    digest = hashlib.sha256(f"codesign sample {run_seed} {sample}".encode()).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF


def chip_seed(run_seed: int, chip: int) -> int:
    """A 63-bit seed from the run's seed and the chip's index: no two chips are ever the same."""
    digest = hashlib.sha256(f"codesign chip {run_seed} {chip}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def noise_seed(run_seed: int, chip: int | None, clip: int, repeat: int) -> int:
    """A 63-bit seed of the device noise in the run ``repeat`` of a clip on a chip."""
    text = f"codesign noise {run_seed} {'nominal' if chip is None else chip} {clip} {repeat}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def make_plan(
    exported: Exported,
    clips: "Split",
    count: int,
    run_seed: int,
    varied: Variation,
    law: MismatchLaw | None = None,
    samples: Range = (None, None),
) -> Plan:
    """The first ``count`` test clips of the shuffled order on the chips of ``varied``, whose
    mismatch follows ``law``; of these, the range ``samples`` (start, stop).

    Raises InputError when there are fewer test clips, or fewer samples, than asked for.
    """
    if count > len(clips):
        raise InputError(
            f"--clips {count}: the run has {len(clips)} test clips; ask for at most that many."
        )
    order = sorted(range(len(clips)), key=lambda clip: sample_seed(run_seed, clip))[:count]
    shuffled = Plan(
        name=plan_name(varied),
        digest=_digest(exported, run_seed, order, varied, law),
        run_seed=run_seed,
        varied=varied,
        clips=tuple(order),
        clip_ids=tuple(clips.ids[clip] for clip in order),
        labels=tuple(int(clips.labels[clip]) for clip in order),
        start=0,
        stop=0,
    )
    total = shuffled.total
    start, stop = samples[0] or 0, total if samples[1] is None else samples[1]
    if not start < stop <= total:
        shown = ":".join("" if end is None else str(end) for end in samples)
        raise InputError(
            f"--samples {shown}: the plan has samples 0 to {total - 1}; give START:STOP with "
            f"START below STOP and STOP at most {total}."
        )
    return replace(shuffled, start=start, stop=stop)


def plan_name(varied: Variation) -> str:
    """The plan's folder under ``sim``."""
    parts = [] if varied.chips is None else [MONTE_CARLO]
    parts += ["process"] if varied.process else []
    parts += [] if varied.repeats is None else [NOISE]
    return "_".join(parts) or NOMINAL


def _digest(
    exported: Exported, run_seed: int, order: list[int], varied: Variation, law: MismatchLaw | None
) -> str:
    """What the samples of the plan are samples of.

    The nominal chip's samples are those of the circuit alone, so more clips keep them.
    """
    digest, own = design_digest(exported), (exported.hardware.corner,)
    if varied.chips is None and varied.repeats is None and varied.corners == own:
        return digest
    facts: list[Any] = [digest, run_seed, order]
    if varied.chips is not None:
        assert law is not None  # chips differ by a law
        facts += [law.model_dump()]
    if varied.corners != own:
        # With several corners a sample's place depends on the number of chips.
        facts += ["corners", varied.corners, varied.chips if len(varied.corners) > 1 else None]
    if varied.repeats is not None:
        facts += ["noise", varied.repeats]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def design_digest(exported: Exported) -> str:
    """Hash of all a sample depends on: the circuit as it stands, hardware, process and timing."""
    digest = hashlib.sha256()
    written = [exported.network_file, *sorted((exported.folder / "cells").glob("*.cir"))]
    for path in (
        [*written, exported.strobe_file] if exported.hardware.generates_strobes else written
    ):
        digest.update(path.read_bytes())
    hw, layers = exported.hardware, exported.shape.layers
    timing = Timing(hw.frame_s, hw.edge_s, 1, layers)
    windows = [timing.window(layer) for layer in range(layers)]
    process = exported.facts["pdk"].get("digest", exported.facts["pdk"]["sha256"])
    facts = [hw.model_dump(), process, TRANSIENT_OPTIONS, SAMPLE, windows]
    digest.update(json.dumps(facts, sort_keys=True).encode())
    return digest.hexdigest()


def write_plan(run: Run, plan: Plan, design: str, engine: str) -> None:
    """Write ``plan.json``: the rule, and which circuit (``design``) and engine it is run with."""
    facts = asdict(plan) | {"samples_total": plan.total, "design": design, "engine": engine}
    write_json(run.sim_dir(plan.name) / "plan.json", facts)


def existing_digest(run: Run, name: str) -> str | None:
    """What the samples already in the plan's folder are samples of."""
    path = run.sim_dir(name) / "plan.json"
    if not path.is_file():
        return None
    stored: Any = read_json(path, "the plan of a simulation")
    return str(stored.get("digest")) if isinstance(stored, dict) else None
