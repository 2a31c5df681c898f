"""Running one deck up the ladder, and the folder it is run in."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from codesign.simulation.attempts import Attempt, attempts_text
from codesign.simulation.ladder import LADDER, next_rung
from codesign.spice.ngspice import Outcome


@dataclass(frozen=True)
class Tried:
    """All runs of one sample: the ``outcome`` of the last, and what was tried.

    ``log`` holds what the simulator printed, attempt by attempt; ``message`` is the last one's,
    with the rungs that were tried where there was more than one.
    """

    outcome: Outcome
    attempts: tuple[Attempt, ...]
    log: str

    @property
    def wall_s(self) -> float:
        return sum(attempt.wall_s for attempt in self.attempts)

    @property
    def peak_memory_bytes(self) -> int:
        return max(attempt.peak_memory_bytes for attempt in self.attempts)

    @property
    def message(self) -> str:
        rungs = list(dict.fromkeys(attempt.rung for attempt in self.attempts))
        if self.outcome.status == "ok" or len(rungs) == 1:
            return self.outcome.message
        return f"{self.outcome.message} (tried: {', '.join(rungs)})"

    def text(self) -> str:
        """The attempts as shards keep them."""
        return attempts_text(self.attempts)


def climb(deck: str, run: Callable[[str, str], Outcome]) -> Tried:
    """Run ``deck`` as it is, and again as long as the ladder says so.

    ``run(name, text)`` simulates the deck ``text`` under the file name ``name``.
    """
    attempts: list[Attempt] = []
    logs: list[str] = []
    rung, tries = 0, 0
    while True:
        step = LADDER[rung]
        name = "deck.cir" if rung == 0 else f"deck-{step.name}.cir"
        outcome = run(name, step.apply(deck))
        tries += 1
        attempts.append(
            Attempt(
                step.name, step.text(), outcome.status, outcome.message, outcome.wall_s,
                outcome.peak_memory_bytes,
            )
        )  # fmt: skip
        logs.append(outcome.log)
        following = next_rung(rung, outcome.status, tries)
        if following is None:
            return Tried(outcome, tuple(attempts), _log(attempts, logs))
        if following != rung:
            rung, tries = following, 0


def _log(attempts: list[Attempt], logs: list[str]) -> str:
    if len(logs) == 1:
        return logs[0]
    return "\n".join(
        f"* attempt {k}, {attempt.rung}"
        + (f" ({attempt.options})" if attempt.options else "")
        + f": {attempt.status} {attempt.message}\n{log}"
        for k, (attempt, log) in enumerate(zip(attempts, logs, strict=True), start=1)
    )


@contextmanager
def working_folder(parent: Path, name: str) -> Iterator[Path]:
    """A folder of one's own under ``parent``, removed at the end.

    What is to be kept of it is moved away by ``keep_files``. Its name begins with ``name`` and a
    dot, so that what a killed run left is told from what was kept.
    """
    parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=parent))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def keep_files(work: Path) -> None:
    """Keep the files of a working folder under its name without what comes after the dot."""
    kept = work.with_name(work.name.partition(".")[0])
    shutil.rmtree(kept, ignore_errors=True)
    work.replace(kept)


def remove_kept(parent: Path, name: str) -> None:
    """Remove what an earlier run of a sample kept."""
    shutil.rmtree(parent / name, ignore_errors=True)


def remove_leftovers(parent: Path) -> None:
    """Remove the working folders of runs that were killed."""
    for folder in parent.glob("*.*"):
        shutil.rmtree(folder, ignore_errors=True)
