"""The reference block of a network: the unit current as two lines, from outside or made on chip.

With ``hardware.bias = "ideal"`` the unit current is drawn out of the port ``ref_p`` and reset
comes from the port ``rst``. With ``"tree"`` the block holds the reference of ``netlists/bias.cir``
with its start-up and power-on reset; the network has no port ``ref_p``, and what it is given as
reset is the port ``clear``, one of the two reasons for which its inner net ``rst`` is high.
"""

from collections.abc import Mapping
from dataclasses import replace

from codesign.circuit.elements import Call, Group, Library, Subcircuit
from codesign.device.reference import INSTANCE, ReferenceSizes
from codesign.flows import HardwareSection

BLOCK = "reference"
CALL = f"x{BLOCK}"
TREE_PATH = f"{CALL}.{INSTANCE}."
_COMMENT = "One unit current in: every bias and every constant of the network is a copy of it."
_LINES = "the unit current as a P line and as an N line"


def reference_block(
    unit_sizes: Mapping[str, float],
    turn_l_m: float,
    hardware: HardwareSection,
    tree: ReferenceSizes | None,
) -> Subcircuit:
    """The subcircuit ``reference``; ``turn_l_m`` is the length of the copy that makes ``ref_n``."""
    lines = (
        Call("xline", "line_p", ("ref_p", "vdd"), dict(unit_sizes)),
        Call("xturn", "turn_p_to_n", ("ref_p", "ref_n", "vdd", "vss"),
             {**unit_sizes, "lt": turn_l_m}),
    )  # fmt: skip
    block = Subcircuit(BLOCK, ("ref_p", "ref_n", "vdd", "vss"), (Group(_LINES, lines),), _COMMENT)
    return block if tree is None else with_tree(block, hardware, tree)


def with_tree(block: Subcircuit, hardware: HardwareSection, tree: ReferenceSizes) -> Subcircuit:
    """The reference block fed by the on-chip reference."""
    call = Call(
        INSTANCE, "bias_tree", ("ref_p", "clear", "rst", "vdd", "vss"),
        tree.parameters(hardware.unit_w_m, hardware.unit_l_m),
    )  # fmt: skip
    made = Group("the unit current, made on chip, and the power-on reset", (call,))
    return replace(
        block, ports=("ref_p", "ref_n", "clear", "rst", "vdd", "vss"), groups=(*block.groups, made)
    )


def reference_call(tree: bool) -> Call:
    """The block inside the network: with a tree it makes ``rst`` from the port ``clear``."""
    ports = ("ref_p", "ref_n", "clear", "rst") if tree else ("ref_p", "ref_n")
    return Call(CALL, BLOCK, (*ports, "vdd_bias", "vss"))


def control_ports(tree: bool) -> list[str]:
    """Ports of the network for reference and reset."""
    return ["clear"] if tree else ["ref_p", "rst"]


def has_tree(library: Library) -> bool:
    """Whether a network, read from disk or made here, has its own reference."""
    return any(element.name == INSTANCE for element in library.subcircuits[BLOCK].elements)


def variant(library: Library, hardware: HardwareSection, tree: ReferenceSizes | None) -> Library:
    """The same network with the on-chip reference ``tree``, or without one for None.

    All else, every size and every bias mirror, is as it was.
    """
    block, top = library.subcircuits[BLOCK], library.subcircuits[library.top]
    had = has_tree(library)
    # Read from a file, all elements are in one group.
    kept = (tuple(e for e in group.elements if e.name != INSTANCE) for group in block.groups)
    groups = tuple(
        replace(group, elements=elements)
        for group, elements in zip(block.groups, kept, strict=True)
        if elements
    )
    plain = replace(block, ports=("ref_p", "ref_n", "vdd", "vss"), groups=groups)
    changed = plain if tree is None else with_tree(plain, hardware, tree)
    before, after = control_ports(had), control_ports(tree is not None)
    at = top.ports.index(before[0])
    ports = (*top.ports[:at], *after, *top.ports[at + len(before) :])
    call = reference_call(tree is not None)
    regrouped = tuple(
        replace(group, elements=tuple(call if e.name == CALL else e for e in group.elements))
        for group in top.groups
    )
    new_top = replace(top, ports=ports, groups=regrouped)
    return Library(library.top, {**library.subcircuits, BLOCK: changed, library.top: new_top})
