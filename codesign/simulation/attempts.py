"""How often a sample was run, with which options, and what that cost.

A sample is usually run once. What an attempt took depends on the machine and its load, so it stands
in a table of its own, ``timings.parquet``: all other tables are equal whatever machine, number of
workers or interruptions they were made with.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from codesign.simulation.traces import Traces

STANDARD = "standard"


@dataclass(frozen=True)
class Attempt:
    """One run of the simulator on one sample.

    ``rung`` is the name of the options it was run with and ``options`` what these change in the
    deck ("" for the standard ones). ``peak_memory_bytes`` is the simulator's, 0 if not known.
    """

    rung: str
    options: str
    status: str
    message: str
    wall_s: float
    peak_memory_bytes: int


def attempts_text(attempts: Iterable[Attempt]) -> str:
    """Attempts as shards keep them: a list in JSON."""
    return json.dumps([asdict(attempt) for attempt in attempts])


def read_attempts(text: str) -> list[Attempt]:
    """What ``attempts_text`` wrote."""
    return [Attempt(**item) for item in json.loads(text)]


def final_rung(text: str) -> str:
    """The name of the options that gave a sample's values."""
    attempts = read_attempts(text)
    return attempts[-1].rung if attempts else STANDARD


def timing_rows(traces: Traces) -> pd.DataFrame:
    """Rows of ``timings.parquet``: what each sample took on this machine.

    ``attempts`` counts the runs of the simulator, ``wall_s`` is all of them together,
    ``attempts_json`` has them one by one.
    """
    counts = [max(1, len(json.loads(text))) for text in traces.attempts]
    return pd.DataFrame(
        {
            "sample": traces.sample,
            "status": list(traces.status),
            "attempts": pd.array(counts, dtype="int64"),
            "wall_s": traces.wall_s,
            "peak_memory_bytes": traces.peak_memory_bytes,
            "attempts_json": list(traces.attempts),
        }
    )


def timing_figures(timings: pd.DataFrame) -> dict[str, float | int | None]:
    """Headline figures of ``timings.parquet``.

    ``samples_retried``: samples run more than once, ``samples_ok_after_retry`` those of them that
    ended well. ``peak_memory_sample_bytes`` is that of the largest simulator process, None where
    none was measured.
    """
    again = timings["attempts"] > 1
    peak = int(timings["peak_memory_bytes"].max()) if len(timings) else 0
    return {
        "seconds_per_sample": float(timings["wall_s"].mean()),
        "samples_retried": int(again.sum()),
        "samples_ok_after_retry": int((again & (timings["status"] == "ok")).sum()),
        "attempts_total": int(timings["attempts"].sum()),
        "peak_memory_sample_bytes": peak or None,
    }


def rungs(attempts: Sequence[str]) -> list[str]:
    """The column ``rung`` of samples.parquet."""
    return [final_rung(text) for text in attempts]
