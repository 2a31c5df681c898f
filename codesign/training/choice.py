"""What a flow trains: the cell, the network around it, and the settings that apply to it.

The memoryless control stands beside networks of the chip alone. Other cells are baselines, free of
the chip's limits: no grid, no ranges, no margins at thresholds, no price on current, no stray
current; mismatch, data, decision, starts and selection are the same.
"""

from dataclasses import fields, replace
from typing import Literal

from codesign.cells import Cell, cell_named
from codesign.errors import InputError
from codesign.flows import Flow, TrainingSection
from codesign.network import Network
from codesign.tasks.base import TaskData

Kind = Literal["network", "memoryless"]


def cell_of(flow: Flow, kind: Kind = "network") -> Cell:
    """The cell of the flow's network, or of its control, with the start that the flow asks for.

    Raises InputError for a setting of the start that the cell does not have.
    """
    cell = cell_named("memoryless" if kind == "memoryless" else flow.network.cell)
    asked = flow.network.start
    if cell.first_quadrant and asked:
        raise InputError(
            f"network.start is for baselines; a new {cell.name} network is set by the keys "
            "training.initial_*."
        )
    known = [field.name for field in fields(cell) if field.type is float]
    for key in asked:
        if key not in known:
            raise InputError(
                f"network.start.{key} is no setting of {cell.name}; it has "
                f"{', '.join(known) or 'none'}."
            )
    return replace(cell, **asked)


def kinds_of(flow: Flow) -> tuple[Kind, ...]:
    """The network, and the control where it is one: the same first-quadrant network, no memory."""
    return ("network", "memoryless") if flow.network.cell == "fq_bmru" else ("network",)


def network_shape(flow: Flow, data: TaskData) -> tuple[int, int, int, int]:
    """(inputs, state_dim, layers, classes) that a flow and its data ask for."""
    return data.n_inputs, flow.network.state_dim, flow.network.layers, len(data.class_names)


def network_of(flow: Flow, data: TaskData) -> Network:
    """An empty network of the flow's cell; the control has the same parameters."""
    return Network(*network_shape(flow, data), cell_of(flow))


def settings_of(flow: Flow, kind: Kind = "network") -> TrainingSection:
    """The training section as it applies to the cell."""
    cell = cell_of(flow, kind)
    if cell.first_quadrant:
        return flow.training
    free = {
        "margin_weight": 0.0,
        "current_weight": 0.0,
        "leak_current_units": 0.0,
        "grid_fraction": 0.0,
        "grid_ramp_fraction": 0.0,
    }
    if not cell.anneals:
        free |= {"leak_start": 0.0, "leak_fraction": 0.0}
    return flow.training.model_copy(update=free)
