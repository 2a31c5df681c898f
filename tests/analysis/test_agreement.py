"""Samples compared together: the same rows as one by one, and sums as of the full tables."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from codesign.analysis.agreement import Comparison, Twins, Yardstick, compare
from codesign.analysis.summary import summarise
from codesign.analysis.tally import Tally
from codesign.circuit.timing import Timing
from codesign.mapping.design import Shape
from codesign.rules import MEAN_LOGIT
from codesign.simulation.plan import Plan, Variation
from codesign.simulation.traces import Traces, failed, join
from codesign.twin.ideal import TwinTrace, ideal_twin
from tests.designs import random_parameters

SHAPE = Shape(inputs=3, state_dim=3, layers=2, classes=2)
FRAMES, CLIPS, CHIPS, UNIT_A = 12, 3, 4, 2e-9
YARDSTICK = Yardstick(
    SHAPE, random_parameters(SHAPE, 0), MEAN_LOGIT, 0.3, UNIT_A, Timing(0.01, 2e-5, FRAMES, 2)
)
PLAN = Plan(
    "mc",
    "",
    0,
    Variation(("typical",), CHIPS),
    (2, 0, 1),
    ("c", "a", "b"),
    (1, 0, 1),
    0,
    CHIPS * CLIPS,
)


@pytest.fixture(scope="module")
def twins() -> list[TwinTrace]:
    inputs = np.random.default_rng(1).uniform(0, 1, (CLIPS, FRAMES, SHAPE.inputs))
    return ideal_twin(YARDSTICK.parameters, inputs, YARDSTICK.rule)


@pytest.fixture(scope="module")
def traces(twins: list[TwinTrace]) -> Traces:
    """Twins with noise: states and decisions that differ; sample 5 failed."""
    draw = np.random.default_rng(2)
    parts = []
    for sample in range(PLAN.total):
        twin = twins[sample % CLIPS]
        states = twin.states + draw.choice([0, 0.9, -0.9], twin.states.shape, p=[0.96, 0.02, 0.02])
        parts.append(
            Traces(
                np.array([sample]), ("ok",), ("",), ("",), np.array([0.5]),
                (UNIT_A * draw.normal(twin.candidates, 0.05)).astype(np.float32)[None],
                (UNIT_A * states).astype(np.float32)[None],
                (UNIT_A * draw.normal(twin.logits, 20.0)).astype(np.float32)[None],
                draw.random((1, 4)), ("[]",), np.zeros(1, np.int64),
            )
        )  # fmt: skip
    parts[5] = failed(5, SHAPE, FRAMES, "timeout", "stopped", "logs/x.log", 1.0)
    return join(parts)


def _compare(twins: list[TwinTrace], traces: Traces, every: bool = True) -> Comparison:
    planned = PLAN.rows(traces.sample)
    return compare(
        YARDSTICK, planned, Twins.of(twins).take(planned["at"].to_numpy()), traces, every
    )


@pytest.fixture(scope="module")
def whole(twins: list[TwinTrace], traces: Traces) -> Comparison:
    return _compare(twins, traces)


def test_together_is_one_by_one(twins: list[TwinTrace], traces: Traces, whole: Comparison) -> None:
    ones = [_compare(twins, traces.take(np.array([k]))) for k in range(PLAN.total)]
    for name in ("samples", "states", "logits"):
        parts = [getattr(one, name) for one in ones if len(getattr(one, name))]
        pd.testing.assert_frame_equal(
            pd.concat(parts, ignore_index=True), getattr(whole, name), check_dtype=False
        )
    total = Tally()
    for one in ones:
        total = total + one.tally
    assert total.causes == whole.tally.causes
    wanted = summarise(whole.samples, whole.tally)
    for name, value in summarise(whole.samples, total).items():
        same = pytest.approx(wanted[name]) if isinstance(value, float) else wanted[name]
        assert value == same, name


def test_sums_are_those_of_the_tables(whole: Comparison) -> None:
    figures = summarise(whole.samples, whole.tally)
    states, logits = whole.states, whole.logits
    assert figures["state_count"] == len(states) == (PLAN.total - 1) * FRAMES * 6
    assert figures["state_agreement"] == pytest.approx(states["agree"].mean())
    changed = states[states["changed"]]
    assert figures["state_changed_count"] == len(changed) > 0
    assert figures["state_agreement_changed"] == pytest.approx(changed["agree"].mean())
    causes = states.loc[~states["agree"], "cause"].value_counts().to_dict()
    assert figures["state_disagreement_causes"] == causes
    error = states["chip_candidate_units"] - states["twin_candidate_units"]
    assert figures["candidate_error_rms_units"] == pytest.approx(np.sqrt((error**2).mean()))
    assert figures["candidate_error_max_units"] == pytest.approx(error.abs().max())
    wrong = states[(states["layer"] == 0) & ~states["agree"]]
    below = states.set_index(["sample", "frame"]).index.isin(
        wrong.set_index(["sample", "frame"]).index
    )
    clean = error[~(below & (states["layer"] == 1))]
    name = "candidate_error_rms_units_same_states_below"
    assert figures[name] == pytest.approx(np.sqrt((clean**2).mean()))
    error = logits["chip_logit_units"] - logits["twin_logit_units"]
    assert figures["logit_error_rms_units"] == pytest.approx(np.sqrt((error**2).mean()))
    assert figures["samples_with_all_states_agreeing"] == (
        states.groupby("sample")["agree"].all().sum()
    )
    by_unit = states.groupby(["layer", "unit"])["agree"].agg(lambda agree: (~agree).sum())
    assert whole.tally.units_table()["differing"].tolist() == by_unit.tolist()


def test_rows_of_samples(whole: Comparison, traces: Traces, twins: list[TwinTrace]) -> None:
    rows = whole.samples.set_index("sample")
    assert rows["chip"].tolist() == [k // CLIPS for k in range(PLAN.total)]
    bad = rows.loc[5]
    assert (bad["status"], bad["message"], bad["log"]) == ("timeout", "stopped", "logs/x.log")
    assert rows.loc[5, ["chip_decision", "agree", "states_differing", "energy_j"]].isna().all()
    for sample in (0, 1, 7):
        row = rows.loc[sample]
        compared = traces.logits_a[sample].astype(float).mean(axis=0) / UNIT_A
        assert row["chip_decision"] == compared.argmax()
        assert row["chip_margin_units"] == pytest.approx(abs(compared[1] - compared[0]))
        assert row["twin_decision"] == twins[sample % CLIPS].decision
        mine = whole.states[whole.states["sample"] == sample]
        assert row["states_differing"] == (~mine["agree"]).sum()
        assert row["states_changed_agreeing"] == (mine["changed"] & mine["agree"]).sum()
        assert row["energy_j"] == pytest.approx(traces.power_w[sample].sum() * 0.12)
    ok = rows[rows["status"] == "ok"]
    differs = ~ok["agree"].astype(bool)
    assert differs.any()
    assert (ok["explanation"].notna() == differs).all()
    for number, told in ok[differs].iterrows():
        mine = whole.states[(whole.states["sample"] == number) & ~whole.states["agree"]]
        if mine.empty:
            assert "all states agree, the logits differ by up to" in told["explanation"]
            continue
        first = mine.sort_values(["frame", "layer", "unit"]).iloc[0]
        for text in (
            f"{len(mine)} of {FRAMES * 6} states differ, first layer {first.layer} unit",
            f"in frame {first.frame} ({first.cause}: twin",
        ):
            assert text in told["explanation"]
    near = ok["explanation"].str.contains("near-tie: the twin's margin", na=False)
    assert (near == (differs & ok["near_tie"])).all()


def test_only_what_differs(twins: list[TwinTrace], traces: Traces, whole: Comparison) -> None:
    less = _compare(twins, traces, every=False)
    wanted = whole.states[~whole.states["agree"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(less.states, wanted)
    rows = whole.samples[~whole.samples["agree"].fillna(True).astype(bool)]
    assert less.logits["sample"].unique().tolist() == rows["sample"].tolist()
    pd.testing.assert_frame_equal(less.samples, whole.samples)


def test_nothing_ended_well(twins: list[TwinTrace]) -> None:
    none = _compare(twins, failed(0, SHAPE, FRAMES, "timeout", "stopped", "", 1.0))
    figures = summarise(none.samples, none.tally)
    assert (figures["samples_ok"], figures["samples_failed"]) == (0, 1)
    assert figures["state_agreement"] is None
    assert figures["mean_power_w"] is None
    assert "chips" not in figures
    assert len(none.states) == len(none.logits) == 0


def test_margins_are_of_the_networks_decision_whatever_the_twin(
    twins: list[TwinTrace], traces: Traces
) -> None:
    planned = PLAN.rows(traces.sample)
    network = Twins.of(twins).take(planned["at"].to_numpy())
    other = replace(network, decision=1 - network.decision)
    found = compare(YARDSTICK, planned, other, traces, network=network).samples
    assert (found["network_decision"] == network.decision).all()
    assert (found["twin_decision"] == other.decision).all()
    ok = found[found["status"] == "ok"]
    logits = traces.logits_a[traces.ok].astype(np.float64).mean(axis=1) / UNIT_A
    own = logits[np.arange(len(ok)), ok["network_decision"]]
    rest = logits[np.arange(len(ok)), 1 - ok["network_decision"]]
    assert ok["logit_margin_units"].to_numpy() == pytest.approx(own - rest)
    kept = (ok["chip_decision"] == ok["network_decision"]).to_numpy(bool)
    assert np.array_equal(kept, ok["logit_margin_units"] > 0)
    assert found.loc[found["status"] != "ok", "logit_margin_units"].isna().all()
