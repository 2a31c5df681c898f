"""What a sweep returns: a table with units in its column names, and its headline figures."""

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from codesign.device.bench import ProcessPoint


@dataclass(frozen=True)
class Sweep:
    """One measured table. ``figures`` are plain numbers under stable names, units in the names.

    A figure that could not be determined is absent, never NaN.
    """

    table: pd.DataFrame
    figures: dict[str, float]


def pack(sweeps: dict[str, Sweep]) -> dict[str, Any]:
    """Sweeps as JSON data; a missing number of a table is null."""
    return {
        name: {
            "columns": {
                str(column): [None if pd.isna(value) else value for value in values.tolist()]
                for column, values in sweep.table.items()
            },
            "figures": sweep.figures,
        }
        for name, sweep in sweeps.items()
    }


def unpack(stored: dict[str, Any]) -> dict[str, Sweep]:
    """The inverse of ``pack``."""
    return {
        name: Sweep(pd.DataFrame(part["columns"]), dict(part["figures"]))
        for name, part in stored.items()
    }


def at_temperature(point: ProcessPoint, temperature_c: float) -> ProcessPoint:
    """The same circuit at another temperature."""
    hardware = point.hardware.model_copy(update={"temperature_c": temperature_c})
    return replace(point, hardware=hardware)
