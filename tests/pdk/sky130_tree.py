"""SKY130 as open_pdks installs it, with cards that are not the foundry's.

The structure is the installation's: library sections that include corner files, corner files that
include one file per device, model cards inside a subcircuit whose w and l are micrometres by
``.option scale``, bins, and cards whose settings are expressions of corner parameters and of
mismatch terms with the instance's size in them.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from codesign.resources import resource_dir

Cards = Mapping[str, str]  # polarity ("nfet", "pfet") to ".model name.N type" cards

_SHIFT_V = {"tt": 0.0, "ss": 0.03, "ff": -0.03, "sf": 0.01, "fs": -0.01}


def own_cards() -> Cards:
    """The shipped textbook cards, in two bins of length each, under SKY130's names."""
    text = (resource_dir("pdk") / "generic180" / "generic180.lib").read_text()
    cards = {}
    for polarity, name, sign in (("nfet", "nmos", ""), ("pfet", "pmos", "-")):
        match = re.search(rf"\.model generic180_{name} .*?(?=\n\.|\n\n)", text, re.DOTALL)
        assert match is not None
        card = re.sub(r"vth0=\{.*?\}", f"vth0={sign}0.5", match[0])
        card = re.sub(r"u0=\{([\d.]+)\*.*?\}", r"u0=\1", card)
        model = f"sky130_fd_pr__{polarity}_01v8__model"
        cards[polarity] = "".join(
            card.replace(f"generic180_{name} {name}", f"{model}.{k} {name}\n+ {bins}") + "\n"
            for k, bins in enumerate(
                (
                    "lmin=1e-7 lmax=5e-6 wmin=1e-7 wmax=2e-4",
                    "lmin=5e-6 lmax=2e-4 wmin=1e-7 wmax=2e-4",
                )
            )
        )
    return cards


def sky130_tree(root: Path, corners: Mapping[str, Cards] | None = None) -> Path:
    """An installation under ``root``; returns its library file."""
    own = own_cards()
    tech = root / "sky130A/libs.tech/ngspice"
    devices = root / "sky130A/libs.ref/sky130_fd_pr/spice"
    (tech / "corners").mkdir(parents=True)
    devices.mkdir(parents=True)
    library = "* SKY130 library\n"
    for corner in _SHIFT_V:
        cards = (corners or {}).get(corner, own)
        library += (
            f"\n.lib {corner}\n.param mc_mm_switch=0\n.param mc_pr_switch=0\n"
            f'.include "corners/{corner}.spice"\n.endl {corner}\n'
        )
        include = "../../../libs.ref/sky130_fd_pr/spice/sky130_fd_pr__"
        (tech / f"corners/{corner}.spice").write_text(
            "".join(
                f'.include "{include}{p}_01v8__{corner}.pm3.spice"\n'
                f'.include "{include}{p}_01v8__mismatch.corner.spice"\n'
                for p in cards
            )
            + '.include "../all.spice"\n'
        )
        for polarity, card in cards.items():
            shift = _SHIFT_V[corner] * (polarity == "nfet") if corners is None else 0.0
            (devices / f"sky130_fd_pr__{polarity}_01v8__{corner}.pm3.spice").write_text(
                _wrapped(polarity, card, shift)
            )
    for polarity in own:
        name = f"sky130_fd_pr__{polarity}_01v8"
        (devices / f"{name}__mismatch.corner.spice").write_text(
            f".param {name}__vth0_slope = 3.356e-03\n.param {name}__voff_slope = 7.0e-03\n"
        )
    (tech / "all.spice").write_text(
        ".option scale=1.0u\n.param\n+ lv_dlc_rotweak = .00e-9\n"
        "+ sky130_fd_pr__nfet_01v8__dlc_rotweak = lv_dlc_rotweak\n"
    )
    path = tech / "sky130.lib.spice"
    path.write_text(library)
    return path


def _wrapped(polarity: str, cards: str, shift_v: float) -> str:
    name = f"sky130_fd_pr__{polarity}_01v8"

    def statistical(match: re.Match[str]) -> str:
        key = match[1]
        return (
            f"{key} = {{{match[2]}+{name}__{key}_diff+MC_MM_SWITCH*AGAUSS(0,1.0,1)"
            f"*({name}__{key}_slope/sqrt(l*w*mult))}}"
        )

    cards = re.sub(r"\b(vth0|voff)\s*=\s*(-?[\d.]+(?:e[+-]?\d+)?)", statistical, cards)
    return (
        f"* SKY130 Spice File.\n.param\n+ {name}__vth0_diff = {shift_v}\n* a comment\n"
        f"+ {name}__voff_diff = 0.0\n\n"
        f".subckt  {name} d g s b\n+ \n"
        ".param  l = 1 w = 1 nf = 1.0 ad = 0 as = 0 pd = 0 ps = 0 nrd = 0 nrs = 0 mult = 1\n"
        f"m{name} d g s b {name}__model l = {{l}} w = {{w}} nf = {{nf}} ad = {{ad}} as = {{as}} "
        "pd = {pd} ps = {ps} nrd = {nrd} nrs = {nrs}\n"
        f"{cards}.ends {name}\n"
    )
