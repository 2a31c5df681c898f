"""Training with noise and with the process's mismatch law: what drawn chips of the networks decide.

    python benchmarks/mismatch_training.py --out work --seeds 0 1 2
    python benchmarks/mismatch_training.py --out work --seeds 0 --check batched --chips 500

The digits flow (d = 8) is trained with each kind of ``training.mismatch``, a run folder below OUT
each (finished ones are taken as they are). Every network is then put on drawn chips, every
transistor by the law of its process, through the factors of ``codesign.training.effective``, on all
test clips: accuracy over chips, votes and states kept. "yield" is the mean over draws of --clips
clips of the part of chips that keep every one of those votes and 99 % of the states, and lose no
more than two points of accuracy: the default specifications of ``codesign simulate --mc``.
``--check`` maps the networks and repeats that on the first clips of the plan with the calibrated
twin or in the batched engine, each chip drawn by its instance names.
"""

import argparse
import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
import torch
from torch import Tensor

from codesign.analysis.intervals import wilson
from codesign.checkpoint import load_model
from codesign.circuit.export import export_design
from codesign.decision import decide
from codesign.flows import load_flow
from codesign.network import evaluate
from codesign.runs import Run
from codesign.simulation.draws import draw_mismatch
from codesign.simulation.plan import chip_seed
from codesign.simulation.run import simulate
from codesign.simulation.setting import Options, set_up
from codesign.testset import load_test_split
from codesign.training import train
from codesign.training.devices import Spread
from codesign.training.disturbance import ProcessMismatch
from codesign.training.packing import packing_of
from codesign.twin.twins import design_twin

VARIANTS: dict[str, tuple[str, ...]] = {
    "none": ("training.mismatch_percent=0",),
    "percent 5": ("training.mismatch_percent=5",),
    "percent 15": ("training.mismatch_percent=15",),
    "pdk": ("training.mismatch=pdk",),
    "pdk, chosen on 16 chips": ("training.mismatch=pdk", "training.selection_draws=16"),
}
_SEED, _SUBSETS = 7, 200


@dataclass(frozen=True)
class Outcome:
    """Of chips on clips: right decisions, votes and states kept, [chips, clips] each; right [clips]
    of the network itself."""

    correct: Tensor
    kept: Tensor
    states: Tensor
    right: Tensor

    @classmethod
    def of(cls, logits: Tensor, states: Tensor, plain: Tensor, still: Tensor, labels: Tensor,
           decision: object) -> "Outcome":  # fmt: skip
        """logits [chips, clips, frames, K], states [chips, clips, N] as bools; then the same of the
        network itself."""
        votes, own = decide(logits, decision), decide(plain, decision)  # type: ignore[arg-type]
        return cls(
            votes == labels, votes == own, (states == still).double().mean(-1), own == labels
        )

    def passing(self, clips: Tensor) -> Tensor:
        """Chips that meet the default specifications on some clips."""
        lost = self.right[clips].double().mean() - self.correct[:, clips].double().mean(1)
        votes = self.kept[:, clips].all(1)
        return votes & (self.states[:, clips].mean(1) >= 0.99) & (lost <= 0.02 + 1e-12)

    def yield_of(self, clips: int) -> float:
        """Mean over random choices of ``clips`` clips of the part of chips that pass."""
        draw = np.random.default_rng(_SEED)
        total = self.kept.shape[1]
        parts = [
            float(self.passing(torch.from_numpy(draw.choice(total, clips, False))).double().mean())
            for _ in range(_SUBSETS)
        ]
        return float(np.mean(parts))


def drawn(run: Run, chips: int) -> Outcome:
    """The network of a run on chips drawn by the law, all test clips."""
    model, split = load_model(run), load_test_split(run)
    packing = packing_of(model.network)
    own = {name: value.detach() for name, value in model.network.state_dict().items()}
    many = ProcessMismatch(Spread.of(run.flow().hardware)).parameters(
        packing.pack(own).expand(chips, -1), packing, torch.Generator().manual_seed(_SEED)
    )
    with torch.no_grad():
        traces = [evaluate(p, split.currents(), model.network.recurrence) for p in (many, own)]
    on = [torch.cat([(h > 0).flatten(-2) for h in trace.states], -1) for trace in traces]
    return Outcome.of(
        traces[0].logits, on[0], traces[1].logits, on[1], split.labels, model.decision
    )


