"""What samples took stands apart from what they gave."""

import numpy as np
import pytest

from codesign.mapping.design import Shape
from codesign.simulation.attempts import (
    STANDARD,
    Attempt,
    attempts_text,
    final_rung,
    read_attempts,
    timing_figures,
    timing_rows,
)
from codesign.simulation.traces import failed, join

SHAPE = Shape(inputs=3, state_dim=2, layers=2, classes=3)
TRIED = [
    Attempt(STANDARD, "", "no_convergence", "timestep too small", 2.0, 30),
    Attempt("exact", ".options bypass=0", "ok", "", 3.0, 40),
]


def test_attempts_are_read_as_they_were_written() -> None:
    assert read_attempts(attempts_text(TRIED)) == TRIED
    assert final_rung(attempts_text(TRIED)) == "exact"
    assert final_rung("[]") == STANDARD


def test_figures_count_every_attempt() -> None:
    traces = join(
        [
            failed(0, SHAPE, 5, "ok", "", "", 5.0, attempts_text(TRIED), 40),
            failed(1, SHAPE, 5, "ok", "", "", 1.0, attempts_text(TRIED[1:]), 70),
            failed(2, SHAPE, 5, "no_convergence", "", "", 3.0, attempts_text([TRIED[0]] * 2), 20),
            failed(3, SHAPE, 5, "ok", "", "", 0.0),
        ]
    )
    rows = timing_rows(traces)
    assert rows["attempts"].tolist() == [2, 1, 2, 1]
    figures = timing_figures(rows)
    assert (figures["samples_retried"], figures["samples_ok_after_retry"]) == (2, 1)
    assert figures["attempts_total"] == 6
    assert figures["peak_memory_sample_bytes"] == 70
    assert figures["seconds_per_sample"] == pytest.approx(9 / 4)
    none = timing_figures(timing_rows(traces.take(np.array([3]))))
    assert none["peak_memory_sample_bytes"] is None
