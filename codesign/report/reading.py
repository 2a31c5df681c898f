"""Reading one file for the report: checked, cleaned, and named in the error when it is bad."""

from pathlib import Path
from typing import Any

import pandas as pd

from codesign.errors import InputError
from codesign.files import read_json


def read_table(path: Path, columns: str, what: str, command: str) -> pd.DataFrame:
    """A parquet or CSV file with at least ``columns`` (names separated by blanks)."""
    _require(path, what, command)
    try:
        if path.suffix == ".csv":
            table = pd.read_csv(path, dtype={"index": str}, keep_default_na=True)
        else:
            table = pd.read_parquet(path)
    except Exception as error:  # pyarrow and pandas raise many types for a damaged file
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{path} ({what}) cannot be read: {reason}. Make it again with '{command}'."
        ) from error
    missing = [name for name in columns.split() if name not in table.columns]
    if missing:
        raise InputError(
            f"{path} ({what}) has no column '{missing[0]}'. Make it again with '{command}'."
        )
    return table


def flatten(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Leaves of nested JSON as (dotted key, value), in file order."""
    if isinstance(value, dict) and value:
        return [
            leaf
            for key, item in value.items()
            for leaf in flatten(item, f"{path}.{key}" if path else str(key))
        ]
    if isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        return [leaf for n, item in enumerate(value) for leaf in flatten(item, f"{path}[{n}]")]
    return [(path, value)]


def read_object(path: Path, what: str, command: str) -> dict[str, Any]:
    """A JSON file that holds an object; ``command`` makes it."""
    _require(path, what, command)
    value = clean(read_json(path, what))
    if not isinstance(value, dict):
        raise InputError(
            f"{path} ({what}) should hold a JSON object. Make it again with '{command}'."
        )
    return value


def clean(value: Any) -> Any:
    """Lone surrogates (legal in JSON, not in UTF-8) replaced, all through."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    return value


def _require(path: Path, what: str, command: str) -> None:
    if not path.is_file():
        raise InputError(f"{path} ({what}) is missing; make it with '{command}'.")
