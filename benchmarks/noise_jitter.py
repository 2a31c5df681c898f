"""Threshold jitter of a design's cells, predicted from .noise and measured in the transient.

python benchmarks/noise_jitter.py RUN [--cells 3] [--first N] [--source samples|trnoise] [--seed 1]

RUN is a run folder with a design. For every threshold: where the cell switches, sigma predicted
(from .noise, with the weight of its own decision node and with a Hann window) and measured, with
its 95 % interval, and sigma over chips by the process's mismatch law. Then the noise of candidates
in the batched engine beside ngspice's, from RUN/sim/noise, if the run was simulated with --noise
and judged.
"""

import argparse
from pathlib import Path

import pandas as pd

from codesign.runs import Run
from codesign.simulation.jitter import TARGET
from codesign.simulation.noise_study import study_threshold, subjects
from codesign.simulation.plan import design_digest
from codesign.simulation.setting import Options, set_up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--cells", type=int, default=3)
    parser.add_argument("--first", type=int, help="of the thresholds, the first so many")
    parser.add_argument("--source", choices=("samples", "trnoise"), default="samples")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    run = Run(given.run)
    setting = set_up(run, Options(clips=1))
    hw, design = setting.exported.hardware, design_digest(setting.exported)
    print(
        f"{hw.pdk} {hw.corner}, {hw.cell} cells, unit current {hw.unit_current_a * 1e9:g} nA, "
        f"{setting.point.ngspice_version}, noise from {given.source}"
    )
    print(
        f"{'threshold':20}{'cell':>6}{'at nA':>9}{'expected':>10}{'predicted pA':>14}{'Hann':>7}"
        f"{'measured pA':>13}{'95 %':>14}{'ratio':>7}{'noise %':>9}{'mismatch %':>12}"
    )
    ratios = []
    for name, subject in subjects(setting, given.cells)[: given.first]:
        row = study_threshold(subject, name, design, seed=given.seed, source=given.source).row
        at, ratio = row["threshold_a"], row["ratio"]
        ratios.append(ratio)
        interval = f"{row['measured_low_a'] * 1e12:.2f}-{row['measured_high_a'] * 1e12:.2f}"
        print(
            f"{row['edge'] + ' ' + name:20}{subject.layer:>4}.{subject.unit}{at * 1e9:>9.4f}"
            f"{row['predicted_threshold_a'] * 1e9:>10.4f}{row['predicted_sigma_a'] * 1e12:>14.2f}"
            f"{row['predicted_hann_a'] * 1e12:>7.2f}{row['measured_sigma_a'] * 1e12:>13.2f}"
            f"{interval:>14}{ratio:>7.2f}{100 * row['measured_sigma_a'] / at:>9.3f}"
            f"{100 * row['mismatch_sigma_a'] / at:>12.2f}",
            flush=True,
        )
    within = sum(1 / TARGET <= ratio <= TARGET for ratio in ratios)
    print(f"within a factor {TARGET}: {within} of {len(ratios)}")
    judged = run.sim_dir("noise") / "noise_judge.parquet"
    if judged.is_file():
        table = pd.read_parquet(judged).dropna(subset=["candidate_rms_units_ngspice"])
        print("\nnoise of candidates, thousandths of a unit rms, one clip: batched, ngspice")
        for found in table.to_dict("records"):
            print(
                f"  {found['layer']}.{found['unit']}  "
                f"{1e3 * found['candidate_rms_units_batched']:6.2f}  "
                f"{1e3 * found['candidate_rms_units_ngspice']:6.2f}"
            )


if __name__ == "__main__":
    main()
