"""Everything ``codesign doctor`` looks at, each as one finding with its fix."""

import ctypes.util
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import codesign
from codesign.doctor.features import probe_ngspice
from codesign.doctor.models import check_models
from codesign.engine.native.library import find_compiler
from codesign.errors import CodesignError, EnvironmentMissing
from codesign.flows import HardwareSection
from codesign.pdk import Adapter, adapter_names, load_adapter, search_pdk
from codesign.pdk.find import fix_for
from codesign.spice.ngspice import find_ngspice

_LOW_DISK_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Finding:
    """One thing looked at. ``fix`` is empty when there is nothing to do."""

    group: str
    name: str
    ok: bool
    required: bool
    detail: str
    fix: str = ""

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def examine(pdk_root: Path | None = None, environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """Look at the whole machine. Missing things are findings, never exceptions."""
    program, ngspice = _ngspice(environ)
    return [
        *_python(),
        *ngspice,
        *(
            finding
            for name in adapter_names()
            for finding in _pdk(name, program, pdk_root, environ)
        ),
        *_libraries(environ),
        *_place(),
    ]


def _python() -> Iterator[Finding]:
    recent = sys.version_info >= (3, 11)
    yield Finding(
        "python",
        "python",
        recent,
        True,
        f"{platform.python_version()} at {sys.executable}",
        "" if recent else "Install Python 3.11 or newer.",
    )
    yield Finding("python", "codesign", True, True, _where_codesign())


def _where_codesign() -> str:
    return f"{codesign.__version__} at {Path(codesign.__file__).resolve().parent}"


def _ngspice(environ: Mapping[str, str]) -> tuple[Path | None, list[Finding]]:
    try:
        program = find_ngspice(environ)
    except EnvironmentMissing as error:
        fix = "sudo apt-get install ngspice, or set NGSPICE to the program."
        return None, [Finding("ngspice", "ngspice", False, True, str(error), fix)]
    probed = probe_ngspice(program)
    findings = [Finding("ngspice", "ngspice", True, True, f"{probed.version} at {program}")]
    for feature in probed.features:
        lacking = feature.required and not feature.present
        fix = "Install ngspice 39 or newer, or set NGSPICE to another build." if lacking else ""
        findings.append(
            Finding("ngspice", feature.name, feature.present, feature.required, feature.detail, fix)
        )
    return program, findings


def _pdk(
    name: str, program: Path | None, pdk_root: Path | None, environ: Mapping[str, str]
) -> Iterator[Finding]:
    """Found where, with which hash, and whether its models load; or everything searched."""
    default = name == HardwareSection().pdk
    adapter = load_adapter(name)
    required = default or adapter.search.shipped is not None
    try:
        pdk, places = search_pdk(adapter, pdk_root, environ)
    except CodesignError as error:
        yield Finding("pdk", name, False, required, str(error), fix_for(adapter))
        return
    if pdk is None:
        searched = "; ".join(f"{place.where}: {place.reason}" for place in places)
        yield Finding("pdk", name, False, required, f"searched {searched}", _fix(adapter, pdk_root))
        return
    detail = f"{pdk.source}: {pdk.library}, sha256 {pdk.sha256[:16]}"
    if program is not None:
        try:
            nmos, pmos = check_models(program, pdk, next(iter(pdk.corners)))
        except EnvironmentMissing as error:
            yield Finding("pdk", name, False, required, detail, str(error))
            return
        detail += f"; Vgs at 1 nA: {nmos.vgs_v:.3f} V (N), {pmos.vgs_v:.3f} V (P)"
    yield Finding("pdk", name, True, required, detail)


def _fix(adapter: Adapter, pdk_root: Path | None) -> str:
    explicit = pdk_root is not None and adapter.search.root is not None
    return fix_for(adapter, explicit)


def _libraries(environ: Mapping[str, str]) -> Iterator[Finding]:
    yield _torch()
    yield _fonts()
    yield _compiler(environ)
    found = _package("soundfile")
    yield Finding(
        "libraries",
        "soundfile",
        found is not None,
        False,
        found or "not installed; needed to read audio",
        "" if found else "python -m pip install 'codesign[speech]'",
    )
    library = environ.get("NGSPICE_LIBRARY_PATH") or ctypes.util.find_library("ngspice")
    yield Finding(
        "libraries",
        "libngspice",
        library is not None,
        False,
        library or "not installed; only PySpice's own simulator needs it",
        "" if library else "sudo apt-get install libngspice0",
    )


def _compiler(environ: Mapping[str, str]) -> Finding:
    try:
        found = find_compiler(environ)
    except EnvironmentMissing as error:
        fix = (
            "sudo apt-get install g++, or set CXX to the program; "
            "until then linear scans run in torch, several times slower."
        )
        return Finding("libraries", "C++ compiler", False, False, str(error), fix)
    detail = f"{found}; builds the batched engine and the linear scan on first use"
    return Finding("libraries", "C++ compiler", True, False, detail)


def _torch() -> Finding:
    found = _package("torch")
    if found is None:
        fix = "python -m pip install torch==2.13.0"
        return Finding("libraries", "torch", False, True, "not installed", fix)
    import torch  # here, so that the rest of doctor works where torch does not

    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU only"
    return Finding(
        "libraries", "torch", True, True, f"{found}, {device}, {torch.get_num_threads()} threads"
    )


def _fonts() -> Finding:
    found = _package("matplotlib")
    if found is None:
        fix = "python -m pip install matplotlib"
        return Finding("libraries", "matplotlib", False, True, "not installed", fix)
    from matplotlib import font_manager, rcParams

    try:
        family = font_manager.FontProperties(family=rcParams["font.family"])
        font = font_manager.findfont(family, fallback_to_default=False)
    except ValueError as error:
        fix = "python -m pip install --force-reinstall matplotlib (it brings its own fonts)."
        return Finding("libraries", "fonts", False, True, str(error), fix)
    return Finding("libraries", "fonts", True, True, f"matplotlib {found}: {Path(font).name}")


def _package(name: str) -> str | None:
    try:
        return version(name) if importlib.util.find_spec(name) is not None else None
    except PackageNotFoundError:
        return None


def _place() -> Iterator[Finding]:
    here = Path.cwd()
    try:
        with tempfile.NamedTemporaryFile(dir=here, prefix=".codesign-"):
            pass
        yield Finding("place", "working folder", True, True, f"{here} can be written")
    except OSError as error:
        fix = "Change to a folder you may write to."
        yield Finding("place", "working folder", False, True, f"{here}: {error.strerror}", fix)
    free = shutil.disk_usage(here).free
    enough = free > _LOW_DISK_BYTES
    fix = "" if enough else "Free some space: a run of a few hundred samples takes about 1 GB."
    yield Finding("place", "disk", enough, False, f"{free / 1e9:.1f} GB free", fix)
    yield Finding("place", "cores", True, True, f"{os.cpu_count()}")
