"""Digests of tables: equal values, equal digests, and no other way round."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from codesign.simulation.manifest import value_digest

TABLE = pd.DataFrame(
    {
        "sample": np.arange(6),
        "status": ["ok", "ok", "timeout", "ok", "", "ok"],
        "agree": pd.array([True, False, None, True, None, True], dtype="boolean"),
        "decision": pd.array([1, 0, None, 2, 1, None], dtype="Int64"),
        "error": [0.0, 1.5, np.nan, -2.0, 1e-30, 3.0],
        "why": pd.Series([None, "a", "b", None, "", "c"], dtype=object),
        "small": np.linspace(0, 1, 6, dtype=np.float32),
    }
)


def _digest(table: pd.DataFrame, folder: Path, rows: int | None = None) -> str:
    path = folder / "table.parquet"
    table.to_parquet(path, index=False, row_group_size=rows or 100, compression="zstd")
    return value_digest(path)


def test_the_layout_of_the_file_does_not_count(tmp_path: Path) -> None:
    whole = _digest(TABLE, tmp_path)
    assert _digest(TABLE, tmp_path, rows=2) == whole
    assert _digest(TABLE[sorted(TABLE.columns)], tmp_path) == whole
    assert _digest(TABLE.assign(error=TABLE["error"] * -1 * -1), tmp_path) == whole


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.assign(error=t["error"] + np.where(t["sample"] == 4, 1e-45, 0)),
        lambda t: t.assign(error=t["error"].fillna(0.0)),
        lambda t: t.assign(decision=t["decision"].fillna(0)),
        lambda t: t.assign(agree=t["agree"].fillna(False)),
        lambda t: t.assign(why=t["why"].fillna("")),
        lambda t: t.assign(status=["ok", "o", "ktimeout", "ok", "", "ok"]),
        lambda t: t.iloc[::-1],
        lambda t: t.iloc[:5],
        lambda t: t.drop(columns="small"),
        lambda t: t.rename(columns={"small": "tiny"}),
        lambda t: t.assign(small=t["small"].astype(np.float64)),
    ],
)
def test_every_value_counts(tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    assert _digest(change(TABLE), tmp_path) != _digest(TABLE, tmp_path)
