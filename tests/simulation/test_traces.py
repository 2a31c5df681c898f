"""Shards: what is written is read, failures keep their row, damage is an error."""

from pathlib import Path

import numpy as np
import pytest

from codesign.errors import InputError
from codesign.mapping.design import Shape
from codesign.simulation.traces import Traces, failed, join, read_traces, write_traces

_ARRAYS = ("candidates_a", "states_a", "logits_a")
SHAPE = Shape(inputs=3, state_dim=2, layers=2, classes=3)


def _traces(count: int) -> Traces:
    draw = np.random.default_rng(0)
    grid = (count, 2, 2, 5)
    return Traces(
        np.arange(count, dtype=np.int64) + 4, ("ok",) * count, ("",) * count, ("a.log",) * count,
        draw.random(count), draw.random(grid, np.float32), draw.random(grid, np.float32),
        draw.random((count, 5, 3), np.float32), draw.random((count, 4)),
        (f'[{count}]',) * count, np.arange(count, dtype=np.int64),
    )  # fmt: skip


def test_what_is_written_is_read(tmp_path: Path) -> None:
    bad = failed(9, SHAPE, 5, "timeout", "stopped after 1 s", "logs/sample-00009.log", 1.0)
    whole = join([_traces(3), bad])
    write_traces(tmp_path / "shard.parquet", whole, "fit 1")
    read = read_traces(tmp_path / "shard.parquet", "fit 1")
    assert read is not None
    assert (read.status, read.message, read.log) == (whole.status, whole.message, whole.log)
    assert read.attempts == whole.attempts == ("[3]",) * 3 + ("[]",)
    for name in ("sample", "wall_s", *_ARRAYS, "power_w", "peak_memory_bytes"):
        got, wanted = getattr(read, name), getattr(whole, name)
        assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_array_equal(got, wanted)
    assert read.ok.tolist() == [True, True, True, False]
    assert np.isnan(read.states_a[3]).all()
    assert [path.name for path in tmp_path.iterdir()] == ["shard.parquet"]


def test_rows_are_taken_by_place_or_mask() -> None:
    traces = _traces(4)
    assert traces.take(np.array([2, 0])).sample.tolist() == [6, 4]
    assert traces.take(traces.sample > 5).sample.tolist() == [6, 7]
    np.testing.assert_array_equal(traces.take(np.array([2])).logits_a, traces.logits_a[2:3])


def test_another_key_and_damage(tmp_path: Path) -> None:
    path = tmp_path / "shard.parquet"
    assert read_traces(path) is None
    write_traces(path, _traces(2), "fit 1")
    assert read_traces(path, "fit 2") is None
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"shard\.parquet is damaged"):
        read_traces(path, "fit 1")
