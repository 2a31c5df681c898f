"""What training may deploy: every value inside the range of the device that will hold it."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from codesign.flows import Flow
from codesign.network import FirstQuadrantNetwork
from codesign.training.hardware_limits import Limits, confine
from codesign.training.packing import packing_of

PACKING = packing_of(FirstQuadrantNetwork(3, 4, 2, 2))


@given(st.integers(0, 2**31 - 1), st.floats(0.0, 10.0))
def test_confined_cells_fit_their_bias_currents(seed: int, spread: float) -> None:
    """Bounds hold exactly in float32: a hair outside would be named unrepresentable."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(5, sum(PACKING.sizes), generator=generator) * spread
    limits = Limits.of(Flow())
    confined = PACKING.unpack(confine(rows, PACKING, limits)[0])
    for name, values in confined.items():
        if ".cell." in name:
            smallest = limits.alpha_min if name.endswith("alpha") else limits.width_min
            assert values.min() >= torch.tensor(smallest)
            assert values.max() <= limits.bias_max
        else:
            assert values.abs().max() <= limits.weight_limit
    for layer in range(2):
        cell = f"layers.{layer}.cell"
        lower = confined[f"{cell}.beta_hi"] - confined[f"{cell}.width"]
        assert lower.min() >= limits.beta_lo_min - 1e-6
