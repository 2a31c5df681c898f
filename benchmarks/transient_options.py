"""What one transient costs and how exact it is, by the simulator's options.

    python benchmarks/transient_options.py RUN [--samples 3]

RUN has a design. Every variant of the options runs the same decks, of chips with mismatch, one clip
each; currents of candidates and states at the sampling instants, logits and power are compared with
a run of tight tolerances (reltol 1e-5, chgtol 1e-17, 200 steps per frame, no bypass). Iterations
and points do not depend on what else the machine does; CPU seconds do.
"""

import argparse
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.circuit.testbench import EXACT_OPTIONS, STEPS_PER_FRAME, TRANSIENT_OPTIONS
from codesign.runs import Run
from codesign.simulation import sample as product
from codesign.simulation.sample import Job, deck, run_sample, shard_path
from codesign.simulation.setting import Options, Setting, set_up
from codesign.simulation.traces import Traces, read_traces
from codesign.spice.ngspice import find_ngspice, run_deck

Floats = NDArray[np.float64]
REFERENCE_STEPS = 200


def changed(options: str, **values: str) -> str:
    """``options`` with other values."""
    for name, value in values.items():
        options = re.sub(rf"\b{name}=\S+", f"{name}={value}", options)
    return options


# The options up to now, one change at a time, and those before; "steps" is a bound, per frame.
VARIANTS: dict[str, tuple[str, int]] = {
    "now": (TRANSIENT_OPTIONS, STEPS_PER_FRAME),
    "now, without bypass": (EXACT_OPTIONS, STEPS_PER_FRAME),
    "reltol 1e-3": (changed(TRANSIENT_OPTIONS, reltol="1e-3"), STEPS_PER_FRAME),
    "chgtol 1e-14": (changed(TRANSIENT_OPTIONS, chgtol="1e-14"), STEPS_PER_FRAME),
    "chgtol 1e-16": (changed(TRANSIENT_OPTIONS, chgtol="1e-16"), STEPS_PER_FRAME),
    "vntol 1e-4": (changed(TRANSIENT_OPTIONS, vntol="1e-4"), STEPS_PER_FRAME),
    "trapezoidal": (changed(TRANSIENT_OPTIONS, method="trap"), STEPS_PER_FRAME),
    "25 steps a frame": (TRANSIENT_OPTIONS, 25),
    "100 steps a frame": (TRANSIENT_OPTIONS, 100),
    "reltol 1e-3, chgtol 1e-16": (
        changed(TRANSIENT_OPTIONS, reltol="1e-3", chgtol="1e-16"), STEPS_PER_FRAME
    ),
}  # fmt: skip
REFERENCE = changed(EXACT_OPTIONS, reltol="1e-5", chgtol="1e-17")


@dataclass(frozen=True)
class Ran:
    """One sample: what it gave and what it took."""

    traces: Traces
    iterations: int
    points: int
    cpu_s: float


def run(setting: Setting, sample: int, options: str, steps: int) -> Ran:
    planned = setting.plan.sample(sample)
    bench = replace(setting.bench, options=options)
    with tempfile.TemporaryDirectory(prefix="codesign-options-") as name:
        folder = Path(name)
        job = Job(bench, planned, setting.inputs_units()[planned.clip], folder, keep_waves=False)
        text = with_steps(deck(job), setting.exported.hardware.frame_s / steps)
        (folder / "deck.cir").write_text(text.replace("write out.raw", "write out.raw\nrusage all"))
        log = run_deck(find_ngspice(), folder, "deck.cir", "out.raw").log
        iterations, points = (
            int(re.search(rf"{words} = (\d+)", log).group(1))  # type: ignore[union-attr]
            for words in ("Total iterations", "Accepted timepoints")
        )
        found = re.search(r"Transient analysis time = ([\d.]+)", log)
        traces = in_product(job, text)
    return Ran(traces, iterations, points, float(found.group(1)) if found else float("nan"))


def in_product(job: Job, text: str) -> Traces:
    """The sample as the product reads it, of a deck of its own."""
    ordinary = product.deck
    product.deck = lambda job: text
    try:
        run_sample(job)
    finally:
        product.deck = ordinary
    traces = read_traces(shard_path(job.folder, job.planned.sample))
    if traces is None or traces.status[0] != "ok":
        raise SystemExit(f"sample {job.planned.sample} did not end well")
    return traces


def with_steps(text: str, longest_s: float) -> str:
    return re.sub(r"(?m)^(\.tran \S+ \S+ \S+) \S+", rf"\1 {longest_s:.6g}", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--samples", type=int, default=3)
    given = parser.parse_args()
    setting = set_up(Run(given.run), Options(chips=given.samples, clips=1))
    hw = setting.exported.hardware
    print(
        f"{given.run.name}: {setting.exported.facts['transistors']} transistors, {hw.cell} cells, "
        f"{setting.yardstick.timing.frames} frames, {given.samples} chips, {hw.pdk} {hw.corner}, "
        f"{setting.point.ngspice_version}"
    )
    tight = [run(setting, k, REFERENCE, REFERENCE_STEPS) for k in range(given.samples)]
    half_a = setting.yardstick.cells("alpha")[:, :, None] / 2 * hw.unit_current_a
    print(
        f"{'options':27}{'iterations':>11}{'points':>8}{'CPU s':>7}"
        f"{'currents rms pA':>17}{'worst pA':>10}{'states differ':>15}{'power':>9}"
    )
    for name, (options, steps) in {"tight": (REFERENCE, REFERENCE_STEPS), **VARIANTS}.items():
        found = tight if name == "tight" else [
            run(setting, k, options, steps) for k in range(given.samples)
        ]  # fmt: skip
        errors, wrong, states, power = [], 0, 0, 0.0
        for mine, best in zip(found, tight, strict=True):
            on, wanted = mine.traces.states_a > half_a, best.traces.states_a > half_a
            wrong, states = wrong + int((on != wanted).sum()), states + on.size
            same = on == wanted
            for kind in ("candidates_a", "states_a"):
                error = getattr(mine.traces, kind) - getattr(best.traces, kind)
                errors.append(error[same].ravel())
            ratio = mine.traces.power_w.sum() / best.traces.power_w.sum() - 1
            power = max(power, abs(float(ratio)))
        error_pa = np.concatenate(errors).astype(float) * 1e12
        mean = [float(np.mean([getattr(r, k) for r in found])) for k in ("iterations", "points")]
        print(
            f"{name:27}{mean[0]:>11.0f}{mean[1]:>8.0f}{np.mean([r.cpu_s for r in found]):>7.2f}"
            f"{np.sqrt(np.mean(error_pa**2)):>17.3f}{np.abs(error_pa).max():>10.2f}"
            f"{f'{wrong} of {states}':>15}{100 * power:>8.3f}%"
        )


if __name__ == "__main__":
    main()
