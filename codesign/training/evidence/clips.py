"""Clips worth looking at: a typical right decision of every class, and the worst wrong one."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# What is kept of them: a page with more would be slow, and nobody would look at them all.
MAX_CLIPS, MAX_FRAMES, BUDGET_BYTES = 12, 2000, 1_200_000
_FRAME_CLIPS = 3


@dataclass(frozen=True)
class Choice:
    """One clip to keep: its number in the split, and why it was chosen."""

    clip: int
    why: str


@dataclass(frozen=True)
class Raster:
    """What one clip does to the network: inputs [T, n_in], candidates [L, T, d], states
    [L, T, state width], logits [T, K], in units; the last ``T`` frames of a long clip.

    compared [K]: what the rule compares. label and decision: classes, -1 where every frame has
    its own.
    """

    clip: int
    clip_id: str
    label: int
    decision: int
    why: str
    first_frame: int
    inputs: Floats
    candidates: Floats
    states: Floats
    logits: Floats
    compared: Floats


def choose_clips(clips: pd.DataFrame, limit: int = MAX_CLIPS) -> list[Choice]:
    """Which clips to keep, at most ``limit``: one per class that was decided rightly, by the
    median of its lead, then the wrong decision with the largest lead.

    clips: columns clip, label, decision, margin_units, one row per clip. With several rows per
    clip (labels per frame) the clips with the most, a median and the fewest right frames.
    """
    if clips["clip"].duplicated().any():
        return _by_right_frames(clips, min(limit, _FRAME_CLIPS))
    right = clips[clips["label"] == clips["decision"]]
    wrong = clips[clips["label"] != clips["decision"]]
    chosen = []
    for _, part in right.groupby("label", sort=True):
        ordered = part.sort_values(["margin_units", "clip"])
        middle = ordered.iloc[(len(ordered) - 1) // 2]
        chosen.append(Choice(int(middle["clip"]), "right, with the median lead of its class"))
    chosen = chosen[: limit - (1 if len(wrong) else 0)]
    if len(wrong):
        worst = wrong.sort_values(["margin_units", "clip"], ascending=[False, True]).iloc[0]
        chosen.append(Choice(int(worst["clip"]), "wrong, with the largest lead of all"))
    return chosen


def _by_right_frames(clips: pd.DataFrame, limit: int) -> list[Choice]:
    right = (clips["label"] == clips["decision"]).groupby(clips["clip"], sort=True).mean()
    ordered = right.sort_values(ascending=False, kind="stable")
    places = dict.fromkeys([(len(ordered) - 1) // 2, 0, len(ordered) - 1])
    return [
        Choice(int(str(ordered.index[at])), f"{100 * ordered.iloc[at]:.0f} % of frames right")
        for at in list(places)[:limit]
    ]


def clips_that_fit(frames: int, values_per_frame: int) -> int:
    """How many clips may be kept within the budget, at least one."""
    kept = 2 * values_per_frame * min(frames, MAX_FRAMES)
    return int(np.clip(BUDGET_BYTES // kept, 1, MAX_CLIPS))
