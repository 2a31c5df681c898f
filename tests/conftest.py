"""What every test shares: one thread each, no display, and the long tests only on request."""

import os
import shutil

import pytest
from hypothesis import settings

# Set before any test module imports torch or numpy: workers run side by side on few cores.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ["MPLBACKEND"] = "Agg"

# No deadline: a loaded machine is not a defect. The same examples every time in CI.
settings.register_profile("codesign", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("codesign")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip, with the reason, what this run or this machine leaves out."""
    ngspice = bool(os.environ.get("NGSPICE")) or shutil.which("ngspice") is not None
    for item in items:
        if item.get_closest_marker("slow") and not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason="slow; run with --slow"))
        if item.get_closest_marker("ngspice") and not ngspice:
            item.add_marker(pytest.mark.skip(reason="ngspice is not installed"))
