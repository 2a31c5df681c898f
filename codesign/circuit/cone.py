"""What a node depends on: the devices behind it, up to lines whose currents are given.

Gates draw no current, so a node depends on the devices that conduct at it, on what drives their
gates, and so on. A *cut* node is one whose current a bench supplies: only its diodes are kept.
"""

from collections.abc import Collection, Iterable

from codesign.circuit.elements import Capacitor, Mosfet

Element = Mosfet | Capacitor


def cone(
    elements: Iterable[Element], start: Iterable[str], known: Collection[str], cut: Collection[str]
) -> list[Element]:
    """Devices that nodes ``start`` depend on, in the order of ``elements``.

    ``known`` nodes are held by voltage sources (supplies, strobes) and are not followed.
    """
    devices = list(elements)
    at: dict[str, list[int]] = {}
    for k, device in enumerate(devices):
        ends = device.nodes if isinstance(device, Capacitor) else (device.drain, device.source)
        for node in set(ends) - set(known):
            at.setdefault(node, []).append(k)
    kept: set[int] = set()
    seen: set[str] = set()
    waiting = [node for node in start if node not in known]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        for k in at.get(node, []):
            device = devices[k]
            if node in cut and not (isinstance(device, Mosfet) and device.gate == device.drain):
                continue
            kept.add(k)
            waiting += [other for other in device.nodes if other not in known]
    return [devices[k] for k in sorted(kept)]
