"""A plan is a rule: every sample follows from its index and the run's seed."""

import numpy as np
import pandas as pd

from codesign.simulation.plan import Plan, chip_seed


def _plan(chips: int | None, seed: int = 3) -> Plan:
    return Plan(
        "mc", "digest", seed, chips, (7, 2, 5), ("clip-7", "clip-2", "clip-5"), (1, 0, 1), 0, 3
    )


def test_rows_are_the_samples() -> None:
    for chips in (None, 4):
        plan = _plan(chips)
        assert plan.total == 3 * (chips or 1)
        indices = np.arange(plan.total, dtype=np.int64)
        rows = plan.rows(indices)
        for index, row in zip(indices.tolist(), rows.to_dict("records"), strict=True):
            planned = plan.sample(index)
            assert plan.clips[row.pop("at")] == planned.clip
            for name, value in row.items():
                wanted = getattr(planned, str(name))
                assert (pd.isna(value) and wanted is None) or value == wanted


def test_chips_have_seeds_of_their_own() -> None:
    seeds = [chip_seed(3, chip) for chip in range(1000)]
    assert len(set(seeds)) == 1000
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert chip_seed(4, 0) not in seeds
    more = _plan(1000).rows(np.array([6, 7, 8], dtype=np.int64))
    assert more["chip_seed"].tolist() == [seeds[2]] * 3


def test_the_nominal_chip_beside_a_plan_is_no_sample_of_it() -> None:
    planned = _plan(4).nominal(1)
    assert (planned.sample, planned.clip, planned.chip_seed) == (-1, 2, None)
