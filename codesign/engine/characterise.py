"""Device models of exactly the geometries of a design, measured in ngspice and remembered."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from time import monotonic
from typing import Any

import numpy as np

from codesign.device.bench import ProcessPoint
from codesign.device.cache import cached, digest
from codesign.device.capacitance import Capacitance, measure_capacitances
from codesign.device.geometry import Geometry, geometry_of
from codesign.engine.fits import (
    FitError,
    MirrorFit,
    SwitchFit,
    fit_mirrors,
    fit_switch,
)
from codesign.engine.graph import Graph, Unsupported, is_mirror
from codesign.engine.tables import mirror_table, switch_table

SCHEMA = 6

# A mirror is fitted up to this many unit currents per unit of m / grid of the unit device.
HIGHEST_UNITS = 64.0
_SWITCH_UNITS = 8.0
# A fit that is worse than this (rms) says nothing of the circuit; switches only steer currents.
_WORST_FIT = {"saturated mirror": 0.01, "diode": 0.01, "switch": 0.3}


def thermal_voltage(temperature_c: float) -> float:
    """kT/q in volts."""
    return 8.617333e-5 * (temperature_c + 273.15)


@dataclass(frozen=True)
class Models:
    """Fits and capacitances of a design's devices. ``measured_s`` is 0 when read from the cache."""

    mirrors: tuple[MirrorFit, MirrorFit]
    switches: tuple[SwitchFit, ...]
    mirror_capacitances: tuple[tuple[Capacitance, ...], tuple[Capacitance, ...]]
    switch_capacitances: tuple[Capacitance, ...]
    measured_s: float = 0.0

    @cached_property
    def _mirror_places(self) -> dict[Geometry, tuple[int, int]]:
        return {
            geometry: (polarity, k)
            for polarity, fit in enumerate(self.mirrors)
            for k, geometry in enumerate(fit.geometries)
        }

    @cached_property
    def _switch_places(self) -> dict[Geometry, int]:
        return {fit.geometry: k for k, fit in enumerate(self.switches)}

    def mirror_index(self, geometry: Geometry) -> tuple[int, int]:
        """(polarity, index) of a mirror's fit."""
        return self._mirror_places[geometry]

    def switch_index(self, geometry: Geometry) -> int:
        return self._switch_places[geometry]

    def capacitance(self, geometry: Geometry, mirror: bool) -> Capacitance:
        if mirror:
            polarity, k = self._mirror_places[geometry]
            return self.mirror_capacitances[polarity][k]
        return self.switch_capacitances[self._switch_places[geometry]]

    def digest(self) -> str:
        """Hash of the models; the time they took is no part of them."""
        return digest(_content(self))

    @property
    def errors(self) -> list[FitError]:
        """Errors of every fit, for the user to see."""
        named = [
            FitError(f"{error.what} {fit.polarity}", error.rms, error.largest)
            for fit in self.mirrors
            for error in fit.errors
        ]
        return named + [switch.error for switch in self.switches]


def characterise(
    graph: Graph, point: ProcessPoint, progress: Callable[[str], None] = lambda _: None
) -> Models:
    """Measure (or read from the cache) the models of every device of ``graph``.

    Raises EnvironmentMissing when ngspice cannot measure them, Unsupported when the unit current
    is out of a device's reach.
    """
    mirrors: tuple[set[Geometry], set[Geometry]] = (set(), set())
    switches: set[Geometry] = set()
    for device in graph.devices:
        geometry = geometry_of(device)
        if is_mirror(device, graph.boundary):
            mirrors[device.polarity == "p"].add(geometry)
        else:
            switches.add(geometry)
    wanted = (tuple(sorted(mirrors[0])), tuple(sorted(mirrors[1])), tuple(sorted(switches)))

    def measure() -> Models:
        progress("measuring devices for the batched engine")
        return _measure(point, *wanted)

    return cached("engine", _key(point, wanted), measure, _content, _models)


