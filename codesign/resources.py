"""Where the files shipped with the product are: ``netlists/``, ``pdk/`` and ``flows/``.

In an installed wheel they sit under ``codesign/_data``; in a checkout, beside the package.
"""

from pathlib import Path

from codesign.errors import EnvironmentMissing

_PACKAGE = Path(__file__).resolve().parent


def resource_dir(kind: str) -> Path:
    """Folder of one kind of shipped file (``"netlists"``, ``"pdk"`` or ``"flows"``)."""
    for candidate in (_PACKAGE / "_data" / kind, _PACKAGE.parent / kind):
        if candidate.is_dir():
            return candidate
    raise EnvironmentMissing(
        f"The folder '{kind}' that ships with codesign is missing beside {_PACKAGE}; "
        "reinstall the package."
    )
