"""Network and hardware specification in, design out: every parameter gets its device.

Weights and biases become devices by one of the strategies of ``codesign.mapping.weights``, PMOS for
positive and NMOS for negative values. Thresholds, widths and gains become bias mirrors whose
currents were corrected by measurement. What the hardware cannot carry is realised as closely as it
can be and listed by name.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.device.cell_loops import CellBias
from codesign.device.mirrors import MirrorCalibration
from codesign.flows import HardwareSection
from codesign.mapping.design import Design, HoldBias, Row, Shape, Unrepresentable
from codesign.mapping.names import instance_name, label
from codesign.mapping.weights import Weigher, map_weights

# (beta_hi, width, alpha) targets in units -> bias currents, and the values measured with them.
Values = tuple[float, float, float]
Programmer = Callable[[Sequence[Values]], tuple[list[CellBias], list[Values]]]


def map_network(
    parameters: Mapping[str, NDArray[np.float64]],
    shape: Shape,
    hardware: HardwareSection,
    mirrors: MirrorCalibration,
    program: Programmer,
    weigher: Weigher | None = None,
) -> Design:
    """The design of a network with these parameters (keys and shapes as in model.safetensors).

    ``program`` finds bias currents for cells and ``weigher`` devices for weights that are not made
    of unit devices; they are where the simulator comes in.
    """
    rows, problems = map_weights(parameters, hardware, mirrors, weigher)
    holds: list[HoldBias] = []
    for layer in range(shape.layers):
        cell_rows, cell_holds, cell_problems = _map_cells(
            parameters, layer, hardware, mirrors, program
        )
        rows += cell_rows
        holds += cell_holds
        problems += cell_problems
    order = {parameter: k for k, parameter in enumerate(parameters)}
    rows.sort(key=lambda row: (order[row.parameter], row.index))
    return Design(shape, hardware, mirrors, tuple(rows), tuple(holds), tuple(problems))


def _map_cells(
    parameters: Mapping[str, NDArray[np.float64]],
    layer: int,
    hardware: HardwareSection,
    mirrors: MirrorCalibration,
    program: Programmer,
) -> tuple[list[Row], list[HoldBias], list[Unrepresentable]]:
    prefix = f"layers.{layer}.cell."
    names = ("beta_hi", "width", "alpha")
    wanted = list(zip(*(parameters[prefix + name].tolist() for name in names), strict=True))
    targets, problems = _targets_in_range(prefix, names, wanted, hardware)
    biases, measured = program(targets)
    rows: list[Row] = []
    holds: list[HoldBias] = []
    roles = {"beta_hi": "threshold", "width": "width", "alpha": "gain"}
    for unit, (bias, got) in enumerate(zip(biases, measured, strict=True)):
        for k, name in enumerate(names):
            current = (bias.threshold, bias.width, bias.gain)[k]
            m, l_m, ratio = mirrors.bias_p.size(current)
            # Measured with this very mirror, layout grid included.
            expected = got[k]
            rows.append(
                Row(
                    parameter=prefix + name,
                    index=(unit,),
                    software_value=wanted[unit][k],
                    instance=instance_name(prefix + name, (unit,)),
                    role=roles[name],  # type: ignore[arg-type]  # the dict has the literals
                    device="pmos",
                    w_m=hardware.unit_w_m,
                    l_m=l_m,
                    m=m,
                    bias_current_a=ratio * hardware.unit_current_a,
                    expected_value=expected,
                    relative_error=_relative(expected, wanted[unit][k]),
                )
            )
        if hardware.cell == "strobed":
            m, l_m, ratio = mirrors.bias_n.size(max(bias.hold, mirrors.bias_n.smallest))
            holds.append(HoldBias(layer, unit, l_m, m, ratio * hardware.unit_current_a))
    return rows, holds, problems


def _targets_in_range(
    prefix: str,
    names: tuple[str, ...],
    wanted: Sequence[tuple[float, ...]],
    hardware: HardwareSection,
) -> tuple[list[Values], list[Unrepresentable]]:
    """Targets inside the bias range; what had to move is listed."""
    low, high = hardware.bias_min_units, hardware.bias_max_units
    targets: list[Values] = []
    problems: list[Unrepresentable] = []
    for unit, values in enumerate(wanted):
        realised = [min(max(value, low), high) for value in values]
        for name, value, kept in zip(names, values, realised, strict=True):
            if kept != value:
                reason = f"outside the bias range {low:g} to {high:g} units: nearest end used"
                problems.append(Unrepresentable(label(prefix + name, (unit,)), value, kept, reason))
        targets.append((realised[0], realised[1], realised[2]))
    return targets, problems


def _relative(expected: float, value: float) -> float:
    return 0.0 if value == 0 else expected / value - 1
