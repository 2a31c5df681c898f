"""The cache keeps what is used, within its bound."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from codesign.tasks import feature_cache
from codesign.tasks.feature_cache import Arrays, cached_features


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path))
    return tmp_path / "features"


class Counted:
    """Makes 4 kB of features and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def make(self, value: int) -> Callable[[], Arrays]:
        def compute() -> Arrays:
            self.times += 1
            return {"train": np.full(1000, value, np.float32)}

        return compute


def test_many_tasks_and_seeds_in_turn_find_theirs_again() -> None:
    made = Counted()
    for _round in range(3):
        for key in range(40):
            assert cached_features(key, made.make(key))["train"][0] == key
    assert made.times == 40


def test_what_is_unused_for_longest_goes_first(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_cache, "_KEPT_BYTES", 3 * 4500)
    made = Counted()
    for key in (0, 1, 2):
        cached_features(key, made.make(key))
    cached_features(0, made.make(0))  # used again: 1 is now the oldest
    cached_features(3, made.make(3))
    assert made.times == 4
    assert len(list(own_cache.glob("*.npz"))) == 3
    cached_features(0, made.make(0))
    assert made.times == 4
    cached_features(1, made.make(1))
    assert made.times == 5


def test_features_larger_than_the_bound_are_kept_until_the_next(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_cache, "_KEPT_BYTES", 100)
    made = Counted()
    for _ in range(2):
        cached_features("large", made.make(0))
    assert made.times == 1
    cached_features("next", made.make(1))
    assert len(list(own_cache.glob("*.npz"))) == 1
