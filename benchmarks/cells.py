"""Asynchronous against strobed cells on the same trained network and the same clips.

    python benchmarks/cells.py runs/demo --clips 24

Exports the run twice into a temporary folder, once per cell, simulates both in ngspice in one go
and prints agreement with the twin, power, size and run time side by side.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from codesign.circuit.export import export_design
from codesign.flows import load_flow
from codesign.runs import Run
from codesign.simulation.run import Options, simulate

ROWS = (
    ("decisions equal", "vote_agreement", 100, "%"),
    ("states equal", "state_agreement", 100, "%"),
    ("states equal where they change", "state_agreement_changed", 100, "%"),
    ("clips with every state right", "samples_with_all_states_agreeing", 1, ""),
    ("candidate error, rms", "candidate_error_rms_units_same_states_below", 1, "units"),
    ("power of the cells", "mean_power_cells_w", 1e9, "nW"),
    ("power of the bias", "mean_power_bias_w", 1e9, "nW"),
    ("power in all", "mean_power_w", 1e9, "nW"),
    ("transistors", "transistors", 1, ""),
    ("seconds per clip", "seconds_per_sample", 1, "s"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--jobs", type=int, default=None)
    given = parser.parse_args()
    figures = {}
    with tempfile.TemporaryDirectory(prefix="codesign-cells-") as name:
        for cell in ("async", "strobed"):
            run = Run(Path(name) / cell)
            shutil.copytree(given.run, run.path, ignore=shutil.ignore_patterns("sim", "design"))
            hardware = load_flow(run.flow_file, (f"hardware.cell={cell}",)).hardware
            export_design(run, hardware)
            figures[cell] = simulate(run, Options(clips=given.clips, jobs=given.jobs))
    print(f"{'':34}{'async':>12}{'strobed':>12}")
    for title, key, scale, unit in ROWS:
        values = "".join(f"{figures[cell][key] * scale:>12.4g}" for cell in figures)
        print(f"{title:34}{values} {unit}")
    for cell, found in figures.items():
        print(f"causes of state disagreements, {cell}: {found['state_disagreement_causes']}")


if __name__ == "__main__":
    main()
