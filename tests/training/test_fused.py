"""The compiled training step against the same evaluation in torch."""

import shutil

import pytest
import torch
from torch import Tensor

from codesign.cells import Cell, FqBmru, Memoryless
from codesign.flows import TrainingSection
from codesign.network import FirstQuadrantNetwork, evaluate
from codesign.training import fused
from codesign.training.objective import objective
from codesign.training.packing import Packing, packing_of
from codesign.training.reading import Reading, read_network, reading_of

pytestmark = pytest.mark.skipif(
    not any(shutil.which(name) for name in ("g++", "clang++", "c++")), reason="no C++ compiler"
)

# (inputs, units, layers, classes), clips, frames, leading dimensions of the parameters
CASES = [
    ((5, 4, 2, 2), 11, 9, (3,)),
    ((13, 16, 2, 4), 17, 12, ()),
    ((3, 7, 1, 3), 8, 1, (2, 2)),
    ((2, 1, 3, 2), 1, 6, (1,)),
]
KNOBS = TrainingSection.model_validate(
    {"margin_units": 0.3, "margin_weight": 2.0, "current_weight": 1e-2}
)


def _drawn(
    shape: tuple[int, int, int, int], leading: tuple[int, ...], dtype: torch.dtype
) -> tuple[Packing, Tensor]:
    """Rows [*leading, P] whose candidates meet their thresholds."""
    packing = packing_of(FirstQuadrantNetwork(*shape))
    g = torch.Generator().manual_seed(sum(shape))
    rows = 0.6 * torch.randn(*leading, sum(packing.sizes), generator=g, dtype=dtype)
    for key, low in (("beta_hi", 0.7), ("width", 0.4), ("alpha", 0.9)):
        at = packing.positions(f"cell.{key}")
        rows[..., at] = low + 0.3 * torch.rand(*leading, len(at), generator=g, dtype=dtype)
    return packing, rows


@pytest.mark.parametrize("cell", [FqBmru(), Memoryless()], ids=lambda cell: cell.name)
@pytest.mark.parametrize("leak", [0.0, 0.4])
@pytest.mark.parametrize(("shape", "clips", "frames", "leading"), CASES)
def test_values_and_gradients_are_those_of_torch(
    shape: tuple[int, int, int, int],
    clips: int,
    frames: int,
    leading: tuple[int, ...],
    leak: float,
    cell: Cell,
) -> None:
    packing, rows = _drawn(shape, leading, torch.float64)
    g = torch.Generator().manual_seed(7)
    inputs = torch.rand(clips, frames, shape[0], generator=g, dtype=torch.float64)
    stray = 0.1 * torch.rand(*leading, shape[2], shape[1], generator=g, dtype=torch.float64)
    labels = torch.randint(shape[3], (clips,), generator=g)

    def scored(reading: Reading, of: Tensor) -> tuple[Tensor, Tensor]:
        total, _ = objective(reading, packing.unpack(of), labels, KNOBS, 0.7)
        (gradient,) = torch.autograd.grad(total.sum(), of)
        return total.detach(), gradient

    ours, theirs = rows.clone().requires_grad_(), rows.clone().requires_grad_()
    parameters = packing.unpack(ours)
    assert fused.serves(parameters, inputs, cell)
    reading = read_network(parameters, inputs, cell, KNOBS, leak, stray)
    trace = evaluate(packing.unpack(theirs), inputs, cell, leak, KNOBS.surrogate_sharpness, stray)
    torch.testing.assert_close(reading.logits, trace.logits, rtol=1e-12, atol=1e-12)
    found = scored(reading, ours)
    expected = scored(reading_of(trace, packing.unpack(theirs), KNOBS), theirs)
    assert float(expected[1].abs().max()) > 0
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_single_precision_is_close_and_nothing_is_kept_without_gradients() -> None:
    shape = (13, 8, 2, 2)
    packing, rows = _drawn(shape, (4,), torch.float32)
    inputs = torch.rand(40, 30, 13, generator=torch.Generator().manual_seed(1))
    parameters = packing.unpack(rows)
    with torch.no_grad():
        found = read_network(parameters, inputs, FqBmru(), KNOBS)
    trace = evaluate(parameters, inputs)
    torch.testing.assert_close(found.logits, trace.logits, rtol=1e-4, atol=1e-4)
    assert found.intrusion is not None
    expected = reading_of(trace, parameters, KNOBS).intrusion
    assert expected is not None
    torch.testing.assert_close(found.intrusion, expected, rtol=1e-3, atol=1e-5)


def test_a_second_backward_is_refused() -> None:
    packing, rows = _drawn((3, 4, 1, 2), (1,), torch.float64)
    rows.requires_grad_()
    inputs = torch.rand(4, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    logits = read_network(packing.unpack(rows), inputs, FqBmru(), KNOBS).logits
    torch.autograd.grad(logits.sum(), rows, retain_graph=True)
    with pytest.raises(RuntimeError, match="one backward only"):
        torch.autograd.grad(logits.sum(), rows)


def test_what_the_kernel_cannot_take_goes_to_torch() -> None:
    packing, rows = _drawn((3, 65, 1, 2), (1,), torch.float32)
    inputs = torch.rand(2, 3, 3, generator=torch.Generator().manual_seed(0))
    parameters = packing.unpack(rows)
    assert not fused.serves(parameters, inputs, FqBmru())
    logits = read_network(parameters, inputs, FqBmru(), KNOBS).logits
    assert torch.equal(logits, evaluate(parameters, inputs).logits)
