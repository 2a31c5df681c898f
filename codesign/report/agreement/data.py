"""What the agreement page reads beside the tables of the report."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from codesign.report.reading import read_table
from codesign.report.rundata import RunData, Simulation

_COMMAND = "codesign simulate"
_ROOTS = (
    "root sample frame layer unit cause why evidence states clip_id chip decision_differs "
    "twin_candidate_units chip_candidate_units chip_state_units twin_active chip_was_active "
    "threshold_units spread_units gap_units"
)
_WAVES = "root at candidate_units v0_v state_units"
_PAIRS = "sigma_units clip layer unit candidate_rms_units ratio frames frames_flipped reached"

# A word for every cause, in the order in which they are listed, with what it means.
CAUSES = {
    "threshold": "the twin's candidate is within the spread of the threshold that decided: either "
    "outcome is right",
    "settling": "a candidate or a state line had not arrived when it was looked at or read",
    "glitch": "the candidate strayed inside the frame, was latched, and came back",
    "static": "the candidate had settled, at another value than the twin's",
    "range": "the cell's programmed numbers are not those of the network, or it has no window",
    "hold": "a strobed cell moved while it should hold",
    "injection": "a strobed cell moved with an edge of its strobe",
    "inherited": "its own previous state, or a state below, already differs",
}
# Palette role of each cause, for figures.
ROLES = {
    "threshold": "class0", "settling": "class1", "glitch": "class3", "static": "class6",
    "range": "class7", "hold": "class4", "injection": "class2",
}  # fmt: skip


@dataclass(frozen=True)
class Disagreements:
    """The tables of ``simulation.explain`` and ``simulation.perturb``.

    ``roots``: one row per disagreement that began; ``waves``: their waveforms, by root;
    ``pairs``: error suppression by sigma, clip and unit, None where it was not measured.
    """

    sim: Simulation
    roots: pd.DataFrame
    waves: dict[int, pd.DataFrame]
    pairs: pd.DataFrame | None

    @property
    def layers(self) -> int:
        return int(self.units["layer"].max()) + 1

    @property
    def units(self) -> pd.DataFrame:
        """Sums by unit; a simulation that explains its disagreements has them."""
        assert self.sim.units is not None
        return self.sim.units

    @property
    def frames(self) -> int:
        return int(self.sim.summary["frames"])

    def first(self) -> pd.DataFrame:
        """The first divergence of every sample that has any."""
        ordered = self.roots.sort_values(["sample", "frame", "layer", "unit"])
        return ordered.drop_duplicates("sample")

    def each_cause(self) -> list[dict[str, Any]]:
        """One root per cause, the one with the most consequences, that has a waveform."""
        seen = self.roots[self.roots["root"].isin(self.waves)]
        order = seen.sort_values(["decision_differs", "states"], ascending=False, kind="stable")
        chosen = order.drop_duplicates("cause")
        known = {name: k for k, name in enumerate(CAUSES)}
        rows = chosen.to_dict("records")
        return sorted(
            ({str(k): v for k, v in row.items()} for row in rows), key=lambda r: known[r["cause"]]
        )


def load_disagreements(data: RunData) -> Disagreements | None:
    """None without a simulation that explains its disagreements, or without a sample that ended
    well. Raises InputError for tables that cannot be read."""
    sim = data.simulation
    if sim is None or sim.units is None or sim.units.empty or "frames" not in sim.summary:
        return None
    path = sim.folder / "roots.parquet"
    if not path.is_file():
        return None
    roots = read_table(path, _ROOTS, "root disagreements", _COMMAND)
    waves = read_table(
        sim.folder / "root_waves.parquet", _WAVES, "waveforms of root disagreements", _COMMAND
    )
    suppression = sim.folder / "suppression.parquet"
    pairs = None
    if suppression.is_file():
        pairs = read_table(suppression, _PAIRS, "error suppression", _COMMAND)
    by_root = {int(str(root)): part for root, part in waves.groupby("root", sort=True)}
    return Disagreements(sim, roots, by_root, pairs)


def counts_by_place(found: Disagreements) -> np.ndarray[Any, np.dtype[np.int64]]:
    """States that differ by (layer, unit, frame), inherited ones included."""
    wrong = found.sim.states[~found.sim.states["agree"].astype(bool)]
    units = int(found.units["unit"].max()) + 1
    table = np.zeros((found.layers, units, found.frames), np.int64)
    np.add.at(table, (wrong["layer"], wrong["unit"], wrong["frame"]), 1)
    return table
