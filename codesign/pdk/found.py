"""A process whose models were found: what decks, laws of chips and provenance take from it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from codesign.errors import InputError
from codesign.pdk.adapter import ChipLaw, Lift, Limits, MismatchLaw
from codesign.pdk.variation import Source


@dataclass(frozen=True)
class Pdk:
    """A process whose models were found, ready to be written into a deck.

    ``nmos`` and ``pmos`` are model names for direct M instances; ``corners`` maps the user's name
    of a corner to the library's section; ``sha256`` covers the contents of ``model_files`` in
    order; ``library`` is the process's own, ``spice_library`` the one a deck loads: the same in a
    spelling ngspice can read or, where ``lift`` is not None, the cards lifted out of it.
    """

    name: str
    title: str
    root: Path
    library: Path
    spice_library: Path
    model_files: tuple[Path, ...]
    sha256: str
    source: str
    nmos: str
    pmos: str
    corners: Mapping[str, str]
    parameters: Mapping[str, float]
    supply_max_v: float
    limits: Limits
    mismatch: MismatchLaw
    lift: Lift | None = None
    notice: str = ""
    process_variation: Mapping[str, Source] = field(default_factory=dict)

    def header(self, corner: str) -> str:
        """The SPICE lines that load this process at ``corner``, each ending in a newline.

        Raises InputError for a corner the process does not have.
        """
        if corner not in self.corners:
            raise InputError(
                f"The PDK '{self.name}' has no corner '{corner}'; "
                f"known corners: {', '.join(self.corners)}."
            )
        lines = ""
        if self.parameters:
            settings = " ".join(f"{key}={value:g}" for key, value in self.parameters.items())
            lines += f".param {settings}\n"
        return lines + f".lib '{self.spice_library}' {self.corners[corner]}\n"

    def law(self, process: bool = False) -> MismatchLaw:
        """What chips are drawn by: mismatch, and with ``process`` the variation of the process.

        Raises InputError for a process whose adapter has no such law.
        """
        if not process:
            return self.mismatch
        if not self.process_variation:
            raise InputError(
                f"The adapter of '{self.name}' says nothing of how the whole process varies: leave "
                "out --process-variation, or add a table [process_variation] to it (docs/pdk.md)."
            )
        return ChipLaw(**dict(self.mismatch), process=dict(self.process_variation))

    @property
    def digest(self) -> str:
        """Hash of all that decides a device's currents: files, names, sections, parameters."""
        lift = None if self.lift is None else self.lift.model_dump()
        facts = [
            self.sha256, self.nmos, self.pmos, dict(self.corners), dict(self.parameters), lift,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def describe(self) -> dict[str, object]:
        """What provenance and reports say about this process (JSON-able)."""
        return {
            "name": self.name,
            "title": self.title,
            "source": self.source,
            "root": str(self.root),
            "files": [str(path) for path in self.model_files],
            "sha256": self.sha256,
            "digest": self.digest,
            "notice": self.notice,
            "lifted": self.lift is not None,
        }
