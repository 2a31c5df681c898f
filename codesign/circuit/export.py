"""Write a design folder: mapping, netlists, stimulus and a test bench that runs by hand."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.checkpoint import Model, load_chip_model, model_parameters
from codesign.circuit.cellbench import cell_bench
from codesign.circuit.count import count_devices
from codesign.circuit.elements import Library
from codesign.circuit.library import LIBRARY_FILES, library_text, read_library, with_models
from codesign.circuit.network import build_network
from codesign.circuit.power import predict_power
from codesign.circuit.ranges import plan_ranges
from codesign.circuit.spice_text import comment, network_text
from codesign.circuit.strobe import generator_text, strobe_generator
from codesign.circuit.strobe_measure import described, measure_strobe
from codesign.circuit.testbench import bench_text, control, stimulus
from codesign.circuit.timing import Timing
from codesign.device.bench import find_point
from codesign.device.calibrate import Calibration, calibrate
from codesign.device.characterise import measured_range
from codesign.device.paths import sign_paths
from codesign.device.reference import size_reference
from codesign.device.widths import MeasuredWeigher, measured_widths
from codesign.errors import InputError
from codesign.files import unwritable, write_json, write_text
from codesign.flows import HardwareSection
from codesign.mapping.currents import node_currents, trimmed_turns
from codesign.mapping.design import Design, Shape, write_mapping
from codesign.mapping.exported import SCHEMA, weights_sha256
from codesign.mapping.mapper import map_network
from codesign.pdk import Pdk
from codesign.rules import EVERY_FRAME
from codesign.runs import Run, add_provenance
from codesign.spice.ngspice import SPICEINIT
from codesign.tasks.base import Split
from codesign.testset import load_test_split
from codesign.twin.ideal import ideal_twin

Progress = Callable[[str], None]

# Clips whose mean currents predict the power: more would not move the mean.
_POWER_CLIPS = 64


def export_design(
    run: Run,
    hardware: HardwareSection | None = None,
    pdk_root: Path | None = None,
    progress: Progress = lambda _: None,
) -> Path:
    """Map the network of a run and write its design folder, replacing an earlier one.

    ``hardware`` replaces the hardware section of the run's flow. Returns the folder. Raises
    InputError for a bad model or specification, EnvironmentMissing without ngspice or PDK.
    """
    model = load_chip_model(run)
    hardware = hardware or run.flow().hardware
    if hardware.weights == "unit" and hardware.weight_grid != model.weight_grid:
        raise InputError(
            f"hardware.weight_grid = {hardware.weight_grid}, but {run.model_file} was trained on a "
            f"grid of {model.weight_grid}; train again with --set hardware.weight_grid="
            f"{hardware.weight_grid}, or keep {model.weight_grid}."
        )
    if model.decision == EVERY_FRAME:
        raise InputError(
            f"{run.model_file} decides in every frame, and a design is judged by one decision per "
            "clip; train with training.decision = last_frame, or another rule of a clip."
        )
    point = find_point(hardware, pdk_root)
    check_limits(hardware, point.pdk)
    progress("measuring mirrors and cells in ngspice")
    calibration = calibrate(point)
    progress("programming the cells")
    clips = load_test_split(run)
    inputs = clips.currents().double().numpy()
    design = design_network(model, hardware, calibration, inputs)
    progress("writing netlists")
    folder = _write(run, model, design, calibration, clips)
    add_provenance(run, ngspice=point.ngspice_version, pdk=point.pdk.describe())
    return folder


def design_network(
    model: Model,
    hardware: HardwareSection,
    calibration: Calibration,
    inputs: NDArray[np.float64],
) -> Design:
    """The design of a trained model at a calibrated process point.

    ``inputs`` (clips, frames, channels) in units say what each turn carries: it is trimmed for it.
    """
    parameters = model_parameters(model)
    shape = Shape(model.inputs, model.state_dim, model.layers, model.classes)
    weigher = MeasuredWeigher.at(calibration.point)
    design = map_network(
        parameters, shape, hardware, calibration.mirrors, calibration.program, weigher
    )
    currents = node_currents(parameters, inputs)
    design = replace(design, turns=trimmed_turns(currents, calibration.turns))
    if hardware.bias == "ideal":
        return design
    return replace(design, reference=size_reference(calibration.point, calibration.mirrors))


def check_limits(hardware: HardwareSection, pdk: Pdk) -> None:
    """Refuse sizes and supplies the models do not cover (InputError)."""
    if hardware.supply_v > pdk.supply_max_v:
        raise InputError(
            f"hardware.supply_v = {hardware.supply_v:g} is above the {pdk.supply_max_v:g} V of "
            f"the devices of '{pdk.name}'."
        )
    limits = pdk.limits
    for kind, low, high in (
        ("w", limits.w_min_m, limits.w_max_m),
        ("l", limits.l_min_m, limits.l_max_m),
    ):
        for device in ("unit", "cell", "switch"):
            key = f"{device}_{kind}_m"
            value = getattr(hardware, key)
            if not low <= value <= high:
                raise InputError(
                    f"hardware.{key} = {value:g} is outside the {low:g} to {high:g} m the models "
                    f"of '{pdk.name}' cover."
                )


def _write(run: Run, model: Model, design: Design, calibration: Calibration, clips: Split) -> Path:
    """Write beside the final folder first: a design is there as a whole or not at all."""
    folder = run.design_dir
    partial = folder.with_name(".design.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        (partial / "cells").mkdir(parents=True)
        _fill(partial, run, model, design, calibration, clips)
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _fill(
    folder: Path,
    run: Run,
    model: Model,
    design: Design,
    calibration: Calibration,
    clips: Split,
) -> None:
    point = calibration.point
    library = build_network(design)
    first = clips.currents(slice(0, 1))[0].double().numpy()
    timing = Timing(design.hardware.frame_s, design.hardware.edge_s, len(first), model.layers)
    for name in LIBRARY_FILES:
        text = with_models(library_text(name), point.pdk.nmos, point.pdk.pmos)
        write_text(folder / "cells" / name, text)
    write_text(folder / "network.cir", _network_file(run, design, library, point.pdk))
    write_text(folder / "pdk.cir", _pdk_file(point.pdk, design.hardware))
    title = f"Input currents of the test clip {clips.ids[0]}"
    write_text(
        folder / "stimulus.cir",
        comment(title) + "\n" + stimulus(first.tolist(), timing, design.hardware.unit_current_a),
    )
    title = f"Test bench of {run.path.name}: one clip of {timing.frames} frames"
    files = ["pdk.cir", "network.cir", "stimulus.cir"]
    if design.hardware.generates_strobes:
        text = generator_text(strobe_generator(timing), point.pdk.nmos, point.pdk.pmos)
        write_text(folder / "strobe.cir", text)
        files.append("strobe.cir")
    bench = bench_text(design.hardware, design.shape, timing, title, files)
    write_text(folder / "testbench.cir", bench + control("testbench.raw"))
    models = {"n": point.pdk.nmos, "p": point.pdk.pmos}
    for layer in range(model.layers):
        bench = cell_bench(design, library, layer, models, ("pdk.cir", "network.cir"))
        write_text(folder / f"cells_layer_{layer}.cir", bench + control("cells.raw"))
    write_text(folder / ".spiceinit", SPICEINIT)
    write_mapping(folder / "mapping.csv", design.rows)
    write_json(folder / "design.json", _facts(run, model, design, calibration, library, clips))


def _network_file(run: Run, design: Design, library: Library, pdk: Pdk) -> str:
    shipped = read_library()
    cell = f"bmru_{design.hardware.cell}"
    used = ["mirrors.cir", f"{cell}.cir"]
    used += ["bias.cir"] if design.reference is not None else []
    lines = [
        comment(f"Network of {run.path.name} for {pdk.title}"),
        *_how_weights_are_made(design.hardware),
        "* An instance is called as its parameter: layers.0.candidate.weight[3,2] is",
        "* xlayers_0.xcandidate.mweight_3_2. The table of all of them is mapping.csv.",
        *(f".include 'cells/{name}'" for name in used),
        "",
    ]
    models = {"n": pdk.nmos, "p": pdk.pmos}
    return "\n".join(lines) + "\n" + network_text(library, models, shipped)


def _how_weights_are_made(hardware: HardwareSection) -> tuple[str, ...]:
    grid = hardware.weight_grid
    if hardware.weights == "unit":
        return (
            f"* Weights are unit devices in parallel: m devices of a grid of {grid} are m/{grid}.",
        )
    return (
        f"* A line is a diode of {grid} unit devices; a weight is the current of its own device",
        "* (w, l, m) over that of the line, measured.",
    )


def _pdk_file(pdk: Pdk, hardware: HardwareSection) -> str:
    lines = [comment(f"{pdk.title}, corner {hardware.corner}: edit the path on another machine")]
    if pdk.lift is not None:
        again = f"codesign pdk show {pdk.name}"
        lines.append(comment(f"The library is cached; '{again}' makes it again from {pdk.library}"))
    return "\n".join(lines) + "\n" + pdk.header(hardware.corner)


def _facts(
    run: Run,
    model: Model,
    design: Design,
    calibration: Calibration,
    library: Library,
    clips: Split,
) -> dict[str, Any]:
    point, count = calibration.point, count_devices(library)
    # Counted and powered whether it is simulated with the network or stands outside.
    strobe = measure_strobe(point, design.shape) if design.hardware.cell == "strobed" else None
    if strobe is not None:
        count.blocks["strobe"] = strobe.count
    rows = design.rows
    sample = clips.currents(slice(0, _POWER_CLIPS)).double().numpy()
    errors = np.array([row.relative_error for row in rows if row.m])
    return {
        "schema": SCHEMA,
        "shape": asdict(design.shape),
        "class_names": list(model.class_names),
        "decision": str(model.decision),
        "hardware": design.hardware.model_dump(),
        "pdk": point.pdk.describe(),
        "ngspice": point.ngspice_version,
        "weights_sha256": weights_sha256(run),
        "parameters_learned": sum(p.numel() for p in model.network.parameters()),
        "parameter_rows": len(rows),
        "zero_weights": sum(row.m == 0 for row in rows),
        "relative_error_max": float(np.abs(errors).max()),
        "relative_error_rms": float(np.sqrt(np.mean(errors**2))),
        "transistors": count.transistors,
        "gate_area_m2": count.gate_area_m2,
        "blocks": {name: asdict(block) for name, block in count.blocks.items()},
        "strobe": None if strobe is None else described(strobe, design.hardware, design.shape),
        "mirrors": asdict(design.mirrors),
        "reference": None if design.reference is None else asdict(design.reference),
        "turns_l_m": dict(design.turns),
        "ranges": plan_ranges(
            design,
            library,
            node_currents(model_parameters(model), clips.currents().double().numpy()),
            sign_paths(point, calibration.mirrors, calibration.turns),
            measured_range(calibration),
            measured_widths(point).smallest,
            clips.frames,
        ),
        "cell_map": asdict(calibration.cell_map),
        "unrepresentable": [asdict(item) for item in design.unrepresentable],
        "unrepresentable_effect": _effect(model, design, clips),
        "predicted_power_w": predict_power(
            model, design, library, sample, 0.0 if strobe is None else strobe.power_w
        ),
    }


def _effect(model: Model, design: Design, clips: Split) -> dict[str, Any] | None:
    """Accuracy on the run's test clips before and after what could not be represented."""
    if not design.unrepresentable:
        return None
    inputs, labels = clips.currents().double().numpy(), clips.labels.numpy()
    software = {key: v.detach().double().numpy() for key, v in model.network.state_dict().items()}
    return {
        name: float(
            np.mean([t.decision for t in ideal_twin(parameters, inputs, model.decision)] == labels)
        )
        for name, parameters in (
            ("accuracy_software", software),
            ("accuracy_realised", design.realised()),
        )
    }
