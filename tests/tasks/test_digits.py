"""The digits by rows: the same split for the same seed, no clip in two splits, true images."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from codesign.flows import DigitsTask
from codesign.tasks import TaskData, load_task, needs_data


def _load(seed: int = 0, **task: object) -> TaskData:
    return load_task(DigitsTask.model_validate(task), None, seed)


def _digit_and_index(name: str) -> tuple[int, int]:
    word, digit, index = name.split("-")
    assert word == "digit"
    return int(digit), int(index)


def test_nothing_is_downloaded() -> None:
    assert not needs_data(DigitsTask())


def test_the_split_depends_on_the_seed_alone() -> None:
    first, again, other = _load(3), _load(3), _load(4)
    for name, split in first.splits().items():
        same = again.splits()[name]
        assert split.ids == same.ids
        assert torch.equal(split.inputs, same.inputs)
        assert torch.equal(split.labels, same.labels)
        assert set(split.ids) != set(other.splits()[name].ids)


def test_global_randomness_has_no_part_in_it() -> None:
    torch.manual_seed(1)
    first = _load(0).train.ids
    torch.manual_seed(2)
    assert _load(0).train.ids == first


def test_splits_are_disjoint_and_leave_nothing_out() -> None:
    data = _load(classes=(0, 1, 2, 3))
    ids = [name for split in data.splits().values() for name in split.ids]
    assert len(set(ids)) == len(ids)
    target = np.asarray(load_digits().target)
    assert {_digit_and_index(name)[1] for name in ids} == set(np.flatnonzero(target < 4).tolist())


def test_splits_are_stratified() -> None:
    classes = tuple(range(10))
    target = np.asarray(load_digits().target)
    totals = np.bincount(target, minlength=10)
    for name, share in (("train", 0.6), ("validation", 0.2), ("test", 0.2)):
        split = _load(classes=classes).splits()[name]
        counts = np.bincount(split.labels.numpy(), minlength=10)
        assert np.abs(counts - share * totals).max() <= 1


def test_adding_a_class_leaves_the_others_where_they_are() -> None:
    few, more = _load(classes=(1, 7)), _load(classes=(7, 4, 1))
    for name, split in few.splits().items():
        assert set(split.ids) == {i for i in more.splits()[name].ids if "digit-4-" not in i}


@pytest.mark.parametrize("classes", [(0, 1, 2, 3), (9, 0, 5)])
def test_labels_index_the_classes_in_their_order(classes: tuple[int, ...]) -> None:
    data = _load(classes=classes)
    assert data.class_names == tuple(str(digit) for digit in classes)
    for split in data.splits().values():
        digits = [classes[label] for label in split.labels.tolist()]
        assert digits == [_digit_and_index(name)[0] for name in split.ids]


def test_the_first_clips_cover_all_classes() -> None:
    assert set(_load().test.labels[:20].tolist()) == {0, 1, 2, 3}


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.5])
def test_inputs_lie_within_the_scale_and_reach_it(scale: float) -> None:
    for split in _load(input_scale_units=scale).splits().values():
        assert split.inputs.dtype == torch.float32
        assert split.inputs.min() == pytest.approx(0.1)
        assert split.inputs.max() == pytest.approx(scale)


def test_frames_are_the_rows_of_the_image_from_the_top() -> None:
    source = load_digits()
    test = _load(input_scale_units=2.0).test
    assert test.inputs.shape[1:] == (8, 8)
    for inputs, name in zip(test.inputs, test.ids, strict=True):
        digit, index = _digit_and_index(name)
        assert source.target[index] == digit
        for frame in range(8):
            row = 0.1 + source.images[index][frame] * (1.9 / 16)
            np.testing.assert_allclose(inputs[frame].numpy(), row, rtol=1e-6)


def test_the_notes_say_how_to_make_the_inputs_again() -> None:
    notes = _load(input_scale_units=1.5).notes
    assert (notes["brightest_pixel"], notes["input_scale_units"]) == (16.0, 1.5)
    assert notes["input_floor_units"] == 0.1
