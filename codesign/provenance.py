"""Where, when and with what a result was made, so that it can be made again."""

import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import codesign
from codesign.flows import Flow

_PACKAGES = ("torch", "numpy", "scipy", "pandas", "pyarrow", "matplotlib", "PySpice")


def collect_provenance(flow: Flow) -> dict[str, Any]:
    """Versions, seed, host and time; the PDK and ngspice are added by the stages that use them."""
    return {**made_with(), "seed": flow.seed}


def made_with() -> dict[str, Any]:
    """Versions, host and time of a result that has no flow."""
    return {
        "codesign": codesign.__version__,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "host": platform.node(),
        "time_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "git": git_state(Path(codesign.__file__).resolve().parent),
        "packages": {name: _package_version(name) for name in _PACKAGES},
    }


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit and cleanliness of the checkout the code came from; None outside a checkout."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_git(folder, "status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def _package_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
