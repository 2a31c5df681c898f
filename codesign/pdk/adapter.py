"""One process as the product sees it: a TOML file under ``pdk/``, validated.

An adapter says where a process keeps its SPICE models, what its transistors are called, which
library section is which corner, how small and large a device may be and how two equal devices
differ. It holds no model: those stay where the designer installed them.
"""

import difflib
import math
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from codesign.errors import InputError
from codesign.pdk.variation import Source
from codesign.resources import resource_dir

# What is written into netlists: nothing here can end a line, open a string or start a directive.
_WORD = r"^[A-Za-z_][A-Za-z0-9_.]*$"
Word = Annotated[str, Field(pattern=_WORD, max_length=80)]
SectionName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]*$", max_length=80)]
NAME = re.compile(r"[A-Za-z0-9_\-]{1,80}")
TYPICAL = "typical"
ADAPTERS = "CODESIGN_PDKS"
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
    """Pelgrom's constants of a *pair* of devices: A_VT in V m, A_K in m (relative current).

    ``slope_factor``: n of weak inversion, I ~ exp(V / (n kT/q)): what a threshold shift does to a
    current where nothing is measured, as in training.
    """

    a_vt_v_m: float = Field(ge=0)
    a_k_m: float = Field(ge=0)
    slope_factor: float = Field(default=1.4, ge=1, le=3)


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

    def slope_factor(self, polarity: str) -> float:
        """Sub-threshold slope factor of "nmos" or "pmos"."""
        return self._pair(polarity).slope_factor

    def _pair(self, polarity: str) -> PairConstants:
        return {"nmos": self.nmos, "pmos": self.pmos}[polarity]

    def _root_area_m(self, w_m: float, l_m: float, m: int) -> float:
        return math.sqrt(2 * m * (w_m + self.delta_w_m) * (l_m + self.delta_l_m))


class ChipLaw(MismatchLaw):
    """Mismatch with the variation of the whole process on top: the law of chips of many wafers."""

    process: dict[str, Source]


class Lift(_Table):
    """Models inside subcircuits: which subcircuits, and what their cards may depend on.

    ``nmos``, ``pmos``: the subcircuits, which codesign calls only to check its copies against
    them; ``size_unit_m``: metres of one unit of their w and l (1e-6 where ``.option scale`` makes
    them micrometres); ``zero``: switches of the statistics, taken as 0.
    """

    nmos: Word
    pmos: Word
    size_unit_m: float = Field(default=1.0, gt=0, le=1)
    zero: tuple[Word, ...] = ()


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
    """The places a process may be found in.

    ``shipped`` is relative to the adapter's folder; ``path`` is a library's own absolute path.
    """

    root: RootSearch | None = None
    package: PackageSearch | None = None
    path: Path | None = None
    shipped: RelativePath | None = None

    @model_validator(mode="after")
    def _somewhere(self) -> "Search":
        if not (self.root or self.package or self.path or self.shipped):
            raise ValueError("names no place; give root, package, path or shipped")
        if self.path is not None and not self.path.expanduser().is_absolute():
            raise ValueError(f"path = '{self.path}' is not absolute; use shipped for a file beside")
        return self


class _AdapterFile(_Table):
    title: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
    notice: str = Field(default="", max_length=400, pattern=r"^[^\x00-\x1f\x7f]*$")
    supply_max_v: float = Field(gt=0)
    nmos: tuple[Word, ...] = Field(min_length=1)
    pmos: tuple[Word, ...] = Field(min_length=1)
    parameters: dict[Word, float] = Field(default_factory=dict)
    corners: dict[Word, SectionName] = Field(min_length=1)
    limits: Limits
    mismatch: MismatchLaw
    process_variation: dict[Word, Source] = Field(default_factory=dict)
    lift: Lift | None = None
    search: Search

    @field_validator("corners")
    @classmethod
    def _typical(cls, corners: dict[str, str]) -> dict[str, str]:
        if TYPICAL not in corners:
            raise ValueError(f"has no '{TYPICAL}', the corner that is taken when none is named")
        return corners


@dataclass(frozen=True)
class Adapter:
    """The validated content of ``pdk/<name>.toml``; ``folder`` is where that file lies.

    ``notice`` is said at the top of every page about a design in this process.
    """

    name: str
    folder: Path
    title: str
    notice: str
    supply_max_v: float
    nmos: tuple[str, ...]
    pmos: tuple[str, ...]
    parameters: dict[str, float]
    corners: dict[str, str]
    limits: Limits
    mismatch: MismatchLaw
    process_variation: dict[str, Source]
    lift: Lift | None
    search: Search


def adapter_files(environ: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """Every adapter by name: those shipped, then those in the folders of ``CODESIGN_PDKS``.

    Raises InputError for a folder that is not there, and for a name that is taken or cannot be
    written in a flow.
    """
    files = {path.stem: path for path in sorted(resource_dir("pdk").glob("*.toml"))}
    for text in filter(None, environ.get(ADAPTERS, "").split(os.pathsep)):
        folder = Path(text).expanduser()
        if not folder.is_dir():
            raise InputError(
                f"{ADAPTERS} names {folder}, which is not a folder; correct or unset it."
            )
        for path in sorted(folder.glob("*.toml")):
            if not NAME.fullmatch(path.stem):
                raise InputError(
                    f"The PDK adapter {path} is called '{path.stem}'; use letters, digits, - and _."
                )
            if path.stem in files:
                raise InputError(
                    f"The PDK adapter {path} has the name of {files[path.stem]}; rename one."
                )
            files[path.stem] = path
    return files


def adapter_names(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Names of the processes there is an adapter for."""
    return sorted(adapter_files(environ))


def load_adapter(name: str, environ: Mapping[str, str] = os.environ) -> Adapter:
    """The adapter called ``name``.

    Raises InputError for a name without an adapter, or an adapter file that is not valid.
    """
    files = adapter_files(environ)
    if name not in files:
        near = difflib.get_close_matches(name, files, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(sorted(files))}."
        raise InputError(
            f"There is no PDK adapter '{name}'; {hint} An adapter of your own goes into a folder "
            f"that {ADAPTERS} names."
        )
    return read_adapter(files[name])


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
    return Adapter(
        path.stem, path.parent, **{key: getattr(data, key) for key in type(data).model_fields}
    )
