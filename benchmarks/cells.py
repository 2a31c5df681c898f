"""Asynchronous against strobed cells on the same trained networks and the same clips.

    python benchmarks/cells.py runs/digits runs/keyword --clips 100 --judge 2

Each run is exported once per cell into a temporary folder and simulated on the nominal chip by the
batched engine; ``--judge`` clips of each are simulated again in ngspice with exact options and
compared state by state. Then, for the strobed cell: speed, strobe timing, charge injection and the
hold current. Everything a table varies is a source, a capacitor or a device size, so a row costs
seconds. The strobe generator is measured in ngspice with the load of the network; its power is in
every total of a strobed cell.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from codesign.analysis.agreement import Twins, compare
from codesign.circuit.elements import Call, Library, Mosfet
from codesign.circuit.export import export_design
from codesign.circuit.library import read_network
from codesign.circuit.strobe_measure import measure_strobe
from codesign.circuit.testbench import EXACT_OPTIONS
from codesign.circuit.timing import Pulse, StrobeEdges, ideal_edges
from codesign.device.cell_loops import CellBias
from codesign.engine import BatchedEngine
from codesign.flows import load_flow
from codesign.runs import Run
from codesign.simulation.engines import traces_of
from codesign.simulation.sample import Job, run_sample, shard_path
from codesign.simulation.setting import Options, Setting, set_up
from codesign.simulation.traces import Traces, join, read_traces
from codesign.twin.ideal import ideal_twin

FRAMES_S = (0.02, 0.01, 0.005, 0.002, 0.001)
HEAD = (
    "| | decisions | states | where they change | clips all right | causes "
    "(threshold, settling, glitch, inherited) | cells, ff, bias, strobe nW | all nW |"
)


@dataclass(frozen=True)
class Bed:
    """One design with its clips and twins, ready in the batched engine."""

    setting: Setting
    library: Library
    engine: BatchedEngine
    inputs: np.ndarray[Any, np.dtype[np.float64]]
    twins: Twins
    strobe_w: float

    def run(self) -> Traces:
        """All clips on the nominal chip."""
        numbers = np.arange(len(self.inputs))
        result = self.engine.run(self.inputs, numbers, threads=1)
        return traces_of(numbers, result, self.strobe_w)

    def hardware(self, **keys: Any) -> "Bed":
        """The same circuit at another frame length, supply and so on."""
        hw = self.setting.exported.hardware.model_copy(update=keys)
        exported = replace(self.setting.exported, hardware=hw)
        point = replace(self.setting.point, hardware=hw)
        timing = replace(self.setting.yardstick.timing, frame_s=hw.frame_s, edge_s=hw.edge_s)
        yardstick = replace(self.setting.yardstick, timing=timing)
        points = {self.setting.plan.corners[0]: point}
        setting = replace(self.setting, exported=exported, points=points, yardstick=yardstick)
        strobe_w = measure_strobe(point, exported.shape).power_w if hw.cell == "strobed" else 0.0
        return replace(self, setting=setting, strobe_w=strobe_w).circuit(self.library)

    def circuit(self, library: Library) -> "Bed":
        """Another circuit at the same point."""
        made = self.setting.exported
        engine = BatchedEngine.of_circuit(library, made.shape, made.hardware, self.setting.point)
        return replace(self, library=library, engine=engine)

    def strobes(self, edges: StrobeEdges) -> "Bed":
        """The same with other strobes."""
        return replace(self, engine=replace(self.engine, edges=edges))


@contextmanager
def beds(source: Path, clips: int) -> Iterator[dict[str, Bed]]:
    """The run with both cells."""
    with tempfile.TemporaryDirectory(prefix="codesign-cells-") as name:
        made = {}
        for cell in ("async", "strobed"):
            run = Run(Path(name) / cell)
            shutil.copytree(source, run.path, ignore=shutil.ignore_patterns("sim", "design"))
            hw = load_flow(run.flow_file, (f"hardware.cell={cell}",)).hardware
            default = type(hw).model_fields["v0_capacitance_f"].default
            export_design(run, hw.model_copy(update={"v0_capacitance_f": default}))
            made[cell] = _bed(set_up(run, Options(clips=clips)))
        yield made


def _bed(setting: Setting) -> Bed:
    point, made = setting.point, setting.exported
    library = read_network(made.folder, point.pdk.nmos, point.pdk.pmos)
    inputs = setting.inputs_units()[list(setting.plan.clips)]
    yardstick = setting.yardstick
    twins = Twins.of(ideal_twin(yardstick.parameters, inputs, yardstick.rule))
    engine = BatchedEngine.of_circuit(library, made.shape, made.hardware, point)
    return Bed(setting, library, engine, inputs, twins, setting.bench.strobe_power_w)


def row(name: str, bed: Bed) -> Traces:
    """Simulate and print one row of a table."""
    traces = bed.run()
    planned = bed.setting.plan.rows(traces.sample)
    found = compare(bed.setting.yardstick, planned, bed.twins, traces, False)
    tally, samples = found.tally, found.samples
    pairs, changed = tally.total("pairs"), tally.total("changed")
    ok = samples[samples["status"] == "ok"]
    power = np.nanmean(traces.power_w, axis=0) * 1e9
    causes = [tally.causes.get(k, 0) for k in ("threshold", "settling", "glitch", "inherited")]
    print(
        f"| {name} | {int(ok['agree'].sum())} of {len(samples)} | "
        f"{100 * (1 - tally.total('differing') / pairs):.2f} % of {int(pairs)} | "
        f"{100 * tally.total('changed_agreeing') / changed:.2f} % of {int(changed)} | "
        f"{tally.samples_agreeing} | {', '.join(map(str, causes))} | "
        f"{', '.join(f'{block:.4g}' for block in power)} | {power.sum():.1f} |",
        flush=True,
    )
    return traces


def table(title: str) -> None:
    print(f"\n{title}\n\n{HEAD}\n|{'---|' * HEAD.count(' | ')}---|")


def judge(bed: Bed, traces: Traces, clips: int) -> str:
    """ngspice with exact options on the first clips: what it finds otherwise."""
    bench = replace(bed.setting.bench, options=EXACT_OPTIONS)
    parts = []
    with tempfile.TemporaryDirectory(prefix="codesign-cells-") as name:
        for part in ("shards", "logs", "work"):
            (Path(name) / part).mkdir()
        for index in range(clips):
            planned = bed.setting.plan.sample(index)
            run_sample(Job(bench, planned, bed.inputs[index], Path(name), False))
            read = read_traces(shard_path(Path(name), index))
            assert read is not None
            parts.append(read)
    truth, other = join(parts), traces.take(np.arange(clips))
    half = bed.setting.yardstick.cells("alpha")[:, :, None] / 2
    half = half * bed.setting.exported.hardware.unit_current_a
    differing = int(((truth.states_a > half) != (other.states_a > half)).sum())
    power = (other.power_w.sum() / truth.power_w.sum() - 1) * 100
    return (
        f"{', '.join(truth.status)}; {differing} of {truth.states_a.size} states differ, power "
        f"{power:+.2f} %"
    )


def with_cells(library: Library, **parameters: float) -> Library:
    """The circuit with other parameters (``ws ls cv``) of its cells."""

    def other(element: Any, _: str) -> Any:
        if isinstance(element, Call) and element.subckt.startswith("bmru_"):
            return replace(element, parameters={**element.parameters, **parameters})
        return element

    return _mapped(library, other)


def with_holds(bed: Bed, position: float) -> Library:
    """Hold currents ``position`` of a window's width below the threshold's current; 0.5 is its
    middle. The widths of the hold mirrors are scaled."""
    scales = {}
    parameters = bed.setting.yardstick.parameters
    for layer in range(bed.setting.exported.shape.layers):
        high, width = (parameters[f"layers.{layer}.cell.{key}"] for key in ("beta_hi", "width"))
        for unit, (top, wide) in enumerate(zip(high, width, strict=True)):
            made = CellBias(float(top), float(wide), 1.0).hold
            scales[f"layers_{layer}_cell", f"mhold_{unit}"] = (top - position * wide) / made

    def other(element: Any, block: str) -> Any:
        if isinstance(element, Mosfet) and (block, element.name) in scales:
            wider = float(element.w_m) * scales[block, element.name]
            return replace(element, w_m=round(wider, 9))
        return element

    return _mapped(bed.library, other)


def _mapped(library: Library, other: Callable[[Any, str], Any]) -> Library:
    blocks = {}
    for name, block in library.subcircuits.items():
        groups = tuple(
            replace(
                group,
                elements=tuple(other(element, name) for element in group.elements),
            )
            for group in block.groups
        )
        blocks[name] = replace(block, groups=groups)
    return Library(library.top, blocks)


def moved(pulse: Pulse, opens: float = 0.0, closes: float = 0.0, edge: float = 0.0) -> Pulse:
    """A pulse whose edges begin later by seconds, and last ``edge`` seconds if that is given."""
    first = edge or pulse.away_s - pulse.leaves_s
    last = edge or pulse.back_s - pulse.returns_s
    begins, ends = pulse.leaves_s + opens, pulse.returns_s + closes
    return Pulse(begins, begins + first, ends, ends + last)


def variants(bed: Bed) -> list[tuple[str, StrobeEdges]]:
    """Strobes that are late, short, skewed or slow."""
    timing = bed.setting.yardstick.timing
    frame, base = timing.frame_s, ideal_edges(timing)

    def both(**how: float) -> StrobeEdges:
        return [(moved(plain, **how), moved(other, **how)) for plain, other in base]

    measured = measure_strobe(bed.setting.point, bed.setting.exported.shape).edges
    made: list[tuple[str, StrobeEdges]] = [("as timed, edges 20 us", base)]
    made += [("the generator's", measured)]
    for part in (-0.10, -0.05, 0.05):
        shift = part * frame
        made.append((f"all {100 * part:+.0f} % of a frame", both(opens=shift, closes=shift)))
    early = [both(opens=-0.1 * frame, closes=-0.1 * frame)[0], *base[1:]]
    made.append(("first layer alone -10 %", early))
    for part in (0.02, 0.05, 0.10):
        made.append((f"open {100 * part:.0f} % later", both(opens=part * frame)))
        made.append((f"close {100 * part:.0f} % earlier", both(closes=-part * frame)))
    for edge in (2e-7, 2e-6, 5e-5, 1e-4, 2e-4):
        made.append((f"edges {edge * 1e6:g} us", both(edge=edge)))
    for by in (1e-6, 5e-6, 2e-5, 1e-4):
        quick = [(moved(p, edge=2e-7), moved(o, edge=2e-7)) for p, o in base]
        for word, leave, back in (("both high", 1, -1), ("both low", -1, 1), ("late", 1, 1)):
            pairs = [(p, moved(o, opens=leave * by, closes=back * by)) for p, o in quick]
            name = "complement late" if word == "late" else word
            made.append((f"{name} for {by * 1e6:g} us", pairs))
    return made


def study(source: Path, clips: int, judged: int, brief: bool) -> None:
    """All tables of one run; ``brief``: only the two that compare the cells."""
    print(f"\n## {source.name}")
    with beds(source, clips) as made:
        table(f"Both cells, {clips} clips, 20 fF on the decision node")
        for cell, bed in made.items():
            traces = row(cell, bed)
            facts = bed.setting.exported.facts
            print(
                f"<!-- {cell}: {facts['transistors']} transistors, "
                f"{facts['gate_area_m2'] * 1e12:.0f} um2 of gate"
                + (f"; ngspice: {judge(bed, traces, judged)}" if judged else "")
                + " -->"
            )
        for cv in (5e-14, 2e-13):
            row(f"async, {cv * 1e15:.0f} fF", made["async"].circuit(
                with_cells(made["async"].library, cv=cv)))  # fmt: skip
        table("Speed")
        for frame_s in FRAMES_S:
            for cell, bed in made.items():
                edge_s = min(2e-5, frame_s / 50)
                row(f"{cell}, frames of {frame_s * 1e3:g} ms",
                    bed.hardware(frame_s=frame_s, edge_s=edge_s))  # fmt: skip
        if brief:
            return
        strobed = made["strobed"]
        table("Strobe timing")
        for name, edges in variants(strobed):
            row(name, strobed.strobes(edges))
        table("Charge injection: switches, the capacitor of the decision node, supply")
        for times in (1, 2, 4):
            for cv in (0.0, 2e-14, 5e-14, 2e-13):
                changed = with_cells(strobed.library, ws=times * 5e-7, cv=cv)
                row(f"switches x{times}, {cv * 1e15:.0f} fF", strobed.circuit(changed))
        for supply in (1.62, 1.98):
            row(f"supply {supply} V", strobed.hardware(supply_v=supply))
        table("Hold current: where in the hysteresis window")
        row("as exported", strobed)
        for position in (0.5, 0.7, 0.8, 0.9, 0.95):
            row(f"{position:g} of the width below the threshold",
                strobed.circuit(with_holds(strobed, position)))  # fmt: skip


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--judge", type=int, default=0, help="clips simulated in ngspice too")
    parser.add_argument("--brief", action="store_true", help="both cells and their speed only")
    arguments = parser.parse_args(given)
    for run in arguments.runs:
        study(run, arguments.clips, arguments.judge, arguments.brief)


if __name__ == "__main__":
    main()
