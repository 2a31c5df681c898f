"""The batched engine: thousands of chips of one design, advanced together."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.circuit.elements import Library, flatten
from codesign.circuit.library import read_network
from codesign.circuit.network import SUPPLIES, strobe_ports
from codesign.circuit.strobe_measure import measure_strobe
from codesign.circuit.timing import StrobeEdges, Timing
from codesign.device.bench import ProcessPoint
from codesign.engine.characterise import Models, characterise
from codesign.engine.graph import Boundary, Graph, Unsupported, build_graph
from codesign.engine.grid import Resolution, frame_grids, waveforms
from codesign.engine.native.call import Kernel, Output, kernel_digest
from codesign.engine.native.cuda import run_cuda
from codesign.engine.native.library import kernel as kernel_library
from codesign.engine.noise import NoiseTable, noise_table
from codesign.engine.program import Program
from codesign.engine.translate import build_program
from codesign.engine.waves import sample_waves
from codesign.flows import HardwareSection
from codesign.mapping.design import Shape
from codesign.mapping.exported import Exported
from codesign.mapping.names import cell_instance, relu_instance

_MESSAGES = {
    "range": "a gate line left the range its devices were measured in",
    "no_convergence": "a node did not converge however short the step",
}


@dataclass(frozen=True)
class EngineResult:
    """What the transistors did: arrays as in ``simulation.traces``, amperes and watts.

    candidates_a, states_a (n, layers, units, frames); logits_a (n, frames, classes); power_w (n, 3)
    of cells, feed-forward and bias. ``status`` per sample: "ok", "range" or "no_convergence".
    """

    candidates_a: NDArray[np.float32]
    states_a: NDArray[np.float32]
    logits_a: NDArray[np.float32]
    power_w: NDArray[np.float64]
    status: tuple[str, ...]
    message: tuple[str, ...]
    wall_s: float
    output: Output


@dataclass(frozen=True)
class BatchedEngine:
    """A design made ready: its graph, models, program and kernel.

    ``edges``: those of the strobes, where they are not the ideal ones.
    """

    shape: Shape
    hardware: HardwareSection
    graph: Graph
    models: Models
    program: Program
    kernel: Kernel
    resolution: Resolution = field(default_factory=Resolution)
    edges: StrobeEdges | None = None

    @classmethod
    def prepare(
        cls,
        exported: Exported,
        point: ProcessPoint,
        progress: Callable[[str], None] = lambda _: None,
    ) -> "BatchedEngine":
        """Read a design, characterise its devices and translate its circuit.

        Raises Unsupported (with the reason) for a circuit the engine cannot solve,
        EnvironmentMissing without ngspice, PDK or compiler, InputError for a damaged design.
        """
        library = read_network(exported.folder, point.pdk.nmos, point.pdk.pmos)
        return cls.of_circuit(library, exported.shape, exported.hardware, point, progress)

    @classmethod
    def of_circuit(
        cls,
        library: Library,
        shape: Shape,
        hardware: HardwareSection,
        point: ProcessPoint,
        progress: Callable[[str], None] = lambda _: None,
    ) -> "BatchedEngine":
        """The same from a circuit in memory.

        The engine has no logic: a strobe generator's place is taken by its strobes, as measured.
        """
        if hardware.bias == "tree":
            raise Unsupported(
                "The batched engine takes the unit current from outside, and hardware.bias is "
                '"tree"; ngspice simulates the reference with the network.'
            )
        kernel_library()  # a missing compiler should be known before anything is measured
        graph = build_graph(list(flatten(library)), boundary(shape, hardware))
        models = characterise(graph, point, progress)
        cells = [(la, un) for la in range(shape.layers) for un in range(shape.state_dim)]
        held = [f"{cell_instance(*cell)}.v0" for cell in cells]
        probed = [relu_instance(f"layers.{la}.candidate", un) for la, un in cells]
        probed += [f"{cell_instance(*cell)}.m4" for cell in cells]
        program = build_program(graph, models, held, probed)
        start = program.start_v.copy()
        timing = Timing(hardware.frame_s, hardware.edge_s, 1, shape.layers)
        for node, form in waveforms(hardware, shape, timing).items():
            start[program.nodes.index(node)] = form[0][1]
        program = replace(program, start_v=start)
        kernel = Kernel(
            program, models, hardware.supply_v, hardware.temperature_c,
            hardware.unit_current_a * 1e9,
        )  # fmt: skip
        edges = None
        if hardware.generates_strobes:
            edges = measure_strobe(point, shape, progress).edges
        return cls(shape, hardware, graph, models, program, kernel, edges=edges)

    @property
    def key(self) -> str:
        """Hash of all a result depends on besides inputs and draws: models, program, kernel."""
        digest = hashlib.sha256(self.models.digest().encode())
        digest.update(self.program.digest().encode())
        digest.update(repr(self.resolution).encode())
        digest.update(repr(self.edges).encode())
        digest.update(kernel_digest().encode())
        return digest.hexdigest()

    @property
    def instances(self) -> tuple[str, ...]:
        """Transistors in the order draws are taken."""
        return self.program.instances

    def noise_table(self, point: ProcessPoint, tick_s: float = 2e-4) -> NoiseTable:
        """Noise of the design's devices at ``point`` (the one it was prepared at)."""
        switches = {d.name for block in self.graph.blocks for d in block.switches}
        return noise_table(point, self.graph.devices, frozenset(switches), tick_s)

    def waves_of(self, result: EngineResult, row: int) -> pd.DataFrame:
        """Waveforms of one sample of a run with ``waves``, in the columns ngspice's are kept in."""
        return sample_waves(self, result, row)

    def run(
        self,
        inputs_units: NDArray[np.float64],
        clip: NDArray[np.int64],
        draws: Any = None,
        chip: NDArray[np.int64] | None = None,
        threads: int | None = None,
        waves: int = 0,
        noise: NoiseTable | None = None,
        noise_seed: NDArray[np.int64] | None = None,
        device: Literal["cpu", "cuda"] = "cpu",
    ) -> EngineResult:
        """Simulate samples (clip[k], chip[k]).

        ``inputs_units`` (clips, frames, channels); ``draws`` with delvto_v and mulu0 (chips,
        devices), None for nominal devices; ``threads`` None takes all cores. A sample's values
        depend on the 15 others of its group of sixteen only within the solver's tolerance.

        ``noise`` (of ``noise_table``) with ``noise_seed`` (n,) injects device noise; it costs about
        five to six times a run without, because nothing is ever idle.

        ``device`` "cuda" runs on an NVIDIA GPU, without ``threads`` and ``waves``; raises
        EnvironmentMissing where there is none.
        """
        started = monotonic()
        hw, shape = self.hardware, self.shape
        samples, devices = len(clip), len(self.instances)
        shift = np.zeros((samples, devices))
        gain = np.tile(self.program.multiplicity, (samples, 1))
        if draws is not None and chip is not None:
            fits = [self.models.mirrors[p] for p in self.program.polarity]
            sign = np.where(self.program.polarity, 1.0, -1.0)
            kd = np.array([fit.kd_per_v for fit in fits])
            mobility = np.array([fit.mobility for fit in fits])
            shift = draws.delvto_v[chip] * sign
            gain = gain * draws.mulu0[chip] ** mobility * np.exp(kd * shift)
        frames = inputs_units.shape[1]
        timing = Timing(hw.frame_s, hw.edge_s, frames, shape.layers)
        resolution = self.resolution
        if noise is not None:
            resolution = replace(resolution, tick_us=noise.tick_us)
        grids = frame_grids(
            hw, timing, self.graph.boundary.driven,
            waveforms(hw, shape, timing, self.edges), resolution,
        )  # fmt: skip
        given = (grids, inputs_units * hw.unit_current_a * 1e9, np.asarray(clip), shift, gain)
        if device == "cuda":
            output = run_cuda(self.kernel, *given, noise, noise_seed)
        else:
            count = threads or os.cpu_count() or 1
            output = self.kernel.run(*given, count, waves, noise, noise_seed)
        cells = shape.layers * shape.state_dim
        currents = output.currents.transpose(0, 2, 1) * np.float32(1e-9)
        grid = (samples, shape.layers, shape.state_dim, frames)
        status = tuple(
            "no_convergence" if flag & 2 else "range" if flag & 1 else "ok" for flag in output.flags
        )
        return EngineResult(
            candidates_a=currents[:, :cells].reshape(grid),
            states_a=currents[:, cells : 2 * cells].reshape(grid),
            # What flows out of the network's node into the source that holds it.
            logits_a=currents[:, 2 * cells :].transpose(0, 2, 1),
            power_w=output.supply_na * 1e-9 * hw.supply_v,
            status=status,
            message=tuple(_MESSAGES.get(name, "") for name in status),
            wall_s=monotonic() - started,
            output=output,
        )


def boundary(shape: Shape, hw: HardwareSection) -> Boundary:
    """What the test bench does to the network's ports."""
    fixed = {**dict.fromkeys(SUPPLIES, hw.supply_v), "vss": 0.0}
    fixed |= {f"y_{k}": hw.readout_v for k in range(shape.classes)}
    driven = ("rst", *(port for pair in strobe_ports(hw, shape) for port in pair))
    inputs = tuple(f"u_{k}_p" for k in range(shape.inputs))
    return Boundary(fixed, driven, inputs, {"ref_p": hw.unit_current_a}, SUPPLIES)
