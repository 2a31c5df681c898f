"""One process as the product sees it: a TOML file under ``pdk/``, validated.

An adapter says where a process keeps its SPICE models, what its transistors are called, which
library section is which corner, how small and large a device may be and how two equal devices
differ. It holds no model: those stay where the designer installed them.
"""

import difflib
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from codesign.errors import InputError
from codesign.resources import resource_dir

_WORD = r"^[A-Za-z_][A-Za-z0-9_.]*$"
Word = Annotated[str, Field(pattern=_WORD, max_length=80)]
_SEGMENT = r"[A-Za-z0-9_\-][A-Za-z0-9_.\-]*"
RelativePath = Annotated[str, Field(pattern=rf"^{_SEGMENT}(/{_SEGMENT})*$")]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(_Table):
    """Drawn sizes the models accept, in metres."""

    w_min_m: float = Field(gt=0)
    w_max_m: float = Field(gt=0)
    l_min_m: float = Field(gt=0)
    l_max_m: float = Field(gt=0)


class PairConstants(_Table):
    """Pelgrom's constants of a *pair* of devices: A_VT in V m, A_K in m (relative current)."""

    a_vt_v_m: float = Field(ge=0)
    a_k_m: float = Field(ge=0)


class MismatchLaw(_Table):
    """How far one device lies from its drawing: sigma = A / sqrt(2 m W' L') (Pelgrom, 1989).

    W' = W + delta_w_m and L' = L + delta_l_m; ``m`` identical units in parallel average.
    """

    delta_w_m: float = 0.0
    delta_l_m: float = 0.0
    nmos: PairConstants
    pmos: PairConstants

    def sigma_vth_v(self, polarity: str, w_m: float, l_m: float, m: int = 1) -> float:
        """Standard deviation of one device's threshold, in volts."""
        return self._pair(polarity).a_vt_v_m / self._root_area_m(w_m, l_m, m)

    def sigma_k(self, polarity: str, w_m: float, l_m: float, m: int = 1) -> float:
        """Relative standard deviation of one device's current factor."""
        return self._pair(polarity).a_k_m / self._root_area_m(w_m, l_m, m)

    def _pair(self, polarity: str) -> PairConstants:
        return {"nmos": self.nmos, "pmos": self.pmos}[polarity]

    def _root_area_m(self, w_m: float, l_m: float, m: int) -> float:
        return math.sqrt(2 * m * (w_m + self.delta_w_m) * (l_m + self.delta_l_m))


class RootSearch(_Table):
    """Where an installation in the open_pdks (ciel, volare) layout keeps the models."""

    variants: tuple[RelativePath, ...] = Field(min_length=1)
    files: tuple[RelativePath, ...] = Field(min_length=1)


class PackageSearch(_Table):
    """Where an installed Python package keeps the models."""

    distribution: str = Field(pattern=r"^[A-Za-z0-9_.\-]+$")
    module: str = Field(pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$")
    file: RelativePath


class Search(_Table):
    """The places a process may be found in."""

    root: RootSearch | None = None
    package: PackageSearch | None = None
    shipped: RelativePath | None = None


class _AdapterFile(_Table):
    title: str
    supply_max_v: float = Field(gt=0)
    nmos: tuple[Word, ...] = Field(min_length=1)
    pmos: tuple[Word, ...] = Field(min_length=1)
    parameters: dict[Word, float] = Field(default_factory=dict)
    corners: dict[Word, Word] = Field(min_length=1)
    limits: Limits
    mismatch: MismatchLaw
    search: Search


@dataclass(frozen=True)
class Adapter:
    """The validated content of ``pdk/<name>.toml``."""

    name: str
    title: str
    supply_max_v: float
    nmos: tuple[str, ...]
    pmos: tuple[str, ...]
    parameters: dict[str, float]
    corners: dict[str, str]
    limits: Limits
    mismatch: MismatchLaw
    search: Search


def adapter_names() -> list[str]:
    """Names of the processes the product has an adapter for."""
    return sorted(path.stem for path in resource_dir("pdk").glob("*.toml"))


def load_adapter(name: str) -> Adapter:
    """The adapter called ``name``.

    Raises InputError for a name without an adapter, or an adapter file that is not valid.
    """
    known = adapter_names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}."
        raise InputError(f"There is no PDK adapter '{name}'; {hint}")
    return read_adapter(resource_dir("pdk") / f"{name}.toml")


def read_adapter(path: Path) -> Adapter:
    """Read and validate one adapter file; InputError says what is wrong with it."""
    try:
        data = _AdapterFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"Cannot read the PDK adapter {path}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"The PDK adapter {path} is not valid TOML: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(f"The PDK adapter {path}, key {key}: {first['msg']}.") from error
    return Adapter(name=path.stem, **{key: getattr(data, key) for key in type(data).model_fields})
