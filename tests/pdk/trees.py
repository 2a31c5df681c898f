"""Small made-up model libraries, in the layouts real PDK installations have."""

from pathlib import Path

LIBRARY = """\
* a made-up library
.lib typical
.lib 'LIBNAME' devices
.endl
.lib ss
.lib 'LIBNAME' devices
.endl
.lib ff
.lib 'LIBNAME' devices
.endl
.lib sf
.lib 'LIBNAME' devices
.endl
.lib fs
.lib 'LIBNAME' devices
.endl
.lib devices
.model NMOSNAME.0 nmos level=54 vth0=0.5
.model PMOSNAME.0 pmos level=54 vth0=-0.5
.endl devices
"""


def write_library(
    path: Path, nmos: str = "nfet_03v3", pmos: str = "pfet_03v3", text: str = LIBRARY
) -> Path:
    """A library at ``path`` that defines the two models in five corners."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = text.replace("LIBNAME", path.name).replace("NMOSNAME", nmos).replace("PMOSNAME", pmos)
    path.write_text(text, encoding="utf-8")
    return path


def gf180_tree(root: Path, variant: str = "gf180mcuD", **names: str) -> Path:
    """An installation of GF180MCU in the open_pdks layout; returns its model file."""
    return write_library(root / variant / "libs.tech/ngspice/sm141064.ngspice", **names)
