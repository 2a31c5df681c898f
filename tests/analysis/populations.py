"""Small tables of samples of chips, for tests that count by hand."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from codesign.analysis.chips import POWERS


def samples(
    margins: Sequence[Sequence[float | None]],
    network: Sequence[float],
    corner: str | None = None,
    power_w: float = 1e-7,
) -> pd.DataFrame:
    """Chips (rows) by clips (columns) with these margins of the network's class; None failed.

    Every clip is of class 0, the network decides 0 with margins ``network``; a chip with a negative
    margin decides 1. A lost vote has four states that differ.
    """
    rows: list[dict[str, object]] = []
    for chip, clips in enumerate(margins):
        for clip, margin in enumerate(clips):
            failed, lost = margin is None, margin is not None and margin < 0
            rows.append(
                {
                    "sample": len(rows), "chip": chip, "clip": 10 + clip, "clip_id": f"clip-{clip}",
                    "status": "timeout" if failed else "ok", "message": "", "log": "",
                    "label": 0, "twin_decision": 0, "twin_margin_units": network[clip],
                    "chip_decision": pd.NA if failed else int(lost),
                    "agree": pd.NA if failed else not lost,
                    "network_decision": 0, "network_margin_units": network[clip],
                    "logit_margin_units": np.nan if failed else margin,
                    "states_differing": pd.NA if failed else 4 * lost,
                    "candidate_error_rms_units": np.nan if failed else 0.03 + 0.01 * lost,
                    "explanation": "because" if lost else None,
                    **dict.fromkeys(POWERS, np.nan if failed else power_w),
                }
            )  # fmt: skip
    table = pd.DataFrame(rows).astype(
        {"chip": "Int64", "chip_decision": "Int64", "agree": "boolean", "states_differing": "Int64"}
    )
    return table if corner is None else table.assign(corner=corner)
