"""Workers that are stopped: what they were doing goes with them."""

import time
from pathlib import Path

import pytest

from codesign.files import atomic_path
from codesign.simulation.workers import worker_pool


def _write_slowly(path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("half of it")
        time.sleep(600)


def test_a_worker_that_is_stopped_takes_what_it_was_writing_with_it(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), worker_pool(1) as pool:  # noqa: PT012
        pool.submit(_write_slowly, tmp_path / "shard.parquet")
        while not any(path.read_text() for path in tmp_path.iterdir()):
            time.sleep(0.02)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
