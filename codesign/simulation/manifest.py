"""The manifest of a plan's results: what is there, how it ended, and what it is equal to.

The digest of a table is of its values: two tables have the same one when they have the same
columns, of the same kinds, with equal values in the same order, however their files are laid out.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import codesign
from codesign.files import write_json
from codesign.simulation.plan import Plan
from codesign.simulation.results import Results

# Values of these do not depend on the machine, the workers or interruptions.
TABLES = ("samples", "states", "logits", "units", "roots")


def value_digest(path: Path) -> str:
    """sha256 of the values of a parquet file. NaN equals NaN, and a missing value only itself."""
    file = pq.ParquetFile(path)
    digest = hashlib.sha256()
    names = sorted(file.schema_arrow.names)
    digest.update(f"{file.metadata.num_rows} {names}".encode())
    for name in names:  # one column at a time: tables of states are large
        column = file.read(columns=[name])[name].combine_chunks()
        kind, data = _bytes(column)
        digest.update(f"\n{name} {kind} ".encode())
        digest.update(np.packbits(column.is_null().to_numpy(zero_copy_only=False)).tobytes())
        digest.update(data)
    return digest.hexdigest()


def _bytes(column: pa.Array) -> tuple[str, bytes]:
    """The kind of a column, and its values as bytes; missing ones count as zero or nothing."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_null(column.type):
        return "null", b""
    if pa.types.is_floating(column.type):
        values = column.fill_null(np.nan).to_numpy(zero_copy_only=False)
        canonical = np.where(np.isnan(values), values.dtype.type(np.nan), values + 0.0)
        return values.dtype.name, canonical.astype(values.dtype.newbyteorder("<")).tobytes()
    if pa.types.is_boolean(column.type):
        flags = column.fill_null(False).to_numpy(zero_copy_only=False)
        return "bool", np.packbits(flags).tobytes()
    if pa.types.is_integer(column.type):
        numbers = column.fill_null(0).to_numpy(zero_copy_only=False)
        return numbers.dtype.name, numbers.astype(numbers.dtype.newbyteorder("<")).tobytes()
    texts = pc.fill_null(column.cast(pa.large_string()), "").to_pylist()
    return "text", "\0".join(texts).encode()


def write_manifest(folder: Path, plan: Plan, engine: str, results: Results) -> dict[str, Any]:
    """Write ``manifest.json`` of the tables in ``folder``, which ``results`` were written to."""
    samples, timings = results.samples, results.timings
    kind = "groups" if (folder / "groups").is_dir() and engine != "ngspice" else "shards"
    tables = {
        name: {"values_sha256": value_digest(path), "rows": pq.ParquetFile(path).metadata.num_rows}
        for name in TABLES
        if (path := folder / f"{name}.parquet").is_file()
    }
    statuses = samples["status"].value_counts()
    manifest = {
        "plan": plan.name,
        "plan_digest": plan.digest,
        "engine": engine,
        "codesign": codesign.__version__,
        "samples": {"start": plan.start, "stop": plan.stop, "of": plan.total},
        "statuses": {str(name): int(n) for name, n in sorted(statuses.items())},
        "failed": samples.loc[samples["status"] != "ok", "sample"].astype(int).tolist(),
        "parts": {"folder": kind, "files": len(list((folder / kind).glob("*.parquet")))},
        "tables": tables,
        "this_machine": {
            "attempts": int(timings["attempts"].sum()),
            "samples_retried": int((timings["attempts"] > 1).sum()),
        },
    }
    write_json(folder / "manifest.json", manifest)
    return manifest
