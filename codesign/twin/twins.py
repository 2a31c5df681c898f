"""One door to the three twins: the same parameters, inputs and results, ever more of the circuit.

    ideal        exactly the equations, one value per frame
    calibrated   the same equations with the transfer of every mirror and cell, and mismatch
    substepped   every node in time: settling, glitches, latching

``TwinModel`` is a design made ready; training refines a network through ``TwinModel.evaluate``,
which takes the parameters as tensors and is differentiable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codesign.circuit.flat import read_flat_network
from codesign.decision import decide, decision_margin
from codesign.device.bench import ProcessPoint
from codesign.engine.grid import Resolution
from codesign.errors import InputError
from codesign.mapping.design import Shape, expected_values
from codesign.mapping.exported import Exported
from codesign.network import evaluate
from codesign.rules import Rule
from codesign.simulation.draws import Draws
from codesign.twin.calibrated import run_settled
from codesign.twin.cellcurve import CellShapes, cell_shapes
from codesign.twin.chips import Chips
from codesign.twin.fittings import copies_of, fittings
from codesign.twin.ideal import TwinTrace
from codesign.twin.memories import Memory, memories
from codesign.twin.substepped import FINE_GRID, TWIN_GRID, run_in_time, time_steps
from codesign.twin.transfer import KINDS, Transfer, measure_transfer
from codesign.twin.walk import Circuit, Walked

TwinName = Literal["ideal", "calibrated", "substepped"]
TWINS: tuple[TwinName, ...] = ("ideal", "calibrated", "substepped")

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TwinArrays:
    """What a twin says, in units: candidates, states (..., clips, layers, units, frames), logits
    (..., clips, frames, classes); with draws the chips come first."""

    candidates: Array
    states: Array
    logits: Array

    def traces(self, rule: Rule) -> list[TwinTrace]:
        """One trace per clip; only without chips."""
        if self.candidates.ndim != 4:
            raise ValueError("traces are of clips on one chip")
        logits = torch.from_numpy(self.logits)
        decisions, margins = decide(logits, rule), decision_margin(logits, rule)
        return [
            TwinTrace(c, h, y, int(d), float(m))
            for c, h, y, d, m in zip(
                self.candidates, self.states, self.logits, decisions, margins, strict=True
            )
        ]


@dataclass(frozen=True)
class TwinModel:
    """A twin of one kind at one process point.

    ``cells``: what the cells of a design were measured to be (``layers.K.cell.beta_hi`` ...), in
    units; None takes the parameters themselves, as training does. ``fitted``: how the copies of a
    netlist differ from those assumed.
    """

    name: TwinName
    shape: Shape
    transfer: Transfer
    shapes: CellShapes
    cells: Mapping[str, Tensor] | None = None
    fitted: Mapping[str, float] | None = None
    resolution: Resolution = TWIN_GRID

    def evaluate(
        self, parameters: Mapping[str, Tensor], inputs: Tensor, draws: Draws | None = None,
        sharpness: float = 1.0,
    ) -> Walked:  # fmt: skip
        """Every compared node at the end of each frame, differentiable in the parameters.

        parameters: as FirstQuadrantNetwork's state_dict, of the dtype and device to compute in;
        inputs [clips, frames, channels], units. ``sharpness`` is that of the surrogate gradient.
        """
        if self.name == "ideal":
            trace = evaluate(parameters, inputs, sharpness=sharpness)
            return Walked(trace.candidates, trace.states, trace.logits)
        chips = Chips(self.transfer, draws, inputs, self.fitted)
        circuit = Circuit(self.transfer, parameters, chips)
        values = {k: v.to(inputs) for k, v in self.cells.items()} if self.cells else parameters
        cells = memories(self.shapes, values, self.shape.layers, chips)
        walked = self._walked(circuit, inputs, cells, sharpness)
        if draws is not None or not self.fitted:
            return walked
        return Walked(
            [c[0] for c in walked.candidates], [h[0] for h in walked.states], walked.logits[0]
        )

    def _walked(
        self, circuit: Circuit, inputs: Tensor, cells: tuple[Memory, ...], sharpness: float
    ) -> Walked:
        if self.name == "calibrated":
            return run_settled(circuit, inputs, cells, sharpness)
        steps = time_steps(
            self.transfer.hardware, self.shape, inputs.shape[1], self.resolution, inputs
        )
        return run_in_time(circuit, inputs, steps, cells, sharpness)

    def run(
        self, parameters: Mapping[str, Array], inputs_units: Array, draws: Draws | None = None
    ) -> TwinArrays:
        """The same on arrays, without gradients, in double precision."""
        tensors = {
            key: torch.from_numpy(np.asarray(v, np.float64)) for key, v in parameters.items()
        }
        if self.name == "ideal" and draws is not None:
            raise InputError("The ideal twin has no devices: mismatch is the calibrated twin's.")
        with torch.no_grad():
            walked = self.evaluate(tensors, torch.from_numpy(np.asarray(inputs_units)), draws)
        return TwinArrays(
            torch.stack(walked.candidates, dim=-3).transpose(-1, -2).numpy(),
            torch.stack(walked.states, dim=-3).transpose(-1, -2).numpy(),
            walked.logits.numpy(),
        )


def design_twin(
    name: TwinName, exported: Exported, point: ProcessPoint, parameters: Mapping[str, Array]
) -> TwinModel:
    """The twin of a design made from ``parameters``, its cells as they were measured, on the fine
    grid of time.

    Raises EnvironmentMissing or Unsupported when the devices cannot be measured, InputError for a
    damaged design.
    """
    mirrors = exported.facts["mirrors"]
    cells = {
        parameter: torch.from_numpy(values)
        for parameter, values in expected_values(exported.mapping_file).items()
        if ".cell." in parameter
    }
    trims = {kind: float(mirrors[kind]["l_m"]) for kind in KINDS}
    network = read_flat_network(exported.folder, point.pdk.nmos, point.pdk.pmos)
    devices = copies_of(network.mosfets)
    transfer = measure_transfer(point, trims, devices)
    fitted = fittings(transfer, trims, devices, parameters)
    shapes = cell_shapes(transfer)
    return TwinModel(name, exported.shape, transfer, shapes, cells, fitted, FINE_GRID)


def process_twin(
    name: TwinName, shape: Shape, point: ProcessPoint, trims_m: Mapping[str, float],
    cells: Mapping[str, Tensor] | None = None, like: Tensor | None = None,
) -> TwinModel:  # fmt: skip
    """A twin of any network of ``shape`` at a process point, in the precision of ``like``."""
    transfer = measure_transfer(point, trims_m)
    dtype = torch.float64 if like is None else like.dtype
    return TwinModel(name, shape, transfer, cell_shapes(transfer, dtype), cells)
