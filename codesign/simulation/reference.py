"""Whom the transistors are compared with: one of the three twins, on the plan's clips and chips.

The ideal twin knows no devices: one value per clip. The others are of the design, and on chips with
mismatch of each chip, from the draws its transistors get.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.agreement import Twins
from codesign.analysis.prediction import Prediction, count_prediction
from codesign.simulation.draws import draw_mismatch
from codesign.simulation.setting import Setting
from codesign.simulation.traces import Traces
from codesign.twin.ideal import ideal_twin
from codesign.twin.twins import TwinArrays, TwinModel, design_twin

# Frames followed at once by a twin in time: some hundred megabytes at most.
_FRAMES = 1600

Bools = NDArray[np.bool_]


class Reference:
    """The twin ``setting.options.twin`` of every sample of the plan, evaluated when asked for.

    Raises EnvironmentMissing or codesign.engine.Unsupported when made, if the twin needs devices
    that cannot be measured.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        yardstick, plan = setting.yardstick, setting.plan
        self._inputs = setting.inputs_units()[list(plan.clips)]
        self._ideal = Twins.of(ideal_twin(yardstick.parameters, self._inputs, yardstick.rule))
        self._models: dict[str, TwinModel] = {}
        if setting.options.twin != "ideal":
            self._models = {
                corner: design_twin(
                    setting.options.twin, setting.exported, point, yardstick.parameters
                )
                for corner, point in setting.points.items()
            }
        self._half = yardstick.cells("alpha")[:, :, None] / 2
        # What the twin said of the samples asked for, for ``prediction``.
        self._active: dict[int, Bools] = {}

    def rows(self, planned: pd.DataFrame) -> Twins:
        """One twin per row of ``Plan.rows``."""
        if not self._models:
            return self.network(planned)
        step = max(1, _FRAMES // self._inputs.shape[1])
        # Samples count within corners, so that the order of the parts is that of the rows.
        parts = [
            self._part(self._models[str(corner)], rows.iloc[k : k + step])
            for corner, rows in planned.groupby("corner", sort=False)
            for k in range(0, len(rows), step)
        ]
        found = Twins(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("candidates", "states", "logits", "decision", "margin_units")
            )
        )
        active = found.states > self._half
        self._active |= dict(zip(planned["sample"].tolist(), active, strict=True))
        return found

    def network(self, planned: pd.DataFrame) -> Twins:
        """The equations themselves, one per row."""
        return self._ideal.take(planned["at"].to_numpy(np.int64))

    def _part(self, model: TwinModel, planned: pd.DataFrame) -> Twins:
        """Every clip of these rows on every chip of them; of that the pairs there are."""
        setting = self._setting
        clips, clip = np.unique(planned["at"].to_numpy(np.int64), return_inverse=True)
        draws, chip = None, np.zeros(len(planned), np.int64)
        if setting.plan.chips is not None:
            seeds, chip = np.unique(planned["chip_seed"].to_numpy(np.int64), return_inverse=True)
            bench = setting.bench
            draws = draw_mismatch(bench.network.mosfets, bench.law, seeds.tolist())
        found = model.run(setting.yardstick.parameters, self._inputs[clips], draws)
        at = (clip,) if draws is None else (chip, clip)
        pairs = TwinArrays(found.candidates[at], found.states[at], found.logits[at])
        return Twins.of(pairs.traces(setting.yardstick.rule))

    def prediction(self, shards: Iterable[Traces]) -> Prediction:
        """How far the twin knew where ideal twin and transistors differ, over samples of ``shards``
        that ended well; their ``rows`` must have been asked for."""
        total, unit_a = Prediction(), self._setting.yardstick.unit_current_a
        for traces in shards:
            planned = self._setting.plan.rows(traces.sample)
            at = planned["at"].to_numpy(np.int64)
            for row in np.flatnonzero(traces.ok):
                total = total + count_prediction(
                    self._ideal.states[at[row]] > self._half,
                    self._active[int(traces.sample[row])],
                    traces.states_a[row] / np.float64(unit_a) > self._half,
                )
        return total
