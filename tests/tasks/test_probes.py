"""Memory probes: labels are what a reader of the lines would say, evenly spread, seeded."""

import numpy as np
import pytest
import torch

from codesign.errors import InputError
from codesign.flows import parse_flow
from codesign.sequence_sections import ProbeTask
from codesign.tasks import Split, load_task, needs_data
from codesign.tasks.base import NOT_SCORED

KINDS = ("copy_first", "delayed_recall", "flip_flop", "counting", "parity")


def _task(kind: str, **knobs: object) -> ProbeTask:
    sizes = {"train_clips": 60, "validation_clips": 12, "test_clips": 30, "classes": 3}
    return ProbeTask.model_validate({"kind": kind, "frames": 23, **sizes, **knobs})


def _read(kind: str, split: Split, classes: int, silence: bool = False) -> list[list[int]]:
    """The label after every frame, read from the lines one frame after the other."""
    on = (split.inputs > 0.5).numpy()
    told = []
    for clip in on:
        held, events, labels = NOT_SCORED, 0, []
        for frame in clip:
            if kind in ("counting", "parity"):
                assert frame.sum() == 1
                events += int(frame[0])
                held = events % classes if kind == "parity" else events
            else:
                assert frame[:classes].sum() == 1 or (silence and not frame.any())
                if frame[classes] and (kind != "copy_first" or held == NOT_SCORED):
                    held = int(frame[:classes].argmax())
            labels.append(held)
        told.append(labels)
    return told


@pytest.mark.parametrize("distractor_rate", [1.0, 0.3, 0.0])
@pytest.mark.parametrize("kind", KINDS)
def test_labels_are_what_the_lines_say(kind: str, distractor_rate: float) -> None:
    for every_frame in (False, True):
        knobs = {"every_frame": every_frame, "distractor_rate": distractor_rate}
        data = load_task(_task(kind, **knobs), None, 0)
        assert data.per_frame == every_frame
        for split in data.splits().values():
            told = _read(kind, split, 3, silence=distractor_rate < 1)
            expected = told if every_frame else [labels[-1] for labels in told]
            assert split.labels.tolist() == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("frames", "rate"), [(2, 0.05), (2, 0.95), (40, 0.1), (40, 0.97)])
def test_classes_are_even_whatever_the_events(kind: str, frames: int, rate: float) -> None:
    data = load_task(_task(kind, frames=frames, event_rate=rate), None, 1)
    for split in data.splits().values():
        assert np.bincount(split.labels.numpy(), minlength=3).tolist() == [len(split) // 3] * 3
        assert [told[-1] for told in _read(kind, split, 3)] == split.labels.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_frame_alone_says_nothing(kind: str) -> None:
    """A network without memory is at chance: the lines of the last frame do not tell the label."""
    task = _task(kind, frames=60, train_clips=3000, event_rate=0.05)
    split = load_task(task, None, 2).train
    last, labels = split.inputs[:, -1].argmax(-1).numpy(), split.labels.numpy()
    told = sum(np.bincount(labels[last == line], minlength=3).max() for line in np.unique(last))
    assert told / 3000 < (0.42 if kind in ("flip_flop", "counting") else 0.37)


@pytest.mark.parametrize(("rate", "least", "most"), [(1.0, 1, 1), (0.3, 0.25, 0.35), (0.0, 0, 0)])
def test_so_many_frames_without_a_cue_show_a_symbol(rate: float, least: float, most: float) -> None:
    task = _task("delayed_recall", frames=100, distractor_rate=rate)
    on = load_task(task, None, 0).train.inputs > 0.5
    shown, cue = on[..., :3].any(-1), on[..., 3]
    assert shown[cue].all()
    assert least <= shown[~cue].double().mean() <= most


def test_the_cue_of_delayed_recall_comes_in_the_first_half_and_once() -> None:
    cue = load_task(_task("delayed_recall", train_clips=500), None, 0).train.inputs[..., -1] > 0.5
    assert (cue.sum(-1) == 1).all()
    assert set(cue.int().argmax(-1).tolist()) == set(range(11))


def test_test_clips_may_be_longer() -> None:
    data = load_task(_task("parity", classes=2, test_frames=70), None, 0)
    assert (data.train.frames, data.validation.frames, data.test.frames) == (23, 23, 70)
    assert [told[-1] for told in _read("parity", data.test, 2)] == data.test.labels.tolist()


def test_the_seed_alone_decides() -> None:
    task = _task("flip_flop")
    assert not needs_data(task)
    first, again, other = (load_task(task, None, seed) for seed in (5, 5, 6))
    assert torch.equal(first.test.inputs, again.test.inputs)
    assert torch.equal(first.test.labels, again.test.labels)
    assert not torch.equal(first.test.inputs, other.test.inputs)
    assert not torch.equal(first.train.inputs[:12], first.validation.inputs)


def test_levels_are_the_floor_and_the_scale() -> None:
    inputs = load_task(_task("copy_first", input_scale_units=1.5), None, 0).train.inputs
    assert sorted(set(inputs.flatten().tolist())) == pytest.approx([0.1, 1.5])
    assert inputs.shape == (60, 23, 4)


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(InputError, match="needs 9 events in 4 frames"):
        parse_flow({"task": {"name": "probe", "kind": "counting", "classes": 10, "frames": 4}}, "f")
    with pytest.raises(InputError, match=r"task.kind"):
        parse_flow({"task": {"name": "probe", "kind": "copy"}}, "f")
