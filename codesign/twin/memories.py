"""The cells of a network for the twins, as programmed and on drawn chips."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from codesign.mapping.names import cell_instance
from codesign.twin.cellcurve import CellCurves, CellShapes, cell_curves, folds, with_bias
from codesign.twin.chips import Chips, Deviation


@dataclass(frozen=True)
class Memory:
    """The cells of one layer. beta_hi, width, alpha [*S, d], units: what they do to the candidate
    as the network has it (nominal chip, gradients pass) or on a chip; ``high``, ``low`` the same
    thresholds in the current of the cell's own mirror; ``curves`` for the sub-stepped twin."""

    beta_hi: Tensor
    width: Tensor
    alpha: Tensor
    high: Tensor
    low: Tensor
    curves: CellCurves


def memories(
    shapes: CellShapes, cells: Mapping[str, Tensor], layers: int, chips: Chips
) -> tuple[Memory, ...]:
    """The cells of every layer; ``cells`` holds ``layers.K.cell.beta_hi`` and the like, [d]."""
    return tuple(_memory(shapes, cells, layer, chips) for layer in range(layers))


def _memory(shapes: CellShapes, cells: Mapping[str, Tensor], layer: int, chips: Chips) -> Memory:
    beta_hi, width, alpha = (
        cells[f"layers.{layer}.cell.{name}"] for name in ("beta_hi", "width", "alpha")
    )
    nominal = cell_curves(shapes, beta_hi, width, alpha)
    curves, gain = nominal, None
    if not chips.nominal:
        curves, gain = _drawn(nominal, alpha, layer, chips)
    high, low = (value.to(alpha) for value in folds(curves))
    if gain is None:
        return Memory(beta_hi, width, alpha, high, low, curves)
    first = folds(nominal)
    scale = beta_hi.detach() / first[0]  # the turn between the sum and the cell's own line
    return Memory(high * scale, (high - low) * scale, alpha * gain, high, low, curves)


def _drawn(
    nominal: CellCurves, alpha: Tensor, layer: int, chips: Chips
) -> tuple[CellCurves, Tensor]:
    """Curves of every chip, and what its alphas are multiplied by."""
    transfer, d = nominal.shapes.transfer, alpha.shape[-1]
    cells = [cell_instance(layer, k) for k in range(d)]
    block = f"xlayers_{layer}.xcell"
    at_unit = 1 / transfer.p.slope.at(0.0)
    # A cell mirror has its unit current in other devices than a line of one unit has.
    hw = transfer.hardware
    density = hw.weight_grid * hw.unit_w_m / hw.unit_l_m / (hw.cell_w_m / hw.cell_l_m)

    def of(polarity: str, names: list[str]) -> Deviation:
        found = chips.of(polarity, names)
        assert found is not None
        return found

    def n_cell(current: Tensor) -> Tensor:
        return 1 / transfer.n.slope(torch.log(current * density))

    def p_cell(current: Tensor) -> Tensor:
        return 1 / transfer.p.slope(torch.log(current * density))

    reference = of("p", ["xreference.xline.mline"]).at(at_unit)

    def bias(name: str, mirror: str, current: Tensor) -> Tensor:
        """ln of the change of a bias current as the cell's own mirror carries it."""
        source = of("p", [f"{block}.m{name}_{k}" for k in range(d)]).at(at_unit) - reference
        diode = of("n", [f"{block}.mdiode_{name}_{k}" for k in range(d)])
        copy = of("n", [f"{cell}.{mirror}" for cell in cells])
        return source + copy.minus(diode).at(n_cell(current))

    threshold, width = nominal.threshold, nominal.width
    feedback = of("p", [f"{c}.m9" for c in cells]).minus(of("p", [f"{c}.m7" for c in cells]))
    gain = torch.exp(bias("alpha", "m5", alpha.detach()))
    drawn = with_bias(
        nominal.shapes,
        threshold * torch.exp(bias("beta_hi", "m2", threshold)),
        width * torch.exp(bias("width", "m8", width) + feedback.at(p_cell(width))),
        alpha.detach() * gain,
        (of("n", [f"{c}.m6" for c in cells]).shift_v, of("n", [f"{c}.m3" for c in cells]).shift_v),
    )
    if hw.cell != "strobed":
        return drawn, gain
    return _held(drawn, nominal.hold, reference, block, cells, chips, p_cell), gain


def _held(
    drawn: CellCurves, hold: Tensor, reference: Tensor, block: str, cells: list[str],
    chips: Chips, p_cell: object,
) -> CellCurves:  # fmt: skip
    """The hold current has devices of its own: an N copy of the turned reference, a P diode."""
    transfer = drawn.shapes.transfer
    n_unit, p_unit = 1 / transfer.n.slope.at(0.0), 1 / transfer.p.slope.at(0.0)
    names = {
        "source": ("n", [f"{block}.mhold_{k}" for k in range(len(cells))]),
        "diode": ("p", [f"{block}.mdiode_hold_{k}" for k in range(len(cells))]),
        "copy": ("p", [f"{c}.mh" for c in cells]),
        "turn": ("p", ["xreference.xturn.mcopy"]),
        "line": ("n", ["xreference.xturn.mline"]),
    }
    found = {key: chips.of(*value) for key, value in names.items()}
    assert all(value is not None for value in found.values())
    ln = found["source"].at(n_unit) - found["line"].at(n_unit) + found["turn"].at(p_unit)  # type: ignore[union-attr]
    ln = ln - reference + found["copy"].minus(found["diode"]).at(p_cell(hold))  # type: ignore
    return replace(drawn, hold=hold * torch.exp(ln))
