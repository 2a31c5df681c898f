"""The small design of ``tests.designs`` as the engine takes it."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from codesign.circuit.elements import Capacitor, Library, Mosfet, flatten
from codesign.circuit.network import build_network
from codesign.circuit.timing import Timing
from codesign.engine import batched
from codesign.engine.batched import BatchedEngine, boundary
from codesign.engine.graph import Boundary, Graph, build_graph
from codesign.engine.grid import FrameGrid, Resolution, frame_grids, waveforms
from codesign.engine.native.library import find_compiler
from codesign.engine.reference import ReferenceResult, run_reference
from codesign.errors import EnvironmentMissing
from codesign.flows import HardwareSection
from codesign.mapping.design import Shape
from codesign.simulation.draws import Draws
from tests.designs import SMALL, small_design
from tests.engine.law import models_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Small:
    """A circuit with what surrounds it."""

    library: Library
    shape: Shape
    hardware: HardwareSection

    @property
    def elements(self) -> list[Mosfet | Capacitor]:
        return list(flatten(self.library))

    @property
    def boundary(self) -> Boundary:
        return boundary(self.shape, self.hardware)

    @property
    def graph(self) -> Graph:
        return build_graph(self.elements, self.boundary)


# A network whose cells set and clear again with the inputs of this seed.
_DESIGN_SEED, _INPUT_SEED = 14, 1


def small(cell: str, **hardware: object) -> Small:
    design = small_design(cell, _DESIGN_SEED)
    hw = design.hardware.model_copy(update=hardware)
    return Small(build_network(design), SMALL, hw)


def need_compiler() -> None:
    """Skip, with the reason, where there is no compiler; one that fails is a failure."""
    try:
        find_compiler()
    except EnvironmentMissing as error:
        pytest.skip(str(error))


def engine_on_paper(circuit: Small) -> BatchedEngine:
    """The batched engine with devices by the law of ``tests.engine.law``: no simulator."""
    need_compiler()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batched, "characterise", lambda graph, *_: models_of(graph, circuit.hardware))
        return BatchedEngine.of_circuit(
            circuit.library,
            circuit.shape,
            circuit.hardware,
            None,  # type: ignore[arg-type]
        )


def random_draws(engine: BatchedEngine, chips: int, seed: int = 0) -> Draws:
    """Mismatch about as large as that of the shipped processes."""
    draw = np.random.default_rng(seed)
    shape = (chips, len(engine.instances))
    return Draws(engine.instances, draw.normal(0, 2e-3, shape), 1 + draw.normal(0, 5e-3, shape))


def random_inputs(frames: int, clips: int = 1) -> Floats:
    """Inputs (clips, frames, channels) in units."""
    draw = np.random.default_rng(_INPUT_SEED)
    return draw.uniform(0, 4, (clips, frames, SMALL.inputs))


def grids_of(
    engine: BatchedEngine, frames: int, resolution: Resolution
) -> tuple[FrameGrid, FrameGrid]:
    hw, shape = engine.hardware, engine.shape
    timing = Timing(hw.frame_s, hw.edge_s, frames, shape.layers)
    forms = waveforms(hw, shape, timing)
    return frame_grids(hw, timing, engine.graph.boundary.driven, forms, resolution)


def reference_of(
    engine: BatchedEngine, inputs_units: Floats, draws: Draws, resolution: Resolution
) -> ReferenceResult:
    """One clip on every chip of ``draws``, by the reference implementation."""
    hw, program = engine.hardware, engine.program
    fits = [engine.models.mirrors[p] for p in program.polarity]
    shift = draws.delvto_v * np.where(program.polarity, 1.0, -1.0)
    gain = program.multiplicity * draws.mulu0 ** np.array([fit.mobility for fit in fits])
    gain = gain * np.exp(np.array([fit.kd_per_v for fit in fits]) * shift)
    return run_reference(
        program, engine.models, hw.supply_v, hw.temperature_c,
        grids_of(engine, inputs_units.shape[1], resolution),
        inputs_units * hw.unit_current_a * 1e9, np.zeros(len(shift), np.int64), shift, gain,
    )  # fmt: skip
