"""What is said while samples run: pace without what was there already, and lines in a log."""

import pytest

from codesign.cli import progress
from codesign.cli.progress import Pace, in_lines


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_pace_counts_what_was_done_now() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.text(400, 500, 0, kept=400) == ""
    clock.now += 20
    assert pace.text(410, 500, 2, retried=1, kept=400) == (
        "2 s per sample, 2 failed, 1 run again, 3:00 min left"
    )
    clock.now += 1
    assert pace.text(500, 500, 0, kept=400) == "4.76 samples/s"


def test_long_runs_are_told_in_hours() -> None:
    clock = Clock()
    pace = Pace(clock)
    clock.now += 60
    assert pace.text(1, 301, 0) == "60 s per sample, 5 h 00 min left"


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LINE_EVERY_S", 30.0)
    clock, said = Clock(), list[str]()
    show = in_lines(Pace(clock), said.append, clock)
    for done in range(1, 91):
        clock.now += 1
        show(done, 100, 0)
    assert said == [
        "samples: 30 of 100, 1 samples/s, 1:10 min left",
        "samples: 60 of 100, 1 samples/s, 0:40 min left",
        "samples: 90 of 100, 1 samples/s, 0:10 min left",
    ]
