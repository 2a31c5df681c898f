"""How far a simulation is: a bar on a terminal, a line now and then in a log."""

from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as ProgressBar

from codesign.cli.options import console
from codesign.simulation.execution import Progress
from codesign.simulation.run import Say

T = TypeVar("T")

# Without a terminal: a line whenever this has passed.
_LINE_EVERY_S = 30.0


class Pace:
    """How fast samples end, in words. What was there before the call does not count as work."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._started = clock()

    def text(self, done: int, total: int, failed: int, retried: int = 0, kept: int = 0) -> str:
        """Rate, failures, retries and time left, as far as there is something to say of each."""
        ran, passed = done - kept, self._clock() - self._started
        parts = [f"{failed} failed"] * bool(failed) + [f"{retried} run again"] * bool(retried)
        if ran > 0 and passed > 0:
            rate = ran / passed
            shown = f"{rate:.3g} samples/s" if rate >= 1 else f"{1 / rate:.3g} s per sample"
            parts = [shown, *parts]
            if done < total:
                parts.append(f"{_span((total - done) / rate)} left")
        return ", ".join(parts)


def _span(seconds: float) -> str:
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes}:{left:02d} min"


def with_progress(work: Callable[[Progress, Say], T]) -> T:
    """Do ``work`` while showing samples, pace, failures and time left."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
    )  # fmt: skip

    def say(text: str) -> None:
        console.print(text, markup=False)

    pace = Pace()
    if not console.is_terminal:
        return work(in_lines(pace, say), say)
    with ProgressBar(*columns, console=console) as bar:
        task = bar.add_task("samples", total=None, pace="")

        def show(done: int, total: int, failed: int, retried: int = 0, kept: int = 0) -> None:
            told = pace.text(done, total, failed, retried, kept)
            bar.update(task, completed=done, total=total, pace=told)

        return work(show, say)


def in_lines(pace: Pace, say: Say, clock: Callable[[], float] = monotonic) -> Progress:
    """Progress as a line every ``_LINE_EVERY_S`` seconds: nothing for what is over at once."""
    said = clock()

    def show(done: int, total: int, failed: int, retried: int = 0, kept: int = 0) -> None:
        nonlocal said
        if clock() - said >= _LINE_EVERY_S:
            said = clock()
            told = pace.text(done, total, failed, retried, kept)
            say(f"samples: {done} of {total}" + (f", {told}" if told else ""))

    return show
