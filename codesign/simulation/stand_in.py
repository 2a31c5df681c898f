"""The calibrated twin beside the transistors on drawn chips: the samples of the two-sample tests.

The transistors are those of the plan; the twin is run on the same chips (to compare one by one) and
on as many other ones, those after the plan's last (to test distributions), each from its own draws.
Per clip, in units:

    margin                          the signed decision margin
    logit[k]                        the winner's and the runner-up's compared logit
    candidate layers.0[3] frame 5   per layer those, of two cells, nearest to the threshold that
                                    decides them on the nominal chip, where they flow at all
    states_differing                states that are not the ideal twin's
    decision_differs                a proportion: the decision is not the ideal twin's
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.causes import before
from codesign.analysis.twosample import Samples, two_sample_rows
from codesign.simulation.probe import Chips, Probe, Seen, joined, seen
from codesign.twin.ideal import ideal_twin
from codesign.twin.twins import TwinModel

# Chips enough to see a shift of a quarter of a sigma in every quantity.
CHIPS = 1000
_PER_LAYER = 2
# A candidate below it is no current to compare.
_FLOWS_UNITS = 0.1
# Chips x frames that the twin follows at once.
_FRAMES = 1600

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Place = tuple[int, int, int]


def compare_twin(probe: Probe, chips: Chips, model: TwinModel, at: int) -> pd.DataFrame:
    """The rows of one clip (``two_sample_rows``); empty with fewer than two chips."""
    index, transistors = chips.of_clip(at)
    index, transistors = index[:CHIPS], transistors.take(np.arange(min(len(index), CHIPS)))
    if len(index) < 2:
        return pd.DataFrame()
    assert probe.plan.chips is not None
    same = run_twin(probe, model, index, at)
    others = run_twin(probe, model, index + probe.plan.chips, at)
    nominal = probe.nominal(np.array([at]))
    ideal = ideal_active(probe, at)
    places = chosen_candidates(probe, nominal)
    samples = {
        name: Samples(real, other, paired, proportion=name == "decision_differs")
        for name, (real, other, paired) in _quantities(
            (transistors, others, same), int(probe.decision[at]), nominal, ideal, places
        ).items()
    }
    return two_sample_rows(probe.plan.clip_ids[at], samples)


def run_twin(probe: Probe, model: TwinModel, chips: Ints, at: int) -> Seen:
    """The twin of each chip, by index, on one clip."""
    step = max(1, _FRAMES // probe.inputs_units.shape[1])
    unit_a = probe.yardstick.unit_current_a
    parts = []
    for start in range(0, len(chips), step):
        draws = probe.draws(chips[start : start + step])
        found = model.run(probe.yardstick.parameters, probe.inputs_units[[at]], draws)
        count = len(draws.delvto_v)
        parts.append(
            seen(
                probe.yardstick, np.full(count, probe.decision[at]),
                np.asarray(found.candidates[:, 0] * unit_a, np.float32),
                np.asarray(found.states[:, 0] * unit_a, np.float32),
                np.asarray(found.logits[:, 0] * unit_a, np.float32),
                np.ones(count, dtype=bool),
            )
        )  # fmt: skip
    return joined(parts)


def ideal_active(probe: Probe, at: int) -> Bools:
    """Active states of the ideal twin, (layers, units, frames)."""
    yardstick = probe.yardstick
    twin = ideal_twin(yardstick.parameters, probe.inputs_units[[at]], yardstick.rule)[0]
    return np.asarray(twin.states > yardstick.cells("alpha")[:, :, None] / 2)


def chosen_candidates(probe: Probe, nominal: Seen) -> list[Place]:
    """(layer, unit, frame) of candidates to compare, of the nominal chip's one sample."""
    limits = probe.yardstick.decides_by()
    active, candidates = nominal.active[0], nominal.candidates_units[0].astype(np.float64)
    looked_at = np.where(before(active), limits.beta_lo[..., None], limits.beta_hi[..., None])
    distance = np.where(candidates > _FLOWS_UNITS, np.abs(candidates - looked_at), np.inf)
    places: list[Place] = []
    for layer in range(len(distance)):
        frames = distance[layer].argmin(axis=1)
        least = distance[layer].min(axis=1)
        places += [
            (layer, int(unit), int(frames[unit]))
            for unit in np.argsort(least, kind="stable")[:_PER_LAYER]
            if np.isfinite(least[unit])
        ]
    return places


def _quantities(
    of: tuple[Seen, Seen, Seen], decision: int, nominal: Seen, ideal: Bools, places: list[Place]
) -> dict[str, list[NDArray[np.float64]]]:
    compared = nominal.compared_units[0].copy()
    compared[decision] = -np.inf
    found = {"margin": [one.margin_units for one in of]}
    for k in sorted({decision, int(compared.argmax())}):
        found[f"logit[{k}]"] = [one.compared_units[:, k] for one in of]
    for layer, unit, frame in places:
        found[f"candidate layers.{layer}[{unit}] frame {frame}"] = [
            one.candidates_units[:, layer, unit, frame].astype(np.float64) for one in of
        ]
    found["states_differing"] = [
        (one.active != ideal).sum(axis=(1, 2, 3)).astype(np.float64) for one in of
    ]
    found["decision_differs"] = [(one.margin_units < 0).astype(np.float64) for one in of]
    return found
