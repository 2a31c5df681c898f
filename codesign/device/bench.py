"""What every characterisation shares: the process point and its decks.

A ``ProcessPoint`` is all that a device constant depends on: the model files, the sizes, the
supply, the temperature, the corner and the simulator. Its key names the cached result.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from codesign.circuit.library import LIBRARY_FILES, library_text, with_models
from codesign.errors import EnvironmentMissing
from codesign.flows import HardwareSection
from codesign.pdk import Pdk, find_pdk
from codesign.spice.ngspice import find_ngspice, ngspice_version, run_text
from codesign.spice.rawfile import Plot

SCHEMA = 1

# gmin at its default leaks picoamperes, as much as the signals carry.
DC_OPTIONS = (
    ".options gmin=1e-16 abstol=1e-16 vntol=1e-7 reltol=1e-5 chgtol=1e-18 itl1=500 itl2=200\n"
)


@dataclass(frozen=True)
class ProcessPoint:
    """A PDK with the hardware specification and the simulator that evaluates it."""

    pdk: Pdk
    hardware: HardwareSection
    ngspice: Path
    ngspice_version: str

    def library(self) -> str:
        """The cell library in this PDK's model names."""
        text = "".join(library_text(name) for name in LIBRARY_FILES)
        return with_models(text, self.pdk.nmos, self.pdk.pmos)

    def sizes(self) -> str:
        """Parameters that size the library's cells as the hardware specification says."""
        hw = self.hardware
        return (
            f"wu={hw.unit_w_m:.6g} lu={hw.unit_l_m:.6g} mu={hw.weight_grid} "
            f"wc={hw.cell_w_m:.6g} lc={hw.cell_l_m:.6g} ws={hw.switch_w_m:.6g} "
            f"ls={hw.switch_l_m:.6g} cv={hw.v0_capacitance_f:.6g}"
        )

    def run_dc(self, title: str, body: str) -> tuple[Plot, ...]:
        """Run a characterisation deck (netlist and control block) and return its plots.

        Raises EnvironmentMissing when the simulator cannot do it: nothing can be mapped then.
        """
        deck = (
            f"* {title}\n{self.pdk.header(self.hardware.corner)}{DC_OPTIONS}"
            f".temp {self.hardware.temperature_c:g}\n{self.library()}"
            f"vdd vdd 0 {self.hardware.supply_v:g}\n{body}.end\n"
        )
        outcome = run_text(self.ngspice, deck)
        if outcome.status != "ok":
            raise EnvironmentMissing(
                f"The characterisation '{title}' failed in ngspice ({outcome.status}: "
                f"{outcome.message}); check the PDK with 'codesign pdk check {self.pdk.name}'."
            )
        return outcome.plots

    def key(self) -> str:
        """Hash of everything a characterised constant depends on."""
        facts = {
            "schema": SCHEMA,
            "pdk": self.pdk.digest,
            "library": self.library(),
            "ngspice": self.ngspice_version,
            "hardware": self.hardware.model_dump(
                exclude={"cell", "weights", "bias", "strobe", "frame_s", "edge_s"}
            ),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def find_point(hardware: HardwareSection, pdk_root: Path | None = None) -> ProcessPoint:
    """The process point of a hardware specification on this machine.

    Raises EnvironmentMissing without ngspice or PDK, InputError for a PDK that is not known.
    """
    ngspice = find_ngspice()
    pdk = find_pdk(hardware.pdk, pdk_root)
    return ProcessPoint(pdk, hardware, ngspice, ngspice_version(ngspice))
