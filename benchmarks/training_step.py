"""A training step of the chip's network: the compiled pass over clips against torch, in one run.

    python benchmarks/training_step.py --steps 15

One thread, keyword-like shapes (64 clips, 101 frames, 13 inputs, two layers, two classes) on random
inputs: loss, threshold penalty, price on current and all gradients, without the optimiser. The
torch path has the compiled scan and cell. Prints the median in milliseconds and the ratio.
"""

import argparse
import statistics
import time

import torch

from codesign.cells import FqBmru
from codesign.flows import TrainingSection
from codesign.network import FirstQuadrantNetwork, evaluate
from codesign.training import fused
from codesign.training.initial import initial_row
from codesign.training.objective import objective
from codesign.training.packing import Packing, packing_of
from codesign.training.reading import read_network, reading_of

CASES = ((1, 4), (8, 4), (1, 8), (8, 8), (1, 16), (8, 16))  # starts, units
KNOBS = TrainingSection.model_validate(
    {"decision": "mean_logit", "margin_units": 0.2, "margin_weight": 2.0, "current_weight": 1e-4}
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=15)
    steps = parser.parse_args().steps
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand(64, 101, 13, generator=generator)
    labels = torch.randint(2, (64,), generator=generator)
    print(f"{'starts':>7}{'d':>4}{'compiled ms':>13}{'torch ms':>10}{'ratio':>7}")
    for starts, units in CASES:
        shape = (13, units, 2, 2)
        packing = packing_of(FirstQuadrantNetwork(*shape))
        drawn = [initial_row(shape, inputs, KNOBS, generator) for _ in range(starts)]
        rows = torch.stack(drawn).requires_grad_()

        def step(compiled: bool, rows: torch.Tensor, packing: Packing) -> float:
            began = time.perf_counter()
            parameters = packing.unpack(rows)
            if compiled:
                assert fused.serves(parameters, inputs, FqBmru()), "needs a C++ compiler"
                reading = read_network(parameters, inputs, FqBmru(), KNOBS, 0.3)
            else:
                trace = evaluate(parameters, inputs, FqBmru(), 0.3, KNOBS.surrogate_sharpness)
                reading = reading_of(trace, parameters, KNOBS)
            total, _ = objective(reading, parameters, labels, KNOBS)
            torch.autograd.grad(total.sum(), rows)
            return 1e3 * (time.perf_counter() - began)

        times: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(steps + 1):
            for way, taken in times.items():
                taken.append(step(way, rows, packing))
        ours, theirs = (statistics.median(taken[1:]) for taken in times.values())
        print(f"{starts:>7}{units:>4}{ours:>13.2f}{theirs:>10.2f}{theirs / ours:>7.1f}")


if __name__ == "__main__":
    main()
