"""What a transistor is for, and its name for people, from its instance path.

The inverse of ``mapping.names``: a mirror that carries a learned parameter is called by that
parameter, any other device by the block it serves. Devices of a path that is not known here (a
netlist edited by hand) keep their path, in the role ``other``.
"""

import re
from dataclasses import dataclass

# The transistors of one memory cell (netlists/bmru_strobed.cir, bmru_async.cir).
_CELL = {
    "m1": ("cell candidate", "copy of the candidate"),
    "mh": ("cell hold", "copy of the hold current"),
    "m2": ("cell threshold", "copy of the threshold current"),
    "m9": ("cell width", "feedback copy"),
    "m7": ("cell width", "feedback line"),
    "m8": ("cell width", "copy of the width current"),
    "m5": ("cell gain", "copy of the gain current"),
    "m4": ("cell gain", "output line"),
}
_BIASES = {
    "beta_hi": "cell threshold", "width": "cell width", "alpha": "cell gain", "hold": "cell hold"
}  # fmt: skip
_LEAVES = (
    (r"m(weight|bias)_([\d_]+)", "parameter"),
    (r"m(beta_hi|width|alpha|hold)_(\d+)", "cell bias"),
    (r"mdiode_(beta_hi|width|alpha|hold)_(\d+)", "cell line"),
    (r"mrelu_(\d+)", "relu"),
    (r"m(branch|carried)_(\d+)", "skip"),
)


@dataclass(frozen=True)
class Device:
    """``role``: one of few words that devices are counted by; ``label``: name for people."""

    role: str
    label: str


def device_role(instance: str) -> Device:
    """Role and label of ``xlayers_0.xcandidate.mweight_3_5`` and its like."""
    *path, leaf = instance.split(".")
    block = _block(path)
    if path and (found := re.fullmatch(r"xunit_(\d+)", path[-1])):
        return _in_cell(_block(path[:-1]), found[1], leaf)
    if path and (found := re.fullmatch(r"xturn(in)?_(\d+)", path[-1])):
        what = "read" if found[1] else "made"
        end = {"mcopy": "copy", "mline": "line"}.get(leaf)
        if end:
            label = f"{_block(path[:-1])}: {end} of the turned line {what} [{found[2]}]"
            return Device(f"turn {end}", label)
    if path and (found := re.fullmatch(r"xinput_(\d+)", path[-1])):
        return Device("input line", f"input[{found[1]}]: line")
    if path and path[0] == "xreference":
        return Device("reference", f"reference: {'.'.join([*path[1:], leaf])}")
    for pattern, kind in _LEAVES:
        if found := re.fullmatch(pattern, leaf):
            return _leaf(kind, block, found)
    return Device("other", instance)


def _leaf(kind: str, block: str, found: re.Match[str]) -> Device:
    if kind == "parameter":
        return Device(found[1], f"{block}.{found[1]}[{found[2].replace('_', ',')}]")
    if kind == "cell bias":
        return Device(_BIASES[found[1]], f"{block}.{found[1]}[{found[2]}]")
    if kind == "cell line":
        return Device(_BIASES[found[1]], f"{block}.{found[1]}[{found[2]}]: line")
    if kind == "relu":
        return Device("relu", f"{block}: ReLU [{found[1]}]")
    return Device("skip", f"{block}: {found[1]} [{found[2]}]")


def _in_cell(block: str, unit: str, leaf: str) -> Device:
    if leaf in _CELL:
        role, what = _CELL[leaf]
        return Device(role, f"{block}[{unit}]: {what} ({leaf})")
    return Device("cell switch", f"{block}[{unit}]: switch ({leaf})")


def _block(path: list[str]) -> str:
    """``[xlayers_0, xcandidate]`` -> ``layers.0.candidate``."""
    return re.sub(r"\blayers_(\d+)", r"layers.\1", ".".join(part[1:] for part in path))
