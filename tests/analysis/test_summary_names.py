"""The names of the summary are a contract: scripts assert on them, and the docs explain each."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from codesign.analysis.causes import Limits
from codesign.analysis.summary import AGREEMENT_TARGETS, root_figures, summarise
from codesign.analysis.suppression import Currents, suppression_figures, suppression_pairs
from codesign.analysis.tally import Tally, count_logits, count_states

DOCS = Path(__file__).parents[2] / "docs" / "agreement.md"

NAMES = (
    "vote_agreement",
    "vote_agreement_interval",
    "samples_not_near_tie",
    "vote_agreement_not_near_tie",
    "vote_agreement_not_near_tie_interval",
    "state_agreement",
    "state_count",
    "state_agreement_changed",
    "state_changed_count",
    "state_disagreement_causes",
    "samples_with_all_states_agreeing",
    "root_disagreements",
    "root_causes",
    "root_disagreements_with_waveform",
    "candidate_error_rms_units",
    "candidate_error_max_units",
    "candidate_error_rms_units_same_states_below",
    "candidate_error_max_units_same_states_below",
    "state_error_rms_units_same_states",
    "logit_error_rms_units",
    "logit_full_scale_units",
    "logit_residual_of_full_scale",
    "logit_residual_of_full_scale_all_frames",
    "logit_fit",
    "logit_fit_all_frames",
    "suppression_ratio_median",
    "suppression_ratio_p10",
    "suppression_ratio_p25",
    "suppression_ratio_p75",
    "suppression_ratio_pooled",
    "suppression_sigma_units",
    "suppression_candidate_rms_units_median",
    "suppression_pairs",
    "suppression_clips",
    "suppression_by_sigma",
    "suppression_static_ratio",
)


@pytest.fixture(scope="module")
def figures() -> dict[str, object]:
    draw = np.random.default_rng(0)
    shape = (4, 2, 3, 8)
    differs, changed = draw.random(shape) < 0.1, draw.random(shape) < 0.3
    causes = np.where(differs, 0, -1).astype(np.int8)
    error = draw.normal(0, 0.01, shape)
    tally = Tally() + count_states(differs, changed, causes, error, 0.1 * error)
    twin = draw.uniform(0, 5, (4, 8, 2))
    tally = tally + count_logits(twin, 0.99 * twin, differs)
    samples = pd.DataFrame(
        {
            "clip": range(4), "clip_id": list("abcd"), "status": "ok", "label": 0, "chip": pd.NA,
            "twin_decision": [0, 1, 0, 1], "chip_decision": [0, 1, 0, 0],
            "agree": [True, True, True, False], "near_tie": [False, False, True, True],
            "twin_margin_units": 1.0, "explanation": "why", "mean_power_w": 1e-7,
            "mean_power_cells_w": 1e-8, "mean_power_feedforward_w": 1e-8,
            "mean_power_bias_w": 1e-8, "mean_power_strobe_w": 0.0, "energy_j": 1e-9,
        }
    )  # fmt: skip
    roots = pd.DataFrame({"cause": ["glitch", "hold"], "evidence": ["waveform", "sampled values"]})
    ones = np.ones((2, 3))
    still = Currents(np.full(shape, 1.5), np.full(shape, 0.8))
    noisy = Currents(still.candidates + error, still.states)
    pairs = suppression_pairs(Limits.of(ones, 0.5 * ones, 0.8 * ones), still, noisy, 0.01)
    return summarise(samples, tally) | root_figures(roots) | suppression_figures(pairs)


def test_every_name_is_there_with_a_value(figures: dict[str, object]) -> None:
    for name in NAMES:
        assert figures[name] is not None, name
    assert set(AGREEMENT_TARGETS) <= set(NAMES)


def test_near_ties_are_counted_apart(figures: dict[str, object]) -> None:
    assert figures["vote_agreement"] == 0.75
    assert figures["samples_not_near_tie"] == 2
    assert figures["vote_agreement_not_near_tie"] == 1.0
    interval = figures["vote_agreement_not_near_tie_interval"]
    assert isinstance(interval, list)
    # Wilson's interval of 2 of 2.
    assert interval == pytest.approx([0.3424, 1.0], abs=1e-3)
    assert figures["root_causes"] == {"glitch": 1, "hold": 1}
    assert figures["root_disagreements_with_waveform"] == 1


def test_the_docs_explain_every_name() -> None:
    text = DOCS.read_text(encoding="utf-8").partition("## Names in summary.json")[2]
    explained = set(re.findall(r"`(\w+)`", text))
    assert set(NAMES) <= explained
