"""What is simulated at a point: the network with an ideal reference or with its own, and its bench.

The two variants of a design differ in the block ``reference`` alone. The design's own variant is
its netlist as it stands on disk; the other is written from it into the plan's folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from codesign.circuit.bias import has_tree, variant
from codesign.circuit.elements import Library
from codesign.circuit.library import library_text, read_library, read_network, with_models
from codesign.circuit.spice_text import comment, network_text
from codesign.device.bench import ProcessPoint
from codesign.device.cache import cached, digest
from codesign.device.calibrate import read_mirrors
from codesign.device.mirrors import MirrorCalibration
from codesign.device.reference import (
    ReferencePoint,
    ReferenceSizes,
    measure_reference,
    size_reference,
)
from codesign.errors import InputError
from codesign.files import write_text
from codesign.flows import HardwareSection
from codesign.mapping.exported import Exported
from codesign.pdk import Pdk
from codesign.pdk.links import spice_path
from codesign.simulation.points import CornerPoint
from codesign.simulation.sample import Bench

TREE = "tree"


def bias_of(condition: str) -> str:
    """The value of ``hardware.bias`` a condition stands for."""
    return TREE if condition.startswith(TREE) else "ideal"


@dataclass(frozen=True)
class CornerCircuits:
    """The variants of a design by ``hardware.bias``: circuits in memory, and their text."""

    exported: Exported
    nominal: ProcessPoint
    mirrors: MirrorCalibration
    sizes: ReferenceSizes | None
    libraries: Mapping[str, Library]
    texts: Mapping[str, str]

    def at(self, point: CornerPoint, **changes: object) -> ProcessPoint:
        """The process point; sizes stay those of the design."""
        hardware = point.hardware(self.exported.hardware, **changes)
        return replace(self.nominal, hardware=hardware)

    def reference(self, condition: str, point: CornerPoint) -> ReferencePoint | None:
        """What the on-chip reference gives at a point, measured (or recalled); None for ideal."""
        if bias_of(condition) != TREE:
            return None
        sizes = self.sizes
        assert sizes is not None  # nothing with a tree is simulated without its sizes
        here = self.at(point)
        return cached(
            "reference_points",
            digest([here.key(), sizes.parameters(here.hardware.unit_w_m, here.hardware.unit_l_m)]),
            lambda: measure_reference(here, sizes),
            lambda found: dict(vars(found)),
            lambda stored: ReferencePoint(**stored),
        )

    def unit_current_a(self, condition: str, reference: ReferencePoint | None) -> float:
        """The amperes of one unit at the inputs: the front end follows the reference or not."""
        nominal = self.exported.hardware.unit_current_a
        follows = condition == "tree_tracking" and reference is not None
        return reference.current_a if follows and reference is not None else nominal

    def hardware(
        self, condition: str, point: CornerPoint, reference: ReferencePoint | None
    ) -> HardwareSection:
        """The specification the bench of a sample is made from."""
        unit_a = self.unit_current_a(condition, reference)
        return point.hardware(
            self.exported.hardware, bias=bias_of(condition), unit_current_a=unit_a
        )

    def write(self, folder: Path) -> dict[str, Path]:
        """Where ngspice finds the netlist of each variant; ``folder`` takes those of our own."""
        paths = {}
        for bias, text in self.texts.items():
            if text:
                write_text(folder / f"network_{bias}.cir", text)
                paths[bias] = spice_path((folder / f"network_{bias}.cir").resolve())
            else:
                paths[bias] = spice_path(self.exported.network_file.resolve())
        return paths


def corner_circuits(
    exported: Exported, point: ProcessPoint, conditions: tuple[str, ...]
) -> CornerCircuits:
    """The variants that ``conditions`` need, with the sizes of the on-chip reference.

    Raises InputError when no size of the reference gives the design's unit current.
    """
    hardware = exported.hardware
    library = read_network(exported.folder, point.pdk.nmos, point.pdk.pmos)
    own = TREE if has_tree(library) else "ideal"
    if own != hardware.bias:
        raise InputError(
            f"{exported.network_file} does not hold the reference that hardware.bias = "
            f"\"{hardware.bias}\" stands for; make the design again with 'codesign export-netlist'."
        )
    try:
        mirrors = read_mirrors(exported.facts["mirrors"])
        stored = exported.facts.get("reference")
        sizes = ReferenceSizes(**stored) if stored else None
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{exported.folder / 'design.json'} is damaged ({error}); make the design again with "
            "'codesign export-netlist'."
        ) from error
    needed = {bias_of(condition) for condition in conditions}
    if sizes is None:
        try:
            sizes = size_reference(point, mirrors)
        except InputError:
            if TREE in needed:
                raise
    libraries: dict[str, Library] = {}
    texts: dict[str, str] = {}
    for bias in sorted(needed):
        if bias == own:
            libraries[bias], texts[bias] = library, ""
            continue
        complete = Library(library.top, {**read_library(), **library.subcircuits})
        libraries[bias] = variant(complete, hardware, sizes if bias == TREE else None)
        texts[bias] = _text(exported, point.pdk, libraries[bias], bias)
    return CornerCircuits(exported, point, mirrors, sizes, libraries, texts)


def _text(exported: Exported, pdk: Pdk, library: Library, bias: str) -> str:
    """A variant as a netlist: the design's cells as they are, and the blocks of the network."""
    bias_file = "bias.cir"
    cells = sorted((exported.folder / "cells").resolve().glob("*.cir"))
    lines = [comment(f"The design with hardware.bias = {bias}")]
    lines += [f".include '{spice_path(path)}'" for path in cells if path.name != bias_file]
    if bias == TREE:
        lines += with_models(library_text(bias_file), pdk.nmos, pdk.pmos).splitlines()
    models = {"n": pdk.nmos, "p": pdk.pmos}
    return "\n".join(lines) + "\n" + network_text(library, models, read_library())


def bench_at(shared: Bench, circuits: CornerCircuits, file: Path, hw: HardwareSection) -> Bench:
    """The bench of the samples at a point, from the one of the design at its own."""
    header = circuits.nominal.pdk.header(hw.corner)
    return replace(shared, hardware=hw, network_file=file, pdk_header=header)