def checked(run: Run, chips: int, clips: int, how: str) -> str:
    """Yield of the mapped design on the first clips of its plan, in words."""
    if not run.design_dir.is_dir():
        export_design(run)
    if how == "batched":
        figures = simulate(run, Options(chips=chips, clips=clips, jobs=1, sensitivity=0))
        votes, total = figures["decisions_agreeing"], figures["samples_ok"]
        passed = figures["yield_count"]
    else:
        setting = set_up(run, Options(chips=chips, clips=clips))
        values = setting.yardstick.parameters
        model = design_twin("calibrated", setting.exported, setting.point, values)
        seeds = [chip_seed(setting.plan.run_seed, chip) for chip in range(chips)]
        draws = draw_mismatch(setting.bench.network.mosfets, setting.bench.law, seeds)
        at = list(setting.plan.clips)
        inputs = setting.inputs_units()[at]
        own = {k: torch.from_numpy(np.asarray(v, np.float64)) for k, v in values.items()}
        with torch.no_grad():
            plain = evaluate(own, torch.from_numpy(np.asarray(inputs, np.float64)))
        found = model.run(values, inputs, draws)
        half = setting.yardstick.cells("alpha")[:, :, None] / 2
        on = torch.from_numpy(found.states > half).flatten(2)
        still = torch.from_numpy(
            torch.stack(plain.states, -3).transpose(-1, -2).numpy() > half
        ).flatten(1)
        labels = load_test_split(run).labels[at]
        outcome = Outcome.of(
            torch.from_numpy(found.logits), on, plain.logits, still, labels,
            load_model(run).decision,
        )  # fmt: skip
        votes, total = int(outcome.kept.sum()), outcome.kept.numel()
        passed = int(outcome.passing(torch.arange(clips)).sum())
    low, high = wilson(int(passed), chips) or [0.0, 0.0]
    return (
        f"{how}: votes kept {votes} of {total}, chips passing {passed} of {chips} "
        f"({100 * passed / chips:.1f} %, {100 * low:.1f} to {100 * high:.1f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--starts", type=int, default=16)
    parser.add_argument("--chips", type=int, default=500)
    parser.add_argument("--clips", type=int, default=10)
    parser.add_argument("--check", choices=("calibrated", "batched"))
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(f"python {shlex.join(sys.argv)}\n")
    print("trained with | seed | validation | test | chips: mean | 5th percentile | worst | "
          "votes kept | states kept | yield | CPU s")  # fmt: skip
    for seed in given.seeds:
        for name in given.only:
            settings = ("network.state_dim=8", f"seed={seed}", f"training.starts={given.starts}")
            flow = load_flow("digits", (*settings, *VARIANTS[name]))
            began = process_time()
            folder = given.out / f"{name.replace(' ', '-').replace(',', '')}_seed-{seed}"
            run = train(flow, folder, jobs=1)
            spent = process_time() - began
            reached = json.loads(run.metrics_file.read_text())["splits"]
            outcome = drawn(run, given.chips)
            accuracy = outcome.correct.double().mean(1)
            shares = [
                *(reached[split]["balanced_accuracy"] for split in ("validation", "test")),
                *(float(v) for v in (accuracy.mean(), accuracy.quantile(0.05), accuracy.min())),
                float(outcome.kept.double().mean()),
                float(outcome.states.mean()),
                outcome.yield_of(given.clips),
            ]
            shown = " | ".join(f"{100 * share:.2f}" for share in shares)
            print(f"{name} | {seed} | {shown} | {spent:.0f}", flush=True)
            if given.check:
                print("  " + checked(run, given.chips, given.clips, given.check), flush=True)


if __name__ == "__main__":
    main()
