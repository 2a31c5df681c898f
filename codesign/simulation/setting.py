"""What a simulation is made from: the run's model, design, clips and process, and the options."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.analysis.agreement import Yardstick
from codesign.analysis.yields import DEFAULT_SPECS, Spec
from codesign.checkpoint import Model, load_chip_model, model_parameters
from codesign.circuit.flat import read_flat_network
from codesign.circuit.strobe_measure import measure_strobe
from codesign.circuit.testbench import EXACT_OPTIONS
from codesign.circuit.timing import Timing
from codesign.device.bench import ProcessPoint
from codesign.errors import InputError
from codesign.mapping.design import Shape
from codesign.mapping.exported import Exported, load_exported
from codesign.pdk import find_pdk
from codesign.pdk.links import spice_path
from codesign.runs import Run
from codesign.simulation.engines import EngineName
from codesign.simulation.execution_options import DEFAULT_EXECUTION, ExecutionOptions
from codesign.simulation.noise_sources import noise_law
from codesign.simulation.plan import Plan, Range, Variation, make_plan
from codesign.simulation.sample import Bench, CornerModels
from codesign.spice.ngspice import find_ngspice, ngspice_version
from codesign.tasks.base import Split
from codesign.testset import load_test_split
from codesign.twin.twins import TwinName

JUDGE_SAMPLES = 4
# Cells whose jitter is measured: the smallest, a middle and the largest threshold.
JITTER_CELLS = 3


@dataclass(frozen=True)
class Given:
    """Clips to simulate instead of the run's test split, and the name of their plan's folder."""

    name: str
    clips: Split

    def planned(self, plan: Plan) -> Plan:
        """``plan`` under this name; its digest says which clips its samples are of."""
        digest = hashlib.sha256(plan.digest.encode())
        digest.update(self.clips.currents().numpy().tobytes())
        digest.update("\n".join(self.clips.ids).encode())
        return replace(plan, name=self.name, digest=digest.hexdigest())


@dataclass(frozen=True)
class Options:
    """How to simulate; None takes the value of the run's flow.

    ``chips`` draws that many chips with mismatch (None: the nominal chip), each with ``clips``
    clips (default then: 1). ``samples`` is the range of the plan to run. ``judge`` samples of a
    batched run are simulated again in ngspice. ``suppression``: sigmas (units) at which error
    suppression is measured, none if empty; None measures it wherever the batched engine is at hand.
    ``twin`` is whom the transistors are compared with. ``corners`` of the process are those of
    drawn chips, by default the design's own alone. ``specs`` are what a chip must meet
    and ``min_yield`` the part of chips that must; both judge results and change none.
    ``sensitivity``: clips of which devices are ranked, None: as many as cost seconds
    (``simulation.drawn_chips``). ``process`` draws the whole process of every chip as well;
    ``area_scale`` simulates the network in mirrors of that many times the gate area. ``noise`` is
    the number of runs with device noise of every chip and clip (None: one without); with it the
    threshold jitter of ``jitter`` cells is measured. ``given`` are clips instead of the run's own.
    """

    clips: int | None = None
    jobs: int | None = None
    timeout_s: float | None = None
    min_agreement: float | None = None
    pdk_root: Path | None = None
    fresh: bool = False
    chips: int | None = None
    samples: Range = (None, None)
    engine: EngineName | None = None
    judge: int = JUDGE_SAMPLES
    suppression: tuple[float, ...] | None = None
    twin: TwinName = "ideal"
    corners: tuple[str, ...] = ()
    specs: tuple[Spec, ...] = DEFAULT_SPECS
    min_yield: float | None = None
    sensitivity: int | None = None
    process: bool = False
    area_scale: float = 1.0
    noise: int | None = None
    execution: ExecutionOptions = DEFAULT_EXECUTION
    jitter: int = JITTER_CELLS
    given: Given | None = None


DEFAULTS = Options()


@dataclass(frozen=True)
class Setting:
    """What all parts of one simulation share; ``points`` has every corner of the plan."""

    run: Run
    options: Options
    model: Model
    exported: Exported
    points: Mapping[str, ProcessPoint]
    clips: Split
    plan: Plan
    bench: Bench
    yardstick: Yardstick
    folder: Path
    workers: int

    @property
    def point(self) -> ProcessPoint:
        """The process at the first corner of the plan."""
        return self.points[self.plan.corners[0]]

    def inputs_units(self) -> NDArray[np.float64]:
        return np.asarray(self.clips.currents().double().numpy())


def set_up(run: Run, options: Options) -> Setting:
    model, exported = load_chip_model(run), load_exported(run)
    flow = run.flow()
    clips = load_test_split(run) if options.given is None else options.given.clips
    ngspice = find_ngspice()
    hw, shape = exported.hardware, exported.shape
    pdk = find_pdk(hw.pdk, options.pdk_root)
    made_with = exported.facts["pdk"]
    if pdk.sha256 != made_with["sha256"] or pdk.digest != made_with.get("digest", pdk.digest):
        raise InputError(
            f"The design was made with other model files or another adapter of '{pdk.name}' than "
            f"the ones found now, in {pdk.root}; make it again with 'codesign export-netlist' or "
            "name the same installation with --pdk-root."
        )
    if options.suppression and options.chips is not None:
        raise InputError(
            "--suppression is measured on the nominal chip: leave out --mc, or --suppression."
        )
    count = options.clips or (flow.simulation.clips if options.chips is None else 1)
    if options.process and options.chips is None:
        raise InputError("--process-variation is of drawn chips: give --mc CHIPS with it.")
    law = pdk.law(options.process)
    corners = tuple(dict.fromkeys(options.corners)) or (hw.corner,)
    varied = Variation(corners, options.chips, options.process, options.noise)
    plan = make_plan(exported, clips, count, flow.seed, varied, law, options.samples)
    plan = replace(plan, name=plan.name + run.variant)
    if options.given is not None:
        plan = options.given.planned(plan)
    version = ngspice_version(ngspice)
    points = {
        corner: ProcessPoint(pdk, hw.model_copy(update={"corner": corner}), ngspice, version)
        for corner in plan.corners
    }
    everywhere = {hw.corner: ProcessPoint(pdk, hw, ngspice, version)} | points
    models = {corner: _corner_models(point, shape) for corner, point in everywhere.items()}
    own = models[hw.corner]
    bench = Bench(
        shape=shape,
        hardware=hw,
        network_file=spice_path(exported.network_file.resolve()),
        network=read_flat_network(exported.folder, pdk.nmos, pdk.pmos),
        models={"n": pdk.nmos, "p": pdk.pmos},
        law=law,
        pdk_header=own.pdk_header,
        ngspice=ngspice,
        timeout_s=options.timeout_s or flow.simulation.timeout_s,
        memory_limit_bytes=options.execution.memory_limit_bytes,
        strobe_file=spice_path(exported.strobe_file.resolve()) if hw.generates_strobes else None,
        strobe_power_w=own.strobe_power_w,
        corners=models,
    )
    if plan.noise:
        laws = {
            corner: noise_law(point, bench.network.mosfets, plan.repeats)
            for corner, point in points.items()
        }
        # Bypassed devices distort currents as small as noise (device.noise_source).
        bench = replace(bench, noise=laws, options=EXACT_OPTIONS)
    yardstick = Yardstick(
        shape=shape,
        parameters=model_parameters(model),
        rule=model.decision,
        near_tie_units=flow.simulation.near_tie_units,
        unit_current_a=hw.unit_current_a,
        timing=Timing(hw.frame_s, hw.edge_s, clips.frames, shape.layers),
    )
    return Setting(
        run=run,
        options=options,
        model=model,
        exported=exported,
        points=points,
        clips=clips,
        plan=plan,
        bench=bench,
        yardstick=yardstick,
        folder=run.sim_dir(plan.name),
        workers=options.jobs or flow.simulation.jobs or os.cpu_count() or 1,
    )


def _corner_models(point: ProcessPoint, shape: Shape) -> CornerModels:
    """The models of a corner (InputError when the process does not have it), and what the strobe
    generator draws there."""
    header = point.pdk.header(point.hardware.corner)
    strobed = point.hardware.cell == "strobed"
    return CornerModels(header, measure_strobe(point, shape).power_w if strobed else 0.0)
