"""A plan is a rule: every sample follows from its index and the run's seed."""

from dataclasses import replace

import numpy as np
import pandas as pd

from codesign.simulation.engines import group_of, group_samples, groups
from codesign.simulation.plan import Plan, Variation, chip_seed


def _plan(chips: int | None, seed: int = 3) -> Plan:
    return Plan(
        "mc",
        "digest",
        seed,
        Variation(("typical",), chips),
        (7, 2, 5),
        ("clip-7", "clip-2", "clip-5"),
        (1, 0, 1),
        0,
        3,
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


def test_every_corner_chip_clip_and_noise_seed_has_one_sample() -> None:
    varied = Variation(("ss", "ff"), 2, repeats=5)
    plan = replace(_plan(2), varied=varied)
    assert (plan.total, plan.per_corner) == (2 * 2 * 3 * 5, 30)
    rows = plan.rows(np.arange(plan.total, dtype=np.int64))
    assert rows["corner"].tolist() == ["ss"] * 30 + ["ff"] * 30
    # A chip is the same in every corner; its noise too, but differs between clips and repeats.
    for name in ("chip", "chip_seed", "clip", "noise_seed"):
        assert rows[name].tolist()[:30] == rows[name].tolist()[30:]
    assert rows["noise_seed"].nunique() == 30
    assert not set(rows["noise_seed"]) & set(rows["chip_seed"])
    more = replace(_plan(2), varied=Variation(("ss",), 2, repeats=9))
    kept = more.rows(np.array([9, 10, 11, 12, 13], dtype=np.int64))["noise_seed"].tolist()
    assert kept == rows["noise_seed"].tolist()[5:10]
    for index in (0, 17, 59):
        planned = plan.sample(index)
        assert planned.corner == rows["corner"][index]
        assert planned.noise_seed == rows["noise_seed"][index]
        assert (planned.chip, planned.clip) == (rows["chip"][index], rows["clip"][index])


def test_no_group_has_samples_of_two_corners() -> None:
    plan = replace(_plan(2), varied=Variation(("ss", "ff", "sf"), 100), stop=900)
    found = [group_samples(plan, group) for group in groups(plan)]
    assert np.concatenate(found).tolist() == list(range(900))
    assert all(len(set(part // plan.per_corner)) == 1 for part in found)
    for sample in (0, 255, 256, 299, 300, 899):
        assert sample in found[group_of(plan, sample)]
    part = replace(plan, start=290, stop=310)
    assert list(groups(part)) == [1, 2]
