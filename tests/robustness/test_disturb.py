"""Disturbances: what they multiply and add, and that a draw is the same wherever it appears."""

import pytest
import torch

from codesign.cells import cell_named
from codesign.network import Network, evaluate
from codesign.robustness.disturb import candidate_width, deviates, disturbed


def parameters(cell: str, units: int = 4) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    network = Network(3, units, 2, 2, cell_named(cell)).double()
    return {name: value.detach() for name, value in network.state_dict().items()}


def test_noise_is_multiplicative_with_a_third_of_p_as_sigma() -> None:
    own = parameters("fq_bmru")
    many, current = disturbed(own, "percent", 15.0, deviates(own, 2, 1, range(1000)))
    assert current is None
    ratio = torch.cat([(many[name] / own[name] - 1).flatten(1) for name in own], -1)
    # 1000 draws: a standard deviation is known to 2.2 %, a mean to 0.05/32.
    assert torch.allclose(ratio.std(0), torch.tensor(0.05).double(), rtol=0.12)
    assert float(ratio.mean(0).abs().max()) < 5 * 0.05 / 32
    correlation = torch.corrcoef(ratio.T)
    correlation.fill_diagonal_(0)
    assert float(correlation.abs().max()) < 0.18


def test_a_draw_does_not_depend_on_the_others_or_the_level() -> None:
    own = parameters("mingru")
    many = deviates(own, 2, 3, range(10))
    one = deviates(own, 2, 3, range(7, 8))
    assert torch.equal(one.uniform[0], many.uniform[7])
    for name in own:
        assert torch.equal(one.normal[name][0], many.normal[name][7])
    five, _ = disturbed(own, "percent", 5.0, many)
    ten, _ = disturbed(own, "percent", 10.0, many)
    for name, value in own.items():
        torch.testing.assert_close(ten[name] - value, 2 * (five[name] - value))
    assert not torch.equal(deviates(own, 2, 4, range(1)).uniform, many.uniform[:1])


@pytest.mark.parametrize("cell", ["fq_bmru", "mingru", "lru", "gru"])
def test_a_leak_reaches_the_candidates_of_every_cell(cell: str) -> None:
    """The first layer's candidates rise by what is added, for all clips and frames."""
    own = parameters(cell)
    own["layers.0.candidate.bias"] += 1.0
    given = deviates(own, 2, 0, range(5))
    assert candidate_width(own) == given.uniform.shape[-1]
    inputs = torch.rand(3, 6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    clean = evaluate(own, inputs, cell_named(cell)).candidates[0]
    spans = {"leak": (0.3, 0.3), "leak_uniform": (0.0, 0.3), "offset": (-0.3, 0.3)}
    for kind, (low, high) in spans.items():
        many, current = disturbed(own, kind, 0.3, given)  # type: ignore[arg-type]
        assert current is not None
        assert float(current.min()) >= low
        assert float(current.max()) <= high
        if low < high:
            assert float(current.std()) > 0.05
        moved = evaluate(many, inputs, cell_named(cell), stray=current).candidates[0]
        wanted = clean[None] + current[:, 0, None, None, :]
        if cell == "fq_bmru":  # its candidates pass a ReLU
            on = (clean[None] > 0) & (wanted > 0)
            torch.testing.assert_close(moved[on], wanted[on])
            assert bool(on.any())
        else:
            torch.testing.assert_close(moved, wanted)
