"""The 45 points of a process, and the plan of a design's samples at them.

Five corners, three supplies (0.9, 1.0 and 1.1 of the design's) and three temperatures. The design
stays as it was programmed at its own point. A sample is a clip at a point under a condition:

    ideal           unit current from an ideal source
    tree_tracking   unit current from the on-chip reference; the front end is referenced to it, so
                    input currents scale with it
    tree_nominal    the same reference, but input currents as at the nominal point

Sample numbers count clips within points within conditions, whatever part of them is wanted: a run
of one point, or of one condition, is a part of the whole and is kept by it.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.errors import InputError
from codesign.flows import HardwareSection
from codesign.simulation.plan import PlannedSample, sample_seed

CORNERS_PLAN = "corners"
CORNERS = ("typical", "ss", "ff", "sf", "fs")
SUPPLY_PARTS = (0.9, 1.0, 1.1)
TEMPERATURES_C = (-20.0, 27.0, 85.0)
CONDITIONS = ("ideal", "tree_tracking", "tree_nominal")
CLIPS = 2


@dataclass(frozen=True)
class CornerPoint:
    """One point: where the circuit is simulated, not what it was designed for."""

    index: int
    corner: str
    supply_part: float
    temperature_c: float
    supply_v: float

    def text(self) -> str:
        return f"{self.corner} {self.supply_v:g} V {self.temperature_c:g} C"

    def hardware(self, nominal: HardwareSection, **changes: object) -> HardwareSection:
        """The design's specification at this point, with ``changes``."""
        here = {"corner": self.corner, "supply_v": self.supply_v}
        return nominal.model_copy(update={**here, "temperature_c": self.temperature_c, **changes})


def corner_points(nominal_supply_v: float) -> tuple[CornerPoint, ...]:
    """All points, in the order of their numbers."""
    grid = product(CORNERS, SUPPLY_PARTS, TEMPERATURES_C)
    return tuple(
        CornerPoint(k, corner, part, celsius, round(part * nominal_supply_v, 6))
        for k, (corner, part, celsius) in enumerate(grid)
    )


def nominal_index() -> int:
    """The number of the typical point at the design's supply and 27 C."""
    return next(
        point.index
        for point in corner_points(1.0)
        if (point.corner, point.supply_part, point.temperature_c) == ("typical", 1.0, 27.0)
    )


@dataclass(frozen=True)
class Selection:
    """The part of the points that is wanted; an empty tuple means all of that kind."""

    corners: tuple[str, ...] = ()
    supplies: tuple[float, ...] = ()
    temperatures_c: tuple[float, ...] = ()

    def of(self, points: Sequence[CornerPoint]) -> tuple[CornerPoint, ...]:
        """The points selected. Raises InputError for a value that no point has."""
        for option, given, known in (
            ("--corner", self.corners, CORNERS),
            ("--supply", self.supplies, SUPPLY_PARTS),
            ("--temperature", self.temperatures_c, TEMPERATURES_C),
        ):
            for value in given:
                if value not in known:
                    shown = ", ".join(f"{k:g}" if isinstance(k, float) else k for k in known)
                    asked = f"{value:g}" if isinstance(value, float) else value
                    raise InputError(f"{option} {asked}: the points of --corners have {shown}.")
        return tuple(
            point
            for point in points
            if (not self.corners or point.corner in self.corners)
            and (not self.supplies or point.supply_part in self.supplies)
            and (not self.temperatures_c or point.temperature_c in self.temperatures_c)
        )


EVERYWHERE = Selection()


@dataclass(frozen=True)
class CornerPlan:
    """All samples at all points under all conditions, and those wanted now.

    ``digest`` names what they are samples of; ``clips`` are positions in the test split.
    """

    digest: str
    run_seed: int
    clips: tuple[int, ...]
    clip_ids: tuple[str, ...]
    labels: tuple[int, ...]
    points: tuple[CornerPoint, ...]
    conditions: tuple[str, ...]
    wanted: tuple[CornerPoint, ...]
    name: str = CORNERS_PLAN

    @property
    def total(self) -> int:
        """Samples wanted now."""
        return len(self.conditions) * len(self.wanted) * len(self.clips)

    def samples(self, condition: str, point: CornerPoint) -> NDArray[np.int64]:
        """Numbers of the samples at a point."""
        place = CONDITIONS.index(condition) * len(self.points) + point.index
        return np.arange(place * len(self.clips), (place + 1) * len(self.clips))

    def sample(self, number: int) -> PlannedSample:
        """Sample ``number`` as the simulator takes it."""
        at = number % len(self.clips)
        seed = sample_seed(self.run_seed, number)
        return PlannedSample(number, self.clips[at], self.clip_ids[at], self.labels[at], seed)

    def rows(self, condition: str, point: CornerPoint) -> pd.DataFrame:
        """What is planned at a point: one row per clip, as ``Plan.rows``, and where it is."""
        planned = [self.sample(int(number)) for number in self.samples(condition, point)]
        missing = pd.array([pd.NA] * len(planned), dtype="Int64")
        return pd.DataFrame(
            {
                "sample": [p.sample for p in planned],
                "clip": [p.clip for p in planned],
                "clip_id": np.array([p.clip_id for p in planned], dtype=object),
                "seed": [p.seed for p in planned],
                "chip": missing,
                "chip_seed": missing,
                "corner": [point.corner] * len(planned),
                "noise_seed": missing,
                "label": [p.label for p in planned],
                "at": np.arange(len(planned)),
            }
        )


def corner_digest(design: str, circuits: Sequence[str], clips: Sequence[int], seed: int) -> str:
    """Hash of all samples of the plan depend on: the design, its variants, clips, points."""
    facts: list[Any] = [design, list(circuits), list(clips), seed]
    facts += [CORNERS, SUPPLY_PARTS, TEMPERATURES_C, CONDITIONS]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
