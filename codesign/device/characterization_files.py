"""A characterisation on disk: one parquet file per sweep and ``characterization.json``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from codesign.device.characterise import Characterization
from codesign.device.range import check_range
from codesign.errors import InputError
from codesign.files import atomic_path, read_json, write_json
from codesign.pdk import Pdk

SCHEMA = 1
FACTS = "characterization.json"

# Figure of characterization.json: (largest value allowed, what it is).
TARGETS: dict[str, tuple[float, str]] = {
    "weight_error_rms_nominal": (0.005, "weights of unit devices at nominal, rms"),
    "weight_error_worst_over_temperature": (0.01, "weights of unit devices, -20 to 85 C, worst"),
    "cell_error_rms": (0.005, "thresholds, widths and gains of programmed cells, rms"),
    "cell_error_worst": (0.01, "thresholds, widths and gains of programmed cells, worst"),
}


@dataclass(frozen=True)
class Stored:
    """What a folder holds: the facts, and the tables by their name."""

    facts: dict[str, Any]
    tables: dict[str, pd.DataFrame]


def write_characterization(
    folder: Path, measured: Characterization, provenance: dict[str, Any], run: str | None = None
) -> dict[str, Any]:
    """Write every table and the facts into ``folder``; returns the facts.

    Raises InputError when the folder cannot be written.
    """
    point = measured.calibration.point
    files = {}
    for name, sweep in measured.sweeps.items():
        with atomic_path(folder / f"{name}.parquet") as path:
            sweep.table.to_parquet(path, index=False)
        files[name] = {"rows": len(sweep.table), "columns": [str(c) for c in sweep.table.columns]}
    figures = measured.figures
    facts = {
        "schema": SCHEMA,
        "hash": measured.key,
        "run": run,
        "conditions": {
            "pdk": _models(point.pdk),
            "ngspice": point.ngspice_version,
            "hardware": point.hardware.model_dump(),
        },
        "figures": figures,
        "targets": {
            name: {
                "limit": limit,
                "value": figures[name],
                "met": figures[name] <= limit,
                "of": what,
            }
            for name, (limit, what) in TARGETS.items()
        },
        "range_causes": {
            "low": measured.current_range.low_cause,
            "high": measured.current_range.high_cause,
        },
        "outside_range": list(check_range(point.hardware, measured.current_range)),
        "tables": files,
        "provenance": provenance,
    }
    write_json(folder / FACTS, facts)
    return facts


def _models(pdk: Pdk) -> dict[str, Any]:
    """The models by name and hash: where they lie on this machine is nobody else's concern."""
    described = pdk.describe()
    del described["root"]
    return {**described, "files": [path.name for path in pdk.model_files]}


def read_characterization(folder: Path) -> Stored:
    """Read what ``write_characterization`` wrote.

    Raises InputError for a missing or damaged file, or one of another schema.
    """
    facts = read_json(folder / FACTS, "a characterization")
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA:
        raise InputError(
            f"{folder / FACTS} is not of schema {SCHEMA}; make it again with 'codesign "
            "characterize'."
        )
    tables = {}
    for name in facts["tables"]:
        path = folder / f"{name}.parquet"
        try:
            tables[name] = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise InputError(
                f"Cannot read {path} ({error}); make it again with 'codesign characterize'."
            ) from error
    return Stored(facts, tables)
