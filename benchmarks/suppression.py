"""Error suppression in ngspice and in the batched engine: the same clips, the same noise.

    python benchmarks/suppression.py RUN [--clips 4] [--sigma 0.05] [--held 10]

RUN has a design. Prints one row per engine and way of holding the noise: for the whole frame (both
engines), and in ``--held`` parts per frame (ngspice alone, whose inputs may change at any time),
with the median over units and clips of rms in over rms out (docs/agreement.md).
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.suppression import Currents, by_sigma, suppression_pairs
from codesign.circuit import testbench
from codesign.circuit.testbench import EXACT_OPTIONS
from codesign.circuit.timing import Timing
from codesign.engine import BatchedEngine
from codesign.runs import Run
from codesign.simulation.perturb import noisy_inputs
from codesign.simulation.plan import PlannedSample, sample_seed
from codesign.simulation.sample import Job, run_sample, shard_path
from codesign.simulation.setting import Options, Setting, set_up
from codesign.simulation.traces import read_traces

Floats = NDArray[np.float64]


def in_ngspice(setting: Setting, inputs: Floats, folder: Path, parts: int) -> Currents:
    """The nominal chip on clips whose inputs (clips, frames * parts, channels) may change within
    a frame."""
    bench = replace(setting.bench, options=EXACT_OPTIONS)
    frames = inputs.shape[1] // parts
    ordinary = testbench.stimulus

    def finer(values: list[list[float]], timing: Timing, unit_a: float) -> str:
        return ordinary(values, replace(timing, frame_s=timing.frame_s / parts), unit_a)

    candidates, states = [], []
    for k, clip in enumerate(inputs):
        planned = PlannedSample(k, 0, f"clip {k}", 0, 0)
        # The deck is made for whole frames; its stimulus alone is written at the finer pace.
        job = Job(bench, planned, clip[::parts][:frames], folder, keep_waves=False)
        testbench.stimulus = lambda *rest, clip=clip: finer(clip.tolist(), *rest[1:])
        try:
            status = run_sample(job)
        finally:
            testbench.stimulus = ordinary
        traces = read_traces(shard_path(folder, k))
        if status != "ok" or traces is None:
            raise SystemExit(f"ngspice ended with {status}; its log is in {folder}")
        candidates.append(traces.candidates_a[0] / bench.hardware.unit_current_a)
        states.append(traces.states_a[0] / bench.hardware.unit_current_a)
    return Currents(np.stack(candidates).astype(float), np.stack(states).astype(float))


def in_batched(setting: Setting, inputs: Floats) -> Currents:
    engine = BatchedEngine.prepare(setting.exported, setting.point)
    unit_a = setting.yardstick.unit_current_a
    result = engine.run(inputs, np.arange(len(inputs)), threads=1)
    return Currents(
        result.candidates_a.astype(float) / unit_a, result.states_a.astype(float) / unit_a
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--sigma", type=float, default=0.05)
    parser.add_argument("--held", type=int, default=10)
    given = parser.parse_args()
    setting = set_up(Run(given.run), Options(clips=given.clips))
    plan, limits = setting.plan, setting.yardstick.decides_by()
    still = setting.inputs_units()[list(plan.clips)]
    seeds = [sample_seed(plan.run_seed, k) for k in range(len(still))]

    def noisy(inputs: Floats) -> Floats:
        pairs = zip(inputs, seeds, strict=True)
        return np.stack([noisy_inputs(clip, seed, given.sigma) for clip, seed in pairs])

    finer = np.repeat(still, given.held, axis=1)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("shards", "logs", "work"):
            (folder / part).mkdir()
        calm = in_ngspice(setting, still, folder, 1)
        for what, reference, found in (
            ("batched, per frame", in_batched(setting, still), in_batched(setting, noisy(still))),
            ("ngspice, per frame", calm, in_ngspice(setting, noisy(still), folder, 1)),
            (
                f"ngspice, {given.held} per frame",
                calm,
                in_ngspice(setting, noisy(finer), folder, given.held),
            ),
        ):
            pairs = suppression_pairs(limits, reference, found, given.sigma)
            rows.append({"engine and noise": what} | by_sigma(pairs)[0])
    table = pd.DataFrame(rows)
    kept = ["engine and noise", "sigma_units", "pairs", "candidate_rms_units_median",
            "ratio_p10", "ratio_p25", "ratio_median", "ratio_p75", "ratio_pooled",
            "states_flipped"]  # fmt: skip
    print(table[kept].to_string(index=False, float_format=lambda value: f"{value:.4g}"))


if __name__ == "__main__":
    main()
