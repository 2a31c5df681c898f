"""A sweep as a list of runs: which flow goes into which folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesign.errors import InputError
from codesign.flows import Flow, load_flow
from codesign.runs import Run
from codesign.search.space import Settings, folder_names
from codesign.training import is_finished


@dataclass(frozen=True)
class Planned:
    """One run of a sweep: combination ``index``, its seed, its folder's name, and its flow."""

    index: int
    name: str
    settings: Settings
    flow: Flow

    def run(self, folder: Path) -> Run:
        """Its run folder below the sweep's."""
        return Run(folder / self.name)

    def value(self, key: str) -> Any:
        """What the flow has under a dotted key; lists as text, so that it fits a table."""
        found: Any = self.flow
        for part in key.split("."):
            found = getattr(found, part)
        return found if isinstance(found, (bool, int, float, str)) else str(found)


def plan_runs(
    source: str | Path, overrides: tuple[str, ...], combinations: Sequence[Settings], seeds: int
) -> list[Planned]:
    """Every combination with ``seeds`` seeds, from the flow's own on.

    Raises InputError when a key is unknown or does not take a value: nothing is begun then.
    """
    planned = []
    for index, (settings, name) in enumerate(
        zip(combinations, folder_names(combinations), strict=True)
    ):
        changes = tuple(f"{key}={value}" for key, value in settings)
        base = load_flow(source, (*overrides, *changes))
        for seed in range(base.seed, base.seed + seeds):
            flow = load_flow(source, (*overrides, *changes, f"seed={seed}"))
            planned.append(Planned(index, f"{name}_seed-{seed}", settings, flow))
    return planned


def check_folder(folder: Path, mark: Path, planned: Sequence[Planned]) -> None:
    """Raise InputError when ``folder`` is no sweep (which has the file ``mark``), or has a
    finished run of a flow other than the planned one."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, not a sweep folder; choose another name with --run.")
    if folder.is_dir() and any(folder.iterdir()) and not mark.is_file():
        raise InputError(
            f"{folder} is not empty and holds no {mark.name}, so it is not a sweep; choose another "
            "name with --run."
        )
    changed = [
        item.name
        for item in planned
        if is_finished(run := item.run(folder)) and run.flow() != item.flow
    ]
    if changed:
        more = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
        raise InputError(
            f"{folder / changed[0]}{more} holds a finished model of a different flow; choose "
            "another folder with --run, or replace all of the sweep's runs with --force."
        )
