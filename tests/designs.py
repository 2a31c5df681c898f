"""Small networks and designs for tests: made from numbers, without a simulator."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.device.cell_loops import CellBias
from codesign.device.mirrors import MirrorCalibration, RatioTable, Trim
from codesign.flows import HardwareSection
from codesign.mapping.design import Design, Shape
from codesign.mapping.mapper import Values, map_network

SMALL = Shape(inputs=3, state_dim=2, layers=2, classes=2)

_TABLE = RatioTable((1e-5, 1.5e-5, 3e-5), (0.125, 0.0833, 0.0417))
MIRRORS = MirrorCalibration(
    p_to_sum=Trim(1.005e-5, 1.0001),
    n_to_sum=Trim(1e-5, 1.0),
    n_to_p=Trim(1.0285e-5, 0.9998),
    p_to_readout=Trim(1.004e-5, 1.0),
    n_to_readout=Trim(1.007e-5, 0.9998),
    bias_p=_TABLE,
    bias_n=_TABLE,
)


def parameter_shapes(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all learned parameters."""
    d = shape.state_dim
    shapes: dict[str, tuple[int, ...]] = {
        "projection.weight": (d, shape.inputs),
        "projection.bias": (d,),
    }
    for layer in range(shape.layers):
        name = f"layers.{layer}"
        shapes |= {
            f"{name}.candidate.weight": (d, d),
            f"{name}.candidate.bias": (d,),
            f"{name}.cell.beta_hi": (d,),
            f"{name}.cell.width": (d,),
            f"{name}.cell.alpha": (d,),
            f"{name}.output.weight": (d, d),
            f"{name}.output.bias": (d,),
        }
    return shapes | {"readout.weight": (shape.classes, d), "readout.bias": (shape.classes,)}


def random_parameters(shape: Shape, seed: int, grid: int = 8) -> dict[str, NDArray[np.float64]]:
    """Weights on the grid, thresholds well inside the bias range."""
    draw = np.random.default_rng(seed)
    ranges = {"beta_hi": (0.6, 1.2), "width": (0.2, 0.4), "alpha": (0.5, 1.0)}
    parameters: dict[str, NDArray[np.float64]] = {}
    for name, size in parameter_shapes(shape).items():
        kind = name.rsplit(".", 1)[-1]
        if kind in ranges:
            parameters[name] = draw.uniform(*ranges[kind], size)
        else:
            parameters[name] = np.round(draw.normal(0.2, 0.6, size) * grid) / grid
    return parameters


def identity_program(targets: Sequence[Values]) -> tuple[list[CellBias], list[Values]]:
    """Cells whose thresholds equal their bias currents."""
    return [CellBias(*target) for target in targets], list(targets)


def small_design(cell: str = "strobed", seed: int = 0, shape: Shape = SMALL) -> Design:
    """A design of a random network with round device constants."""
    hardware = HardwareSection.model_validate({"cell": cell})
    return map_network(random_parameters(shape, seed), shape, hardware, MIRRORS, identity_program)
