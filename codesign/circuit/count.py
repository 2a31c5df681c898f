"""What a circuit is made of: transistors, capacitors and gate area, by block."""

from dataclasses import dataclass, field

from codesign.circuit.elements import Capacitor, Library, Mosfet, flatten

BLOCKS = ("cells", "feedforward", "bias")


@dataclass
class BlockCount:
    """Contents of one block; a transistor of m units counts once in ``transistors``."""

    transistors: int = 0
    unit_devices: int = 0
    capacitors: int = 0
    gate_area_m2: float = 0.0
    capacitance_f: float = 0.0


@dataclass
class Count:
    """Contents of the network by block."""

    blocks: dict[str, BlockCount] = field(
        default_factory=lambda: {block: BlockCount() for block in BLOCKS}
    )

    @property
    def transistors(self) -> int:
        return sum(block.transistors for block in self.blocks.values())

    @property
    def gate_area_m2(self) -> float:
        return sum(block.gate_area_m2 for block in self.blocks.values())


def block_of(instance: str) -> str:
    """The block a device belongs to, from its hierarchical name."""
    if ".xcell.xunit_" in instance:
        return "cells"
    return "bias" if ".xcell." in instance or instance.startswith("xreference") else "feedforward"


def count_devices(library: Library) -> Count:
    """Count the devices of a network."""
    count = Count()
    for device in flatten(library):
        add_device(count.blocks[block_of(device.name)], device)
    return count


def add_device(block: BlockCount, device: Mosfet | Capacitor) -> None:
    """Count one device."""
    if isinstance(device, Capacitor):
        block.capacitors += 1
        block.capacitance_f += float(device.capacitance_f)
    else:
        block.transistors += 1
        block.unit_devices += int(device.m)
        block.gate_area_m2 += float(device.w_m) * float(device.l_m) * int(device.m)
