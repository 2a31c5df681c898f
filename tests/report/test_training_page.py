"""The training page: its numbers against plain computations, its parts, hostile names."""

import base64
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from codesign.analysis.intervals import mean_proportion, wilson
from codesign.cells import cell_named
from codesign.checkpoint import Model, save_model
from codesign.flows import TrainingSection
from codesign.network import Network
from codesign.report import build_report
from codesign.report.load import load_run
from codesign.report.style import NBSP, percent, signed
from codesign.report.training import (
    clips,
    curves,
    decisions,
    measured,
    memory,
    parameters,
    room,
    starts,
    viewer,
)
from codesign.report.training.data import Learned, Score, load_learned, rule_words
from codesign.report.training.heat import LEVELS, binned, boxes, shades_of
from codesign.report.training.page import training_page
from codesign.report.training.verdict import training_verdict
from codesign.rules import LAST_FRAME
from codesign.runs import Run
from codesign.tasks.base import Split
from codesign.testset import save_test_split
from codesign.training.evidence import save_control
from codesign.training.hardware_limits import Limits, confine, on_grid
from codesign.training.initial import initial_row
from codesign.training.packing import packing_of
from codesign.training.schedule import moment
from tests.report.fake_run import Fake, make_run
from tests.report.pages import Page

CLIPS, FRAMES = 48, 8
HOSTILE = "<img src=x onerror=alert(1)>"


def learned_run(path: Path, names: tuple[str, ...] = ("0", "1", "2", "3")) -> Run:
    """A made-up training with a network, a control and test clips that belong together."""
    fake = Fake(class_names=names)
    run = make_run(path, "training", fake)
    flow = run.flow()
    shape = (fake.inputs, fake.units, fake.layers, len(names))
    network = Network(*shape)
    packing, limits = packing_of(network), Limits.of(flow)
    draw = torch.Generator().manual_seed(3)
    inputs = torch.rand(CLIPS, FRAMES, fake.inputs, generator=draw)
    labels = torch.randint(len(names), (CLIPS,), generator=draw)
    settings = TrainingSection(initial_beta_lo_units=0.6, initial_width_units=0.5)
    drawn = [initial_row(shape, inputs, settings, torch.Generator().manual_seed(k)) for k in (1, 2)]
    rows = [on_grid(confine(row, packing, limits), packing, limits.grid) for row in drawn]
    network.load_state_dict(packing.unpack(rows[0]))
    save_model(run, Model(network, names, LAST_FRAME, 8))
    save_control(run, packing.unpack(rows[1]))
    save_test_split(run, Split(inputs, labels, tuple(f"{names[k]}/{k}" for k in labels.tolist())))
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return learned_run(tmp_path_factory.mktemp("learned") / "run")


