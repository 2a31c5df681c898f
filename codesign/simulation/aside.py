"""Samples of another plan under the same name: put aside, not thrown away.

Chips in ngspice may stand for hours of work, and one other option (more clips, another corner, a
netlist that was made again) makes another plan of the same name. Its folder ``sim/mc`` is then
renamed to ``sim/aside/mc-DIGEST``, and taken back when the plan it belongs to is asked for again.
"""

import shutil
from pathlib import Path

from codesign.files import unwritable
from codesign.simulation.plan import NOMINAL

_DIGITS = 12


def aside_path(folder: Path, digest: str) -> Path:
    """Where samples of the plan ``digest`` wait while another one has ``folder``."""
    return folder.parent / "aside" / f"{folder.name}-{digest[:_DIGITS]}"


def take_folder(folder: Path, digest: str, found: str | None, fresh: bool = False) -> Path | None:
    """Make ``folder`` that of the plan ``digest``, with its finished samples unless ``fresh``.

    ``found`` is the plan whose samples are in it (``plan.existing_digest``); samples that belong to
    no plan are removed.

    Returns where the samples of another plan were put, None when there were none worth keeping:
    the nominal chip's, and those of the batched engine, are made again in seconds.
    Raises InputError when the folders cannot be changed.
    """
    waiting, moved = aside_path(folder, digest), None
    try:
        if folder.is_dir() and (fresh or found != digest):
            if found is not None and found != digest and _worth_keeping(folder):
                moved = aside_path(folder, found)
                shutil.rmtree(moved, ignore_errors=True)
                moved.parent.mkdir(parents=True, exist_ok=True)
                folder.rename(moved)
            else:
                shutil.rmtree(folder)
        if fresh:
            shutil.rmtree(waiting, ignore_errors=True)
        elif waiting.is_dir() and not folder.is_dir():
            waiting.rename(folder)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    return moved


def _worth_keeping(folder: Path) -> bool:
    return folder.name != NOMINAL and any((folder / "shards").glob("*.parquet"))
