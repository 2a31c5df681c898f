"""The batched engine with device noise: the same engine, with a noise table and seeds."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.device.bench import ProcessPoint
from codesign.simulation.draws import Draws
from codesign.simulation.engines import Engine, EngineResult
from codesign.simulation.noise_sources import TICK_S

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NoisyEngine:
    """An engine whose samples have noise where they have a noise seed.

    Its key differs from that of ``inner``: results with noise are never taken for results without.
    """

    inner: Any
    table: Any

    @property
    def instances(self) -> tuple[str, ...]:
        return tuple(self.inner.instances)

    @property
    def key(self) -> str:
        digest = hashlib.sha256(str(self.inner.key).encode())
        for name in ("white", "flicker", "inversion_na", "pole", "weight"):
            digest.update(np.ascontiguousarray(getattr(self.table, name), np.float64).tobytes())
        digest.update(repr(float(self.table.tick_us)).encode())
        return digest.hexdigest()

    def run(
        self,
        inputs_units: Floats,
        clip: NDArray[np.int64],
        draws: Draws | None,
        chip: NDArray[np.int64],
        *,
        threads: int,
        waves: int = 0,
        noise_seed: NDArray[np.int64] | None = None,
    ) -> EngineResult:
        noise = {} if noise_seed is None else {"noise": self.table, "noise_seed": noise_seed}
        result: EngineResult = self.inner.run(
            inputs_units, clip, draws, chip, threads=threads, waves=waves, **noise
        )
        return result

    def waves_of(self, result: Any, row: int) -> pd.DataFrame:
        """Waveforms of a sample with noise, whose time grid has the ticks of the noise."""
        resolution = replace(self.inner.resolution, tick_us=self.table.tick_us)
        waves: pd.DataFrame = replace(self.inner, resolution=resolution).waves_of(result, row)
        return waves


def noisy_engines(
    engines: Mapping[str, Engine], points: Mapping[str, ProcessPoint]
) -> dict[str, Engine]:
    """The engines of all corners with the noise of their devices.

    Raises EnvironmentMissing when ngspice cannot measure it.
    """
    return {
        corner: NoisyEngine(engine, engine.noise_table(points[corner], TICK_S))  # type: ignore[attr-defined]
        for corner, engine in engines.items()
    }
