"""What is drawn of a clip that a run has heard, and under which name."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from codesign.checkpoint import CHIP_CELL, Model, model_parameters
from codesign.errors import InputError
from codesign.report.clip_picture import FORMATS, ClipPicture
from codesign.rules import Rule
from codesign.tasks.base import Split
from codesign.use.engines import Heard
from codesign.use.listen import Window

_ENGINES = {
    "twin": "software twin",
    "batched": "transistors (batched engine)",
    "ngspice": "transistors (ngspice)",
}
_UNFIT = re.compile(r"[^A-Za-z0-9_.@-]+")


def picture_of(
    model: Model, window: Window, clips: Split, heard: Heard, twin: Heard | None, row: int,
    engine: str,
) -> ClipPicture:  # fmt: skip
    """The picture of clip ``row``, which the window is of; ``twin`` where it is not the engine."""
    layers, frames = heard.states.shape[1::2]
    gains = None
    if model.cell == CHIP_CELL:
        parameters = model_parameters(model)
        gains = np.stack([parameters[f"layers.{k}.cell.alpha"] for k in range(layers)])
    logits, decision = heard.logits[row], int(heard.decision[row])
    rule = model.decision
    return ClipPicture(
        title=window.name.rpartition("/")[2],
        sound=window.samples,
        rate_hz=window.rate_hz,
        frame_s=window.frame_s,
        inputs=clips.currents(slice(row, row + 1))[0].double().numpy(),
        states=heard.states[row],
        gains=gains,
        logits=logits,
        twin_logits=None if twin is None else twin.logits[row],
        compared=heard.compared[row],
        class_names=model.class_names,
        decision=decision,
        margin_units=float(heard.margins[row, decision]),
        rule=str(rule),
        engine=_ENGINES[engine],
        taken_frame=taken_frame(logits, rule),
        first_counted_frame=frames - rule.frames if rule.name == "last_k" else 0,
    )


def taken_frame(logits: np.ndarray, rule: Rule) -> int | None:
    """The frame at whose end the rule decides, of logits [frames, classes]; None where it looks at
    several."""
    last = len(logits) - 1
    if rule.name == "last_frame":
        return last
    if rule.name != "latch":
        return None
    top = np.sort(logits, axis=1)
    passed = np.flatnonzero(top[:, -1] - top[:, -2] > rule.threshold_units)
    return int(passed[0]) if len(passed) else last


def picture_paths(target: Path, windows: Sequence[Window]) -> list[Path]:
    """Where the picture of every window goes: the file itself for one window, else files in the
    folder, named after the windows.

    Raises InputError when one file is named for several windows, or its suffix is not a picture's.
    """
    if target.suffix in FORMATS:
        if len(windows) > 1:
            raise InputError(
                f"--picture {target} is one file, and there are {len(windows)} decisions; name a "
                "folder."
            )
        return [target]
    if target.suffix and not target.is_dir():
        raise InputError(f"--picture {target}: pictures are .png or .svg; or name a folder.")
    seen: Counter[str] = Counter()
    paths = []
    for window in windows:
        parent, stem = window.path.parent.name, window.path.stem
        at = window.name.removeprefix(str(window.path))
        name = _UNFIT.sub("_", "-".join(part for part in (parent, stem) if part) + at)
        seen[name] += 1
        number = "" if seen[name] == 1 else f"-{seen[name]}"
        paths.append(target / f"{name}{number}.png")
    return paths
