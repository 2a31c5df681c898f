"""One name all the way: from a parameter of the checkpoint to the instance in the netlist.

    projection.weight[2,5]        -> xprojection.mweight_2_5
    layers.0.candidate.bias[3]    -> xlayers_0.xcandidate.mbias_3
    layers.1.cell.beta_hi[0]      -> xlayers_1.xcell.mbeta_hi_0

Each block of the network is a subcircuit of the same name, so the path of a parameter is the
path of its transistor.
"""

from collections.abc import Sequence

_LAYERS = "layers"


def block_path(parameter: str) -> tuple[str, ...]:
    """Instances that contain a parameter: ``layers.0.cell.beta_hi`` -> ``(xlayers_0, xcell)``."""
    parts = parameter.split(".")[:-1]
    if parts[0] == _LAYERS:
        parts = [f"{_LAYERS}_{parts[1]}", *parts[2:]]
    return tuple(f"x{part}" for part in parts)


def device_name(parameter: str, index: Sequence[int]) -> str:
    """Name of the transistor inside its block: ``mweight_2_5``."""
    return "_".join([f"m{parameter.rsplit('.', 1)[-1]}", *map(str, index)])


def instance_name(parameter: str, index: Sequence[int]) -> str:
    """Full hierarchical name inside the network."""
    return ".".join([*block_path(parameter), device_name(parameter, index)])


def cell_instance(layer: int, unit: int) -> str:
    """The memory cell of one unit."""
    return f"x{_LAYERS}_{layer}.xcell.xunit_{unit}"


def relu_instance(block: str, unit: int) -> str:
    """The ReLU diode of one unit of a feed-forward block such as ``layers.0.candidate``."""
    return ".".join([*block_path(f"{block}.relu"), f"mrelu_{unit}"])


def label(parameter: str, index: Sequence[int]) -> str:
    """How a parameter is written for people: ``projection.weight[2,5]``."""
    return f"{parameter}[{','.join(map(str, index))}]"
