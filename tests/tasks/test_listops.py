"""ListOps: every generated expression obeys the grammar, and its label is its value."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.errors import InputError
from codesign.flows import parse_flow
from codesign.sequence_sections import ListOpsTask
from codesign.tasks import load_task, needs_data
from codesign.tasks.base import NO_TOKEN
from codesign.tasks.listops import OPERATORS, TOKENS, expression_text


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path_factory.mktemp("cache")))


def _task(**knobs: object) -> ListOpsTask:
    sizes = {"train_clips": 40, "validation_clips": 10, "test_clips": 10}
    return ListOpsTask.model_validate({"min_tokens": 8, "max_tokens": 60, **sizes, **knobs})


def value_and_depth(words: list[str]) -> tuple[int, int, int]:
    """(value, depth, most arguments), read from the end with a stack; consumes all words.

    An independent reading: the generator works from the front and applies as it closes.
    """
    stack: list[tuple[int, int, int] | None] = []
    for word in reversed(words):
        if word == "]":
            stack.append(None)
        elif word.isdigit():
            stack.append((int(word), 1, 0))
        else:
            arguments = []
            while (item := stack.pop()) is not None:
                arguments.append(item)
            values = sorted(value for value, _, _ in arguments)
            middle = (values[(len(values) - 1) // 2] + values[len(values) // 2]) // 2
            value = {
                "[MIN": values[0],
                "[MAX": values[-1],
                "[MED": middle,
                "[SM": int(str(sum(values))[-1]),
            }[word]
            depth = 1 + max(depth for _, depth, _ in arguments)
            most = max(len(arguments), *(count for _, _, count in arguments))
            assert len(arguments) >= 2
            stack.append((value, depth, most))
    assert len(stack) == 1
    assert stack[0] is not None
    return stack[0]


@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**31 - 1),
    shortest=st.integers(1, 30),
    room=st.integers(10, 80),
    depth=st.integers(3, 8),
    arguments=st.integers(4, 10),
)
def test_labels_are_values_and_the_grammar_is_kept(
    seed: int, shortest: int, room: int, depth: int, arguments: int
) -> None:
    task = _task(
        min_tokens=shortest, max_tokens=shortest + room, max_depth=depth, max_args=arguments,
        train_clips=5, validation_clips=2, test_clips=2,
    )  # fmt: skip
    for split in load_task(task, None, seed).splits().values():
        for tokens, label in zip(split.inputs.numpy(), split.labels.tolist(), strict=True):
            words = expression_text(tokens).split()
            value, deep, most = value_and_depth(words)
            assert value == label
            assert shortest <= len(words) <= shortest + room
            assert deep <= depth
            assert most <= arguments
            first = len(tokens) - len(words)
            assert (tokens[:first] == NO_TOKEN).all()  # padding is at the front
            assert (tokens[first:] != NO_TOKEN).all()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[MAX 2 9 [MIN 4 7 ] 0 ]", 9),
        ("[SM 5 8 9 ]", 2),
        ("[MED 1 9 3 ]", 3),
        ("[MED 1 2 4 9 ]", 3),
        ("[MED 1 2 3 9 ]", 2),
        ("[MIN [SM 9 9 ] [MED 7 8 ] ]", 7),
    ],
)
def test_operators_by_hand(text: str, value: int) -> None:
    assert value_and_depth(text.split())[0] == value


def test_operators_agree_on_all_short_lists() -> None:
    for values in itertools.product(range(0, 10, 3), repeat=4):
        for name, apply in OPERATORS.items():
            words = [name, *map(str, values), "]"]
            assert apply(list(values)) == value_and_depth(words)[0]


def test_the_grammar_s_probabilities() -> None:
    """A quarter of the expressions below the root are operators, each one, and each count of
    arguments, as likely as the others (no rejection to speak of with these lengths)."""
    task = _task(
        min_tokens=2, max_tokens=4000, max_depth=3, max_args=5, train_clips=1500,
        validation_clips=1, test_clips=1,
    )  # fmt: skip
    texts = [expression_text(t) for t in load_task(task, None, 0).train.inputs.numpy()]
    roots = np.array([TOKENS.index(text.split()[0]) for text in texts])
    assert np.bincount(roots, minlength=14)[10:] == pytest.approx(375, abs=60)
    second = [text.split()[1] for text in texts]
    assert np.mean([word in OPERATORS for word in second]) == pytest.approx(0.25, abs=0.045)
    # Duplicates are refused, so lists of two digits are a little rarer than a quarter.
    assert all(value_and_depth(text.split())[1] <= 3 for text in texts)


def test_nothing_twice_and_the_test_split_stays_when_training_grows() -> None:
    assert not needs_data(_task())
    small, large = load_task(_task(), None, 3), load_task(_task(train_clips=60), None, 3)
    texts = [
        expression_text(tokens)
        for split in large.splits().values()
        for tokens in split.inputs.numpy()
    ]
    assert len(set(texts)) == len(texts) == 80
    assert small.test.inputs.tolist() == large.test.inputs.tolist()
    assert small.train.inputs.tolist() == large.train.inputs[:40].tolist()
    other = load_task(_task(), None, 4)
    assert small.test.inputs.tolist() != other.test.inputs.tolist()


def test_the_cache_gives_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path))
    first = load_task(_task(), None, 1)
    assert len(list(tmp_path.rglob("*.npz"))) == 1
    monkeypatch.setattr("codesign.tasks.listops._generate", None)  # would fail if it were called
    again = load_task(_task(), None, 1)
    assert first.train.inputs.tolist() == again.train.inputs.tolist()
    assert first.train.labels.tolist() == again.train.labels.tolist()


def test_the_published_lengths() -> None:
    task = ListOpsTask(train_clips=4, validation_clips=1, test_clips=1)
    data = load_task(task, None, 0)
    assert data.train.inputs.shape == (4, 2000)
    assert data.n_inputs == 15
    for tokens, label in zip(data.train.inputs.numpy(), data.train.labels.tolist(), strict=True):
        words = expression_text(tokens).split()
        assert 500 <= len(words) <= 2000
        assert value_and_depth(words)[0] == label


def test_too_many_of_too_few_expressions() -> None:
    with pytest.raises(InputError, match="none was new and had 1 to 4 tokens"):
        load_task(_task(min_tokens=1, max_tokens=4, train_clips=1000), None, 0)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({"min_tokens": 9, "max_tokens": 9}, "make it at least 12"),
        ({"max_depth": 3, "max_args": 3}, "give 17 tokens at most"),
    ],
)
def test_knobs_that_do_not_fit(task: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_flow({"task": {"name": "listops", **task}}, "flow")
