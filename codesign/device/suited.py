"""The same hardware specification in another process: what has to change, by a stated rule.

A network is compared between processes at the same currents, sizes and timing, as far as each
process can take them:

- the supply is the run's, or the process's largest where that is lower; the readout voltage
  keeps its part of the supply;
- a width or a length outside the process's limits is moved to the nearest limit. Copies are
  trimmed from 0.94 to 1.10 unit lengths and bias mirrors reach three, so the unit length must
  leave that room;
- a corner the process does not have becomes its typical one.

Everything else is left alone, and what was changed is said.
"""

from typing import Any

from pydantic import ValidationError

from codesign.errors import InputError
from codesign.flows import HardwareSection
from codesign.pdk import Pdk

_TYPICAL = "typical"
# Lengths around the unit length that mirrors use: trims, and the longest bias device.
_SHORTEST, _LONGEST = 0.94, 3.0
# Models are often binned up to, and not including, their largest size.
_INSIDE = 0.999


def suited(hardware: HardwareSection, pdk: Pdk) -> tuple[HardwareSection, tuple[str, ...]]:
    """``hardware`` as ``pdk`` can take it, and one line for each key that had to change.

    Raises InputError where no change within a flow's own ranges would do.
    """
    limits = pdk.limits
    changed: dict[str, Any] = {}
    if hardware.corner not in pdk.corners:
        changed["corner"] = _TYPICAL
    if hardware.supply_v > pdk.supply_max_v:
        changed["supply_v"] = pdk.supply_max_v
        changed["readout_v"] = round(hardware.readout_v * pdk.supply_max_v / hardware.supply_v, 3)
    for device in ("unit", "cell", "switch"):
        low, high = limits.l_min_m, limits.l_max_m * _INSIDE
        if device == "unit":
            low, high = low / _SHORTEST, high / _LONGEST
        for key, smallest, largest in (
            (f"{device}_w_m", limits.w_min_m, limits.w_max_m * _INSIDE),
            (f"{device}_l_m", low, high),
        ):
            value = getattr(hardware, key)
            nearest = min(max(value, smallest), largest)
            if nearest != value:
                changed[key] = float(f"{nearest:.4g}")
    try:
        result = HardwareSection.model_validate(
            {**hardware.model_dump(), **changed, "pdk": pdk.name}
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"The network does not fit '{pdk.name}': hardware.{first['loc'][-1]} would have to be "
            f"{first['input']!r} ({first['msg']})."
        ) from error
    notes = tuple(
        f"hardware.{key}: {getattr(hardware, key)} becomes {value}"
        for key, value in changed.items()
    )
    return result, notes
