"""A made-up process as a user brings it: kit-style names, the shipped textbook cards.

Model names and sections are spelt as commercial teaching kits spell them, mixed case and all; the
adapter lies in a folder of the user's, with the library beside it.
"""

import re
from pathlib import Path

from codesign.resources import resource_dir

SECTIONS = {"typical": "NN", "ss": "SS", "ff": "FF", "sf": "SnFp", "fs": "FnSp"}

ADAPTER = """\
title = "A made-up 180 nm kit"
supply_max_v = 1.98
nmos = ["nmos1v", "g45n1svt"]
pmos = ["pmos1v", "g45p1svt"]

[corners]
typical = "NN"
ss = "SS"
ff = "FF"
sf = "SnFp"
fs = "FnSp"

[limits]
w_min_m = 2.4e-7
w_max_m = 2e-5
l_min_m = 1.8e-7
l_max_m = 4e-5

[mismatch]
nmos = { a_vt_v_m = 4e-9, a_k_m = 1e-8 }
pmos = { a_vt_v_m = 5e-9, a_k_m = 1e-8 }

[search]
shipped = "kit/models/Kit_Models.lib"
"""


def gpdk_tree(folder: Path, name: str = "gpdk045", adapter: str = ADAPTER) -> Path:
    """``folder``/<name>.toml and its library, binned up to 20 um / 40 um; returns the library."""
    text = (resource_dir("pdk") / "generic180" / "generic180.lib").read_text()
    for ours, theirs in SECTIONS.items():
        text = re.sub(rf"^\.(lib|endl) {ours}$", rf".\1 {theirs}", text, flags=re.MULTILINE)
    for ours, theirs in (
        ("generic180_nmos nmos", "g45n1svt"),
        ("generic180_pmos pmos", "g45p1svt"),
    ):
        kind = ours.split()[1]
        bins = "lmin=1e-7 lmax=4e-5 wmin=2e-7 wmax=2e-5"
        text = text.replace(f".model {ours}", f".MODEL {theirs}.1 {kind} {bins}")
    library = folder / "kit" / "models" / "Kit_Models.lib"
    library.parent.mkdir(parents=True)
    library.write_text(text.replace("'generic180.lib'", f"'{library.name}'"))
    (folder / f"{name}.toml").write_text(adapter)
    return library
