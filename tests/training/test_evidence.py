"""What is measured for the training page, against plain loops over frames."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from codesign.cells import CELLS, cell_named
from codesign.checkpoint import Model
from codesign.decision import decide
from codesign.errors import InputError
from codesign.flows import TrainingSection
from codesign.network import Network, evaluate
from codesign.rules import LAST_FRAME, RULE_NAMES, parse_rule
from codesign.tasks.base import NOT_SCORED, Split
from codesign.training.evidence import (
    Evidence,
    Networks,
    evidence_of,
    find_evidence,
    load_evidence,
    save_control,
    save_evidence,
)
from codesign.training.evidence.cells import BINS, REACH_UNITS, mirrored_by_block
from codesign.training.evidence.clips import choose_clips, clips_that_fit
from codesign.training.initial import initial_row
from codesign.training.packing import packing_of
from codesign.training.reading import MeanCurrents, mirrored_current
from codesign.training.scores import balanced_accuracy
from tests.trained import made_up_run

CLIPS, FRAMES, UNITS, LAYERS, CLASSES = 40, 9, 3, 2, 3


def clips() -> Tensor:
    return torch.rand(CLIPS, FRAMES, 4, generator=torch.Generator().manual_seed(5))


def parameters(seed: int) -> dict[str, Tensor]:
    """A network at the start of its training: candidates meet the thresholds of every unit."""
    settings = TrainingSection(initial_beta_lo_units=0.6, initial_width_units=0.5)
    shape = (4, UNITS, LAYERS, CLASSES)
    row = initial_row(shape, clips(), settings, torch.Generator().manual_seed(seed))
    return packing_of(Network(*shape)).unpack(row)


@pytest.fixture(scope="module")
def split() -> Split:
    labels = torch.randint(CLASSES, (CLIPS,), generator=torch.Generator().manual_seed(6))
    return Split(clips(), labels, tuple(f"clip-{k}" for k in range(CLIPS)))


@pytest.fixture(scope="module")
def networks() -> Networks:
    network = Network(4, UNITS, LAYERS, CLASSES)
    network.load_state_dict(parameters(1))
    return Networks(Model(network, tuple("abc"), LAST_FRAME, 8), parameters(2))


@pytest.fixture(scope="module")
def evidence(networks: Networks, split: Split) -> Evidence:
    return evidence_of(networks, split)


def test_rules_are_counted_by_class_for_both_networks(
    evidence: Evidence, networks: Networks, split: Split
) -> None:
    names = [str(rule).partition(":")[0] for rule in evidence.rules["rule"].unique()]
    assert names[0] == "last_frame"
    # A decision per frame is for tasks that have a label per frame.
    assert sorted(names) == sorted(set(RULE_NAMES) - {"every_frame"})
    assert networks.control is not None
    traces = {
        "network": evaluate(networks.network, split.inputs),
        "memoryless": evaluate(networks.control, split.inputs, cell_named("memoryless")),
    }
    for row in evidence.rules.to_dict("records"):
        decisions = decide(traces[row["model"]].logits, parse_rule(row["rule"])).tolist()
        pairs = list(zip(decisions, split.labels.tolist(), strict=True))
        assert row["clips"] == sum(label == row["class_index"] for _, label in pairs)
        assert row["right"] == sum(a == b == row["class_index"] for a, b in pairs)


def test_distances_are_from_the_threshold_that_decides(
    evidence: Evidence, networks: Networks, split: Split
) -> None:
    trace = evaluate(networks.network, split.inputs)
    seen: dict[tuple[int, str], list[float]] = {}
    for layer in range(LAYERS):
        upper = networks.network[f"layers.{layer}.cell.beta_hi"].tolist()
        width = networks.network[f"layers.{layer}.cell.width"].tolist()
        for clip, frame, unit in np.ndindex(CLIPS, FRAMES, UNITS):
            on = frame > 0 and float(trace.states[layer][clip, frame - 1, unit]) > 0
            at = float(trace.candidates[layer][clip, frame, unit])
            threshold = upper[unit] - width[unit] if on else upper[unit]
            seen.setdefault((layer, "on" if on else "off"), []).append(at - threshold)
    table = evidence.distances
    assert table["count"].sum() == CLIPS * FRAMES * UNITS * LAYERS
    for (layer, before), values in seen.items():
        part = table[(table["layer"] == layer) & (table["before"] == before)]
        assert len(part) == BINS + 2
        assert part["count"].sum() == len(values)
        assert part["count"].iloc[0] == sum(value < -REACH_UNITS for value in values)
        near = part[(part["low_units"] > -0.101) & (part["high_units"] < 0.101)]
        # Half a bin of rounding at the two edges of the strip.
        assert near["count"].sum() == pytest.approx(sum(abs(v) < 0.1 for v in values), abs=1)
    assert {"on", "off"} == {before for _, before in seen}


def test_the_use_of_units_by_a_plain_loop(
    evidence: Evidence, networks: Networks, split: Split
) -> None:
    trace = evaluate(networks.network, split.inputs)
    for row in evidence.units.to_dict("records"):
        layer, unit = int(row["layer"]), int(row["unit"])
        upper = float(networks.network[f"layers.{layer}.cell.beta_hi"][unit])
        counts = dict.fromkeys(
            ("on", "held", "holds", "sets", "clears", "clips_on", "clips_always_on"), 0
        )
        for clip in range(CLIPS):
            before = before_held = False
            frames = 0
            for frame in range(FRAMES):
                on = float(trace.states[layer][clip, frame, unit]) > 0
                held = on and float(trace.candidates[layer][clip, frame, unit]) <= upper
                counts["on"] += on
                counts["held"] += held
                counts["holds"] += held and not before_held
                counts["sets"] += on and not before
                counts["clears"] += before and not on
                before, before_held, frames = on, held, frames + on
            counts["clips_on"] += frames > 0
            counts["clips_always_on"] += frames == FRAMES
        assert {name: int(row[name]) for name in counts} == counts
        assert row["frames"] == CLIPS * FRAMES
    # The made-up network must have what the loop counts, or it shows nothing.
    assert (evidence.units[["held", "holds", "clears"]].sum() > 0).all()


def test_a_unit_that_forgets_is_one_without_a_window(
    evidence: Evidence, networks: Networks, split: Split
) -> None:
    scores = []
    for layer, unit in np.ndindex(LAYERS, UNITS):
        changed = {name: value.clone() for name, value in networks.network.items()}
        changed[f"layers.{layer}.cell.width"][unit] = 0
        decisions = decide(evaluate(changed, split.inputs).logits, networks.model.decision)
        scores.append(float(balanced_accuracy(decisions, split.labels, CLASSES)))
    assert evidence.units["forgotten_balanced_accuracy"].tolist() == pytest.approx(scores)
    whole = evidence.facts["forgetting"]["balanced_accuracy"]
    assert evidence.facts["forgetting"]["clips"] == CLIPS
    assert any(score != pytest.approx(whole) for score in scores)


def test_mirrored_currents_add_up_to_what_training_prices(
    evidence: Evidence, networks: Networks, split: Split
) -> None:
    trace = evaluate(networks.network, split.inputs)
    expected = float(mirrored_current(MeanCurrents.of(trace), networks.network))
    blocks = mirrored_by_block(trace, networks.network)
    assert sum(blocks.values()) == pytest.approx(expected, rel=1e-5)
    assert sum(evidence.facts["mirrored_current_units"].values()) == pytest.approx(
        expected, rel=1e-5
    )


def test_clips_and_rasters_are_those_of_the_network(
    evidence: Evidence, networks: Networks, split: Split
) -> None:
    trace = evaluate(networks.network, split.inputs)
    assert networks.control is not None
    control = evaluate(networks.control, split.inputs, cell_named("memoryless"))
    table = evidence.clips
    last = trace.logits[:, -1]
    assert table["decision"].tolist() == last.argmax(-1).tolist()
    assert table["control_decision"].tolist() == control.logits[:, -1].argmax(-1).tolist()
    for row in table.to_dict("records"):
        values = last[int(row["clip"])].tolist()
        right = values.pop(int(row["label"]))
        assert row["right_lead_units"] == pytest.approx(right - max(values), abs=1e-5)
    assert ((table["right_lead_units"] > 0) == (table["label"] == table["decision"])).all()
    for raster in evidence.rasters:
        assert raster.clip_id == f"clip-{raster.clip}"
        np.testing.assert_array_equal(raster.inputs, split.inputs[raster.clip])
        for layer in range(LAYERS):
            # Alone or in company, a clip's values differ by rounding.
            np.testing.assert_allclose(
                raster.candidates[layer], trace.candidates[layer][raster.clip], atol=1e-5
            )
        np.testing.assert_allclose(raster.logits, trace.logits[raster.clip], atol=1e-5)
        np.testing.assert_allclose(raster.compared, last[raster.clip], atol=1e-5)


def test_a_split_in_parts_gives_the_same(
    evidence: Evidence, networks: Networks, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("gather._VALUES_AT_ONCE", "units._AT_ONCE"):
        monkeypatch.setattr(f"codesign.training.evidence.{module}", 7 * FRAMES * UNITS)
    parts = evidence_of(networks, split)
    pd.testing.assert_frame_equal(parts.rules, evidence.rules)
    pd.testing.assert_frame_equal(parts.distances, evidence.distances)
    pd.testing.assert_frame_equal(parts.units, evidence.units)
    pd.testing.assert_frame_equal(parts.clips, evidence.clips, atol=1e-5)


def test_the_median_right_decisions_and_the_worst_wrong_one_are_chosen() -> None:
    table = pd.DataFrame(
        [(0, 0, 0, 5.0), (1, 0, 0, 1.0), (2, 0, 0, 2.0), (3, 1, 0, 0.5), (4, 1, 0, 3.0),
         (5, 2, 2, 0.1)],
        columns=["clip", "label", "decision", "margin_units"],
    )  # fmt: skip
    assert [choice.clip for choice in choose_clips(table)] == [2, 5, 4]
    assert [choice.clip for choice in choose_clips(table, 2)] == [2, 4]
    right = table[table["label"] == table["decision"]]
    assert [choice.clip for choice in choose_clips(right)] == [2, 5]


def test_long_clips_are_fewer_but_never_none() -> None:
    assert clips_that_fit(8, 44) == 12
    assert clips_that_fit(101, 2071) == 2
    assert clips_that_fit(10**6, 9000) == 1


def test_evidence_is_kept_as_it_was(tmp_path: Path, evidence: Evidence) -> None:
    run = made_up_run(tmp_path / "run")
    save_evidence(run, evidence)
    kept = load_evidence(run)
    assert kept is not None
    assert {k: kept.facts[k] for k in evidence.facts} == evidence.facts
    for name in ("rules", "clips", "units", "distances"):
        pd.testing.assert_frame_equal(getattr(kept, name), getattr(evidence, name))
    for one, other in zip(kept.rasters, evidence.rasters, strict=True):
        assert one.why == other.why
        for node in ("inputs", "candidates", "states", "logits", "compared"):
            kept_node, node_now = getattr(one, node), getattr(other, node)
            np.testing.assert_allclose(kept_node, node_now, rtol=1e-3, atol=1e-4)
    size = sum(path.stat().st_size for path in run.evidence_dir.iterdir())
    assert size < 2_000_000


def test_evidence_of_other_weights_is_measured_again(tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "run")
    first = find_evidence(run)
    assert first is not None
    assert "control_decision" not in first.clips
    save_evidence(run, first)
    other = made_up_run(tmp_path / "other", seed=1)
    run.weights_file.write_bytes(other.weights_file.read_bytes())
    assert load_evidence(run) is None
    again = find_evidence(run)
    assert again is not None
    assert again.units["beta_hi_units"].tolist() != first.units["beta_hi_units"].tolist()


def test_the_control_comes_from_its_file(tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "run")
    found = find_evidence(run)
    assert found is not None
    assert set(found.rules["model"]) == {"network"}
    weights = {k: torch.zeros_like(v) for k, v in load_file(run.weights_file).items()}
    save_control(run, weights)
    found = find_evidence(run)
    assert found is not None
    assert set(found.rules["model"]) == {"network", "memoryless"}
    # All logits are equal, so the first class wins everywhere.
    assert found.clips["control_decision"].eq(0).all()


@pytest.mark.parametrize("name", ["clips.parquet", "rasters.safetensors"])
def test_damaged_evidence_is_named(tmp_path: Path, name: str) -> None:
    run = made_up_run(tmp_path / "run")
    found = find_evidence(run)
    assert found is not None
    save_evidence(run, found)
    (run.evidence_dir / name).write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"evidence of the training\) is damaged.*Delete it"):
        load_evidence(run)


def test_a_control_of_other_shapes_is_refused(tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "run")
    save_control(run, {"projection.weight": torch.zeros(2, 2)})
    with pytest.raises(InputError, match="does not have the shapes"):
        find_evidence(run)
    run.control_file.write_bytes(b"\x80")
    with pytest.raises(InputError, match="is damaged"):
        find_evidence(run)


def test_old_schemas_are_not_read(tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "run")
    found = find_evidence(run)
    assert found is not None
    save_evidence(run, found)
    path = run.evidence_dir / "evidence.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 0}))
    assert load_evidence(run) is None


@pytest.mark.parametrize("name", [name for name in CELLS if name != "fq_bmru"])
def test_other_cells_have_decisions_and_states_but_no_thresholds(name: str, split: Split) -> None:
    torch.manual_seed(0)
    model = Model(Network(4, 4, 1, CLASSES, cell_named(name)), tuple("abc"), LAST_FRAME, 8)
    for value in model.network.parameters():
        value.data = 0.5 * torch.randn(value.shape)
    found = evidence_of(Networks(model), split)
    assert found.units.empty
    assert found.distances.empty
    assert found.facts["mirrored_current_units"] is None
    assert found.facts["forgetting"] is None
    trace = model.network(split.inputs)
    own = found.rules[found.rules["rule"] == "last_frame"]
    assert own["right"].sum() == int((trace.logits[:, -1].argmax(-1) == split.labels).sum())
    raster = found.rasters[0]
    np.testing.assert_allclose(
        raster.states[0], trace.states[0][raster.clip].detach(), rtol=1e-4, atol=1e-5
    )


def test_labels_per_frame_are_counted_by_frame() -> None:
    tokens = torch.randint(0, 4, (6, 10), generator=torch.Generator().manual_seed(1))
    labels = (tokens % CLASSES).clone()
    labels[:, 0] = NOT_SCORED
    split = Split(tokens, labels, tuple("abcdef"), 4)
    network = Network(4, UNITS, LAYERS, CLASSES)
    network.load_state_dict(parameters(1))
    model = Model(network, tuple("abc"), parse_rule("every_frame"), 8)
    found = evidence_of(Networks(model, parameters(2)), split)
    decisions = network(split.currents()).logits.argmax(-1)
    right = int(((decisions == labels) & (labels != NOT_SCORED)).sum())
    own = found.rules[found.rules["model"] == "network"]
    assert own["rule"].unique().tolist() == ["every_frame"]
    assert (own["clips"].sum(), own["right"].sum()) == (54, right)
    assert len(found.clips) == 54
    assert (found.clips["label"] == found.clips["decision"]).sum() == right
    assert all(raster.label == -1 for raster in found.rasters)
    assert len({raster.clip for raster in found.rasters}) == len(found.rasters) == 3