@pytest.fixture(scope="module")
def learned(run: Run) -> Learned:
    found = load_learned(load_run(run))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def html(run: Run) -> str:
    return build_report(run).with_name("training.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_every_part_is_there_and_the_page_is_light(html: str, page: Page) -> None:
    ids = {element.attributes.get("id") for element in page.all("section")}
    assert {
        "verdict", "curves", "decisions", "starts", "gallery", "memory", "room", "parameters",
        "measured",
    } <= ids  # fmt: skip
    assert len(html) < 3_000_000
    pictures = [e for e in page.all("svg") if e.attributes.get("class") == "figure"]
    assert pictures
    assert all(e.attributes.get("aria-label") for e in pictures)
    assert all(e.attributes.get("role") == "img" for e in pictures)


def test_the_first_page_links_it(run: Run, html: str) -> None:
    first = Page((run.report_dir / "index.html").read_text(encoding="utf-8"))
    assert [a for a in first.all("a") if a.attributes["href"] == "training.html"]
    assert [a for a in Page(html).all("a") if a.attributes["href"] == "index.html"]


def test_the_same_run_gives_the_same_bytes(run: Run, html: str) -> None:
    assert build_report(run).with_name("training.html").read_text(encoding="utf-8") == html


def test_the_verdict_has_denominators_and_intervals(learned: Learned, page: Page) -> None:
    assert learned.evidence is not None
    clips = learned.evidence.clips
    names = range(4)
    right, control, total = (
        [int(((clips["label"] == k) & mark).sum()) for k in names]
        for mark in (
            clips["decision"] == clips["label"],
            clips["control_decision"] == clips["label"],
            clips["label"] >= 0,
        )
    )
    own, other = (
        float(np.mean([r / n for r, n in zip(hits, total, strict=True)]))
        for hits in (right, control)
    )
    low, high = mean_proportion(right, total) or (0, 0)
    text = page.text("verdict").replace(NBSP, " ")
    for expected in (
        f"{percent(own)} balanced accuracy on {CLIPS} test clips",
        f"of {CLIPS} test clips in 4 classes, 95 % interval {percent(low)} to {percent(high)}",
        f"{signed(100 * (own - other))} points",
        "6 starts",
        "not mapped yet",
    ):
        assert expected.replace(NBSP, " ") in text
    gained = int(((clips["decision"] == clips["label"])
                  & (clips["control_decision"] != clips["label"])).sum())  # fmt: skip
    assert f"{gained} right with memory alone" in text


def test_recalls_and_rules_are_counted(learned: Learned, page: Page) -> None:
    assert learned.evidence is not None
    text = page.text("decisions").replace(NBSP, " ")
    clips = learned.evidence.clips
    for k in range(4):
        part = clips[clips["label"] == k]
        right = int((part["decision"] == k).sum())
        low, high = wilson(right, len(part)) or (0, 0)
        row = f"{len(part)}{right}{percent(right / len(part))}{percent(low, 0)} to"
        assert row.replace(NBSP, " ") in text
        assert percent(high, 0).replace(NBSP, " ") in text
    for rule in learned.evidence.rules["rule"].unique():
        assert rule_words(str(rule)) in text
    assert text.index("the last frame (trained)") < text.index("the mean logit")


def test_a_new_rule_appears_by_itself(learned: Learned) -> None:
    assert learned.evidence is not None
    rules = learned.evidence.rules
    more = rules[rules["rule"] == "mean_logit"].assign(rule="majority<vote>")
    evidence = replace(learned.evidence, rules=pd.concat([rules, more]))
    section = decisions.section(replace(learned, evidence=evidence))
    assert section is not None
    assert "majority<vote>" in [row[0].text for table in section.tables for row in table.rows]


def test_near_candidates_are_counted_by_side(learned: Learned) -> None:
    assert learned.evidence is not None
    table = learned.evidence.distances
    near = room.near_counts(table, 0.05)
    for row in near.to_dict("records"):
        part = table[(table["layer"] == row["layer"]) & (table["before"] == row["before"])]
        inside = [
            count
            for low, high, count in zip(
                part["low_units"], part["high_units"], part["count"], strict=True
            )
            if low > -0.051 and high < 0.051
        ]
        assert len(inside) == 4
        assert row["near"] == sum(inside)
        assert row["count"] == part["count"].sum()


def test_weights_are_counted_on_their_grid() -> None:
    draw = np.random.default_rng(0)
    values = np.rint(draw.normal(0, 1, 300) * 8) / 8
    at, counts = parameters.grid_counts(values, 8)
    expected = Counter(values.tolist())
    assert dict(zip(at.tolist(), counts.tolist(), strict=True)) == {
        value: expected.get(value, 0) for value in at.tolist()
    }
    assert counts.sum() == 300


def test_what_is_at_a_limit_is_counted(learned: Learned) -> None:
    limits = Limits.of(learned.data.flow)
    weights = np.concatenate(
        [value.ravel() for name, value in learned.weights.items() if ".cell." not in name]
    )
    high = np.concatenate([learned.weights[f"layers.{k}.cell.beta_hi"] for k in (0, 1)])
    width = np.concatenate([learned.weights[f"layers.{k}.cell.width"] for k in (0, 1)])
    found = {what: (at, of) for what, _, at, of in parameters.limits_met(learned)}
    weight_limit = learned.data.flow.training.weight_limit
    assert found["largest |weight|"] == (int((abs(weights) == weight_limit).sum()), len(weights))
    lowest = int((abs(high - width - limits.beta_lo_min) < 1e-4).sum())
    assert found["lowest β_lo"] == (lowest, len(high))


def test_use_of_units_in_words_and_points() -> None:
    columns = {
        "layer": [0] * 5, "unit": range(5), "frames": [800] * 5, "on": [0, 800, 200, 300, 400],
        "held": [0, 0, 4, 100, 0], "holds": [0, 0, 4, 25, 0], "window": [0] * 5,
        "sets": [0, 100, 10, 30, 20], "clears": [0, 0, 10, 20, 20],
        "forgotten_balanced_accuracy": [0.9, 0.9, 0.88, 0.6, 0.92],
    }  # fmt: skip
    use = memory.usage(pd.DataFrame(columns), 100, 0.9)
    assert use["use"].tolist() == [
        "never on", "always on", "hardly remembers", "remembers", "follows its candidate",
    ]  # fmt: skip
    assert use["points_lost"].tolist() == pytest.approx([0, 0, 2, 30, -2])
    assert use["hold_frames"].iloc[3] == 4
    assert np.isnan(use["hold_frames"].iloc[0])
    assert use["changes_per_clip"].tolist() == [0, 1, 0.2, 0.5, 0.4]
    assert use["held_share"].iloc[3] == 0.125
    assert use["driven_share"].iloc[3] == 0.25


def test_a_cell_that_is_always_on_does_not_count_as_one_that_remembers(learned: Learned) -> None:
    assert learned.evidence is not None
    units = learned.evidence.units.copy()
    for kind in ("on", "held"):
        units[kind] = units[kind].where(units.index > 0, units["frames"])
    always = replace(learned, evidence=replace(learned.evidence, units=units))
    shown = memory.section(always)
    assert shown is not None
    remembering = memory.uses(units).count("remembers")
    assert shown.lead.startswith(f"{remembering} of {len(units)} ")
    (card,) = [c for c in training_verdict(always).cards if c.label.startswith("Cells that use")]
    assert (card.value, card.unit) == (str(remembering), f"of {len(units)}")
    assert "1 always" in card.detail


def test_the_schedule_is_that_of_the_training() -> None:
    settings = TrainingSection(steps=1000, grid_ramp_fraction=0.2, margin_ramp_fraction=0.5)
    table = curves.schedule(settings)
    for row in table.to_dict("records"):
        now = moment(int(row["step"]), settings)
        assert row["leak"] == now.leak
        assert row["grid_strength"] == now.grid_strength
        assert row["margin_strength"] == now.margin_strength
        assert row["learning_rate"] == now.learning_rate
    assert table["step"].iloc[[0, -1]].tolist() == [0, 999]
    assert len(curves.schedule(TrainingSection(steps=1))) == 1


def test_a_schedule_that_was_not_followed_is_not_drawn(run: Run, learned: Learned) -> None:
    settings = learned.data.flow.training
    history = learned.data.history.copy()
    network = history["model"] == "network"
    step = np.minimum(history["step"], settings.steps) - 1
    history.loc[network, "eps"] = [moment(int(s), settings).leak for s in step[network]]
    followed = replace(learned, data=replace(learned.data, history=history))
    other = history.assign(eps=0.35)
    wrong = replace(learned, data=replace(learned.data, history=other))
    drawn = [curves.section(one) for one in (followed, wrong)]
    assert all(section is not None for section in drawn)
    texts = [section.figures[0].svg for section in drawn if section is not None]
    assert "leak ε" in texts[0]
    assert "margin" in texts[0]
    assert "leak ε" not in texts[1]


def test_scores_leave_out_classes_that_do_not_occur() -> None:
    score = Score((9, 0, 4), (10, 0, 8))
    assert score.value == pytest.approx((0.9 + 0.5) / 2)
    assert score.interval == pytest.approx(mean_proportion([9, 4], [10, 8]))


def test_heat_maps_merge_runs() -> None:
    shades = np.array([[0, 2], [1, 2], [1, 0], [0, 2]])
    assert boxes(shades, 1) == [(0, 1, 2)]
    assert boxes(shades, 2) == [(1, 0, 2), (1, 3, 1)]
    assert shades_of([-1, 0, 0.5, 1, 9], 1.0).tolist() == [0, 0, 4, LEVELS, LEVELS]
    assert shades_of([1.0], 0.0).tolist() == [0]
    values, length = binned(np.arange(10.0).reshape(10, 1), 4)
    assert length == 3
    assert values.ravel().tolist() == [1, 4, 7]


def test_the_viewer_reads_what_was_kept(learned: Learned, html: str) -> None:
    assert learned.evidence is not None
    packed = viewer.payload(learned)
    embedded = html.partition('id="course-data">')[2].partition("</script>")[0]
    assert json.loads(embedded) == json.loads(json.dumps(packed))
    units = learned.evidence.units.set_index(["layer", "unit"])
    for clip, raster in zip(packed["clips"], learned.evidence.rasters, strict=True):
        assert clip["frames"] == FRAMES
        for layer, heat in enumerate(clip["layers"]):
            marks = np.frombuffer(base64.b64decode(heat["data"]), np.uint8)
            marks = marks.reshape(heat["rows"], FRAMES)
            for unit, frame in np.ndindex(heat["rows"], FRAMES):
                on = raster.states[layer][frame, unit] > 0
                upper = units.loc[(layer, unit), "beta_hi_units"]
                held = on and raster.candidates[layer][frame, unit] <= upper
                assert marks[unit, frame] == int(on) + int(held)
                low, high, line = clip["candidates"][f"{layer}.{unit}"]
                values = np.frombuffer(base64.b64decode(line), "<u2") * (high - low) / 65535 + low
                assert values[frame] == pytest.approx(
                    raster.candidates[layer][frame, unit], abs=1e-4
                )
    # Both ways of being on must occur, or the loop above shows nothing.
    every = b"".join(
        base64.b64decode(heat["data"]) for clip in packed["clips"] for heat in clip["layers"]
    )
    assert {0, 1, 2} <= set(every)


def test_a_baseline_shows_what_applies(tmp_path: Path) -> None:
    run = learned_run(tmp_path / "run")
    (run.control_file).unlink()
    network = Network(8, 4, 2, 4, cell_named("gru"))
    save_model(run, Model(network, ("0", "1", "2", "3"), LAST_FRAME, 8))
    metrics = json.loads(run.metrics_file.read_text())
    del metrics["memoryless"], metrics["margin"]
    run.metrics_file.write_text(json.dumps({**metrics, "cell": "gru"}))
    learned = load_learned(load_run(run))
    assert learned is not None
    assert learned.thresholds is None
    assert memory.section(learned) is None
    assert clips.gallery_section(learned) is not None
    drawn = curves.section(learned)
    assert drawn is not None
    assert "grid" not in drawn.figures[0].svg
    leads = room.section(learned)
    assert leads is not None
    assert leads.beside is None
    assert "do not apply" in " ".join(measured.section(learned).notes)
    assert not viewer.payload(learned)["bistable"]
    cards = {card.label: card for card in training_verdict(learned).cards}
    assert "no circuit here" in cards["Predicted power"].detail
    assert "Cells that use their memory" not in cards
    section = parameters.section(learned)
    assert section is not None
    assert [table.title for table in section.tables] == ["Parameters by group"]


def test_a_run_of_a_sweep_links_it(learned: Learned) -> None:
    section = starts.section(learned)
    assert section is not None
    assert section.link is None
    page = learned.data.run.path.with_name("sweep.html")
    page.write_text("a sweep")
    try:
        section = starts.section(learned)
    finally:
        page.unlink()
    assert section is not None
    assert section.link is not None
    assert (learned.data.run.report_dir / section.link[0]).resolve() == page.resolve()


def test_rules_in_words() -> None:
    assert rule_words("last_k:10") == "the last 10 frames"
    assert rule_words("latch:2.5") == "a latch at 2.5 units"
    assert rule_words("of_tomorrow:3") == "of tomorrow:3"


def test_hostile_names_are_text(tmp_path: Path) -> None:
    run = learned_run(tmp_path / "run", (HOSTILE, "</script>", "&amp;", "x" * 300))
    html = build_report(run).with_name("training.html").read_text(encoding="utf-8")
    page = Page(html)
    assert not page.all("img")
    assert HOSTILE not in html
    assert "&lt;img src=x" in html
    for script in page.all("script"):
        assert "</script>" not in "".join(script.text)


def test_a_run_without_clips_says_what_is_missing(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", "training")
    data = load_run(run)
    made = training_page(data)
    assert made is not None
    sections = {section.key: section for section in made[1]}
    assert list(sections) == ["curves", "decisions", "starts", "room", "measured"]
    assert "holds no test clips" in " ".join(sections["measured"].notes)
    right = sum(row[k] for k, row in enumerate(data.metrics["confusion"]))
    total = sum(map(sum, data.metrics["confusion"]))
    assert f"{right} of {total} test clips" in sections["decisions"].lead


def test_a_model_from_elsewhere_has_no_page(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", "design")
    run.metrics_file.unlink()
    run.history_file.unlink()
    run.report_dir.mkdir()
    stale = run.report_dir / "training.html"
    stale.write_text("of another training")
    assert training_page(load_run(run)) is None
    build_report(run)
    assert not stale.exists()


def test_predicted_power_is_that_of_the_design(tmp_path: Path) -> None:
    learned = load_learned(load_run(make_run(tmp_path / "run", "design")))
    assert learned is not None
    (card,) = [c for c in training_verdict(learned).cards if c.label == "Predicted power"]
    assert (card.value, card.unit) == ("422", "nW")
    assert card.detail.startswith("by the mapper, gf180mcu")
