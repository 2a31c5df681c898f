"""Splits: tokens become currents per batch, labels per clip or per frame, on disk and back."""

import pytest
import torch
from torch import Tensor

from codesign.errors import InputError
from codesign.tasks.base import NO_TOKEN, NOT_SCORED, Split, TaskData
from codesign.training.scores import balanced_accuracy, confusion, plain_accuracy

TOKENS = torch.tensor([[2, 0, 1], [NO_TOKEN, 1, 1]], dtype=torch.int16)
LABELS = torch.tensor([0, 1])
IDS = ("a", "b")


def _tokens(labels: Tensor = LABELS, lines: int = 3) -> Split:
    return Split(TOKENS, labels, IDS, lines)


def test_tokens_are_one_line_each_and_padding_none() -> None:
    split = _tokens()
    inputs, labels = split.batch(torch.tensor([1, 0]))
    assert inputs.dtype == torch.float32
    assert inputs.tolist() == [
        [[0, 0, 0], [0, 1, 0], [0, 1, 0]],
        [[0, 0, 1], [1, 0, 0], [0, 1, 0]],
    ]
    assert labels.tolist() == [1, 0]
    assert (split.frames, split.n_inputs, split.per_frame) == (3, 3, False)


def test_slices_and_indices_agree() -> None:
    currents = Split(torch.rand(5, 4, 2), torch.arange(5), tuple("abcde"))
    for split in (_tokens(), currents):
        whole = split.batch(slice(None))
        some = split.batch(torch.arange(len(split)))
        assert all(torch.equal(a, b) for a, b in zip(whole, some, strict=True))
        assert torch.equal(split.currents(), whole[0])
    assert torch.equal(currents.batch(slice(1, 3))[0], currents.inputs[1:3])
    assert currents.n_inputs == 2


def test_a_large_vocabulary_is_not_kept_as_currents() -> None:
    # As currents these would be 400 GB.
    tokens = torch.zeros(1, 1, dtype=torch.int16).expand(10_000, 10_000)
    split = Split(tokens, torch.zeros(10_000, dtype=torch.int64), ("x",) * 10_000, 1000)
    inputs, _ = split.batch(torch.tensor([7]))
    assert inputs.shape == (1, 10_000, 1000)
    assert split.sample(frames=20_000).shape == (2, 10_000, 1000)


def test_a_sample_is_spread_over_the_split() -> None:
    split = Split(torch.arange(10.0)[:, None, None], torch.arange(10), tuple("abcdefghij"))
    assert split.sample(5).flatten().tolist() == [0, 2, 4, 6, 8]
    assert torch.equal(split.sample(10), split.inputs)
    assert len(split.sample(0)) == 1


def test_labels_per_frame() -> None:
    labels = torch.tensor([[0, 1, NOT_SCORED], [NOT_SCORED, 1, 1]])
    split = _tokens(labels)
    assert split.per_frame
    assert split.batch(slice(1, 2))[1].tolist() == [[NOT_SCORED, 1, 1]]
    predictions = torch.tensor([[0, 0, 1], [1, 1, 0]])  # right, wrong, -, -, right, wrong
    assert float(plain_accuracy(predictions, labels)) == 0.5
    assert float(balanced_accuracy(predictions, labels, 2)) == pytest.approx((1 + 1 / 3) / 2)
    assert confusion(predictions, labels, 2) == [[1, 0], [2, 1]]
    starts = torch.stack([predictions, labels.clamp_min(0)])
    assert plain_accuracy(starts, labels).tolist() == [0.5, 1.0]
    assert float(plain_accuracy(torch.tensor([1, 1]), torch.tensor([0, 1]))) == 0.5


@pytest.mark.parametrize("split", [_tokens(), Split(torch.rand(2, 3, 4), LABELS, IDS)])
def test_on_disk_and_back(split: Split) -> None:
    found = Split.from_tensors(split.tensors("train."), split.ids, "train.")
    assert found.lines == split.lines
    assert torch.equal(found.inputs, split.inputs)
    assert found.inputs.dtype == split.inputs.dtype
    assert torch.equal(found.labels, split.labels)
    placed = split.to("cpu")
    assert (placed.ids, placed.lines) == (split.ids, split.lines)


def test_runs_made_before_there_were_tokens_are_read() -> None:
    old = {"inputs": torch.rand(2, 3, 4), "labels": LABELS}
    assert Split.from_tensors(old, IDS).lines == 0


@pytest.mark.parametrize(
    ("inputs", "labels", "lines", "message"),
    [
        (TOKENS, LABELS, 2, "0..1"),
        (TOKENS.float(), LABELS, 3, "integers"),
        (TOKENS[..., None], LABELS, 3, "integers"),
        (TOKENS - 1, LABELS, 3, "NO_TOKEN"),
        (TOKENS, LABELS, 0, "float32"),
        (-torch.rand(2, 3, 4), LABELS, 0, "non-negative"),
        (TOKENS, torch.tensor([0, NOT_SCORED]), 3, "NOT_SCORED"),
        (TOKENS, torch.full((2, 3), -2), 3, "NOT_SCORED"),
        (TOKENS, LABELS.int(), 3, "int64"),
        (TOKENS, torch.zeros(2, 2, dtype=torch.int64), 3, "per frame"),
        (TOKENS, torch.zeros(3, dtype=torch.int64), 3, "per clip"),
    ],
)
def test_what_is_not_a_split_is_refused(
    inputs: Tensor, labels: Tensor, lines: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Split(inputs, labels, IDS, lines)


def test_splits_of_a_task_have_one_shape() -> None:
    with pytest.raises(ValueError, match="differs"):
        TaskData(_tokens(), _tokens(lines=4), _tokens(), ("x", "y"), "")
    with pytest.raises(ValueError, match="differs"):
        TaskData(_tokens(), _tokens(torch.zeros(2, 3).long()), _tokens(), ("x", "y"), "")
    with pytest.raises(ValueError, match="no class name"):
        TaskData(_tokens(), _tokens(), _tokens(), ("x",), "")
    nothing = Split(TOKENS[:0], LABELS[:0], (), 3)
    with pytest.raises(InputError, match="test split is empty"):
        TaskData(_tokens(), _tokens(), nothing, ("x", "y"), "")