def _measure(
    point: ProcessPoint,
    nmos: Sequence[Geometry],
    pmos: Sequence[Geometry],
    switches: Sequence[Geometry],
) -> Models:
    started = monotonic()
    hw = point.hardware
    density = HIGHEST_UNITS * hw.unit_current_a / (hw.weight_grid * hw.unit_w_m / hw.unit_l_m)
    fits, capacitances = [], []
    for geometries in (nmos, pmos):
        if not geometries:
            raise Unsupported("The batched engine needs mirrors of both polarities.")
        table = mirror_table(point, geometries)
        highest = [density * g.w_m / g.l_m for g in geometries]
        reachable = table.current_a[:, -1, :].max(axis=1)
        for geometry, wanted, most in zip(geometries, highest, reachable, strict=True):
            if most < wanted:
                raise Unsupported(
                    f"A device {geometry.text()} carries at most {most * 1e9:.3g} nA at this "
                    f"supply; the batched engine fits devices up to {wanted * 1e9:.3g} nA."
                )
        fit = fit_mirrors(geometries, table, highest, thermal_voltage(hw.temperature_c))
        fits.append(fit)
        capacitances.append(
            tuple(
                measure_capacitances(point, geometries, [0.0] * len(geometries), list(fit.high_v))
            )
        )
    limit = _SWITCH_UNITS * hw.unit_current_a
    switch_fits = tuple(fit_switch(g, switch_table(point, g), limit) for g in switches)
    ranges = ([0.0] * len(switches), [hw.supply_v] * len(switches))
    switch_capacitances = tuple(measure_capacitances(point, switches, *ranges))
    errors = [error for fit in fits for error in fit.errors]
    errors += [fit.error for fit in switch_fits]
    for error in errors:
        limit = next(v for name, v in _WORST_FIT.items() if error.what.startswith(name))
        if not error.rms <= limit:
            raise Unsupported(
                f"The batched engine cannot describe the devices of '{point.pdk.name}' at corner "
                f"{hw.corner}, {hw.temperature_c:g} C: the fit '{error.what}' is wrong by "
                f"{100 * error.rms:.2g} % rms, and {100 * limit:g} % is the limit."
            )
    return Models(
        (fits[0], fits[1]), switch_fits, (capacitances[0], capacitances[1]), switch_capacitances,
        monotonic() - started,
    )  # fmt: skip


def _key(point: ProcessPoint, wanted: Sequence[Sequence[Geometry]]) -> str:
    geometries = [[asdict(g) for g in group] for group in wanted]
    text = json.dumps([SCHEMA, HIGHEST_UNITS, point.key(), geometries])
    return hashlib.sha256(text.encode()).hexdigest()


# --- models as data for the cache --------------------------------------------------------------


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(type(value).__name__)


def _content(models: Models) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(json.dumps(asdict(models), default=_plain))
    del content["measured_s"]
    return content


def _models(content: dict[str, Any]) -> Models:
    def mirror(d: dict[str, Any]) -> MirrorFit:
        arrays = ("drain", "gate", "ratio", "diode", "centre_v", "half_v", "low_v", "high_v")
        replaced: dict[str, Any] = {key: np.array(d[key]) for key in arrays}
        replaced["geometries"] = tuple(Geometry(**g) for g in d["geometries"])
        replaced["errors"] = tuple(FitError(**e) for e in d["errors"])
        return MirrorFit(**{**d, **replaced})

    def switch(d: dict[str, Any]) -> SwitchFit:
        replaced = {"geometry": Geometry(**d["geometry"]), "pinch": np.array(d["pinch"])}
        return SwitchFit(**{**d, **replaced, "error": FitError(**d["error"])})

    def capacitance(d: dict[str, Any]) -> Capacitance:
        return Capacitance(tuple(d["gate"]), d["drain"], d["gate_drain"])

    n, p = content["mirrors"]
    cn, cp = content["mirror_capacitances"]
    return Models(
        (mirror(n), mirror(p)),
        tuple(switch(d) for d in content["switches"]),
        (tuple(map(capacitance, cn)), tuple(map(capacitance, cp))),
        tuple(map(capacitance, content["switch_capacitances"])),
    )
