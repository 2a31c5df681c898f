"""The design as a folder: what ``export-netlist`` writes and ``simulate`` reads.

design/
  mapping.csv      one row per learned parameter
  design.json      hardware, process, device constants, counts, what cannot be represented
  network.cir      the network; cells/*.cir the cell library it includes
  strobe.cir       the strobe generator, of a strobed design that has one
  pdk.cir          the lines that load the process models: the only machine-dependent file
  stimulus.cir     input currents of one test clip
  testbench.cir    supplies, strobes, what to save; run it with 'ngspice -b testbench.cir'
  cells_layer_*.cir  hysteresis of one layer's cells, a bench that runs by hand as well
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from codesign.errors import InputError
from codesign.files import read_json
from codesign.flows import HardwareSection
from codesign.mapping.design import Shape
from codesign.runs import Run

SCHEMA = 1
_REMAKE = "make the design again with 'codesign export-netlist'."


@dataclass(frozen=True)
class Exported:
    """A design on disk, checked."""

    folder: Path
    shape: Shape
    hardware: HardwareSection
    facts: dict[str, Any]

    @property
    def network_file(self) -> Path:
        return self.folder / "network.cir"

    @property
    def strobe_file(self) -> Path:
        """The strobe generator; only there where ``hardware.strobe`` asks for it."""
        return self.folder / "strobe.cir"

    @property
    def mapping_file(self) -> Path:
        return self.folder / "mapping.csv"


def weights_sha256(run: Run) -> str:
    """Hash of the weights a design is made from."""
    return hashlib.sha256(run.weights_file.read_bytes()).hexdigest()


def load_exported(run: Run) -> Exported:
    """The design of a run.

    Raises InputError when it is missing, damaged, of another version, or was made from other
    weights than the run holds now.
    """
    path = run.design_dir / "design.json"
    if not path.is_file():
        raise InputError(
            f"{run.path} holds no design ({path.name} is missing); "
            "make it with 'codesign export-netlist'."
        )
    facts = read_json(path, "the design")
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA:
        found = facts.get("schema") if isinstance(facts, dict) else None
        raise InputError(f"{path}: schema = {found!r}, expected {SCHEMA}; {_REMAKE}")
    try:
        hardware = HardwareSection.model_validate(facts["hardware"])
        shape = Shape(**facts["shape"])
        made_from = facts["weights_sha256"]
    except (KeyError, TypeError, ValidationError) as error:
        raise InputError(
            f"{path} is damaged ({type(error).__name__}: {error}); {_REMAKE}"
        ) from error
    if made_from != weights_sha256(run):
        raise InputError(
            f"{path} was made from other weights than {run.weights_file.name} holds now; {_REMAKE}"
        )
    exported = Exported(run.design_dir, shape, hardware, facts)
    files = [exported.network_file, exported.mapping_file]
    for file in [*files, exported.strobe_file] if hardware.generates_strobes else files:
        if not file.is_file():
            raise InputError(f"{file} is missing; {_REMAKE}")
    return exported
