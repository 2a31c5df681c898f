"""Real data for tests, where the machine has it."""

import os
from pathlib import Path

import pytest


def real_data(name: str) -> Path:
    """The folder of that name under CODESIGN_DATA or ../shared/data; the test skips without."""
    checkout = Path(__file__).resolve().parents[2]
    roots = [os.environ.get("CODESIGN_DATA"), str(checkout.parent / "shared" / "data")]
    for root in roots:
        if root and (Path(root) / name).is_dir():
            return Path(root) / name
    pytest.skip(f"no real data: set CODESIGN_DATA to a folder that holds {name}/")
