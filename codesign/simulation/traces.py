"""What an engine read of some samples: the one form of a result, whichever engine made it.

A shard is a parquet file, written atomically, of one or more samples: values at the sampling
instant of every frame, mean powers, and how each sample ended. A sample that failed keeps its row,
with a status, a message, a log and NaN for values: it is a result and is never dropped.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from codesign.errors import InputError
from codesign.files import atomic_path
from codesign.mapping.design import Shape

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

BLOCKS = ("cells", "feedforward", "bias", "strobe")
_META = b"codesign"
_ARRAYS = ("candidates_a", "states_a", "logits_a")
_WORDS = ("status", "message", "log", "attempts")
# Of a shard without attempts nothing is known of them.
_UNKNOWN = "[]"
_NAMES = ("sample", *_WORDS, "wall_s", *_ARRAYS, "power_w", "peak_memory_bytes")


@dataclass(frozen=True)
class Traces:
    """What an engine read of ``n`` samples, at the sampling instants.

    sample int64 (n,): indices of the plan. status: "ok", or why there is no result ("range",
    "step_limit", ngspice's own); message: in words; log: path relative to the plan's folder, ""
    if none. wall_s (n,). candidates_a, states_a (n, layers, units, frames) and logits_a
    (n, frames, classes), amperes, float32. power_w (n, 4): cells, feedforward, bias, strobe
    generator; mean over the clip. Values are NaN where status is not "ok". attempts: how often the
    sample was run and with what, as ``simulation.attempts`` writes it. peak_memory_bytes int64
    (n,): of the simulator's process, 0 if not measured.
    """

    sample: NDArray[np.int64]
    status: tuple[str, ...]
    message: tuple[str, ...]
    log: tuple[str, ...]
    wall_s: Floats
    candidates_a: Singles
    states_a: Singles
    logits_a: Singles
    power_w: Floats
    attempts: tuple[str, ...]
    peak_memory_bytes: NDArray[np.int64]

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Which samples ended well, (n,)."""
        return np.array([status == "ok" for status in self.status], dtype=bool)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Traces":
        """The samples at ``rows``: positions, or a mask."""
        chosen = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        values: dict[str, Any] = {
            name: tuple(getattr(self, name)[row] for row in chosen)
            if name in _WORDS
            else getattr(self, name)[chosen]
            for name in _NAMES
        }
        return Traces(**values)


def failed(
    sample: int, shape: Shape, frames: int, status: str, message: str, log: str, wall_s: float,
    attempts: str = _UNKNOWN, peak_memory_bytes: int = 0,
) -> Traces:  # fmt: skip
    """A sample without values."""
    cells = (1, shape.layers, shape.state_dim, frames)
    return Traces(
        np.array([sample], dtype=np.int64), (status,), (message,), (log,), np.array([wall_s]),
        np.full(cells, np.nan, np.float32), np.full(cells, np.nan, np.float32),
        np.full((1, frames, shape.classes), np.nan, np.float32), np.full((1, len(BLOCKS)), np.nan),
        (attempts,), np.array([peak_memory_bytes], dtype=np.int64),
    )  # fmt: skip


def write_traces(path: Path, traces: Traces, key: str = "") -> None:
    """Write a shard; ``key`` names what beside the plan the values depend on (the engine's fit)."""
    count = len(traces.sample)
    columns: dict[str, pa.Array] = {"sample": pa.array(traces.sample)}
    columns |= {name: pa.array(getattr(traces, name), pa.string()) for name in _WORDS}
    for name in ("wall_s", "peak_memory_bytes"):
        columns[name] = pa.array(getattr(traces, name))
    for k, block in enumerate(BLOCKS):
        columns[f"power_{block}_w"] = pa.array(traces.power_w[:, k])
    for name in _ARRAYS:
        flat = np.ascontiguousarray(getattr(traces, name), np.float32).reshape(count, -1)
        values = pa.array(flat.ravel(), pa.float32())
        columns[name] = pa.FixedSizeListArray.from_arrays(values, flat.shape[1])
    shapes = {name: getattr(traces, name).shape[1:] for name in _ARRAYS}
    meta = {_META: json.dumps({"key": key, "shapes": shapes}).encode()}
    with atomic_path(path) as temporary:
        table = pa.table(columns).replace_schema_metadata(meta)
        pq.write_table(table, temporary, compression="zstd")


def read_traces(path: Path, key: str | None = "") -> Traces | None:
    """A shard; None when it is not there or was written under another key (None: any key).

    Raises InputError when the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        table = pq.read_table(path)
        meta = json.loads((table.schema.metadata or {})[_META])
        if key is not None and meta["key"] != key:
            return None
        powers = [table[f"power_{block}_w"].to_numpy() for block in BLOCKS]
        arrays: dict[str, Any] = {
            name: table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
            .reshape(table.num_rows, *meta["shapes"][name])
            for name in _ARRAYS
        }  # fmt: skip
        if "attempts" not in table.column_names:  # written before there were any
            unknown = pa.array([_UNKNOWN] * table.num_rows)
            table = table.append_column("attempts", unknown).append_column(
                "peak_memory_bytes", pa.array(np.zeros(table.num_rows, np.int64))
            )
        words: dict[str, Any] = {name: tuple(table[name].to_pylist()) for name in _WORDS}
        return Traces(
            sample=table["sample"].to_numpy(),
            **words,
            wall_s=table["wall_s"].to_numpy(),
            power_w=np.stack(powers, axis=1),
            peak_memory_bytes=table["peak_memory_bytes"].to_numpy(),
            **arrays,
        )
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise damaged(path, error) from error


def read_ends(path: Path) -> tuple[str, int] | None:
    """How the one sample of a shard ended and how often it was run; None without a shard.

    Raises InputError when the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        table = pq.read_table(path)
        known = "attempts" in table.column_names
        attempts = len(json.loads(table["attempts"][0].as_py())) if known else 1
        return str(table["status"][0].as_py()), max(1, attempts)
    except (OSError, ValueError, KeyError, TypeError, IndexError, pa.ArrowException) as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> InputError:
    """The message for a shard that cannot be read."""
    return InputError(f"{path} is damaged ({type(error).__name__}); delete it and simulate again.")


def join(parts: Sequence[Traces]) -> Traces:
    """Samples one after the other."""
    values: dict[str, Any] = {
        name: tuple(chain.from_iterable(getattr(part, name) for part in parts))
        if name in _WORDS
        else np.concatenate([getattr(part, name) for part in parts])
        for name in _NAMES
    }
    return Traces(**values)
