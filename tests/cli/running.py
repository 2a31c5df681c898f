"""Running the command as a user does: its own process, its own folder."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def codesign(
    *arguments: str, cwd: Path, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """``codesign ARGUMENTS`` in ``cwd``; ``environ`` is added to the test's own."""
    return subprocess.run(
        [sys.executable, "-m", "codesign", *arguments],
        cwd=cwd,
        env={**os.environ, **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
