"""What a chip makes of a network's parameters when its mirrors are not equal.

A device whose current is exp(e) times what was drawn multiplies, as a copy, what it copies, and
divides, as the diode of a line, what every copy of that line carries. Along the paths of the
netlist this gives factors on the parameters, exact in weak inversion where such a factor does not
depend on the current:

- a weight: its own device, and what all copies of its input line have in common (P and N copies
  read different lines, so positive and negative weights of one input differ);
- a bias: its own device and the reference;
- beta_hi and width: their bias mirrors over the path of the candidate to the decision node, the
  width with the feedback mirror of the cell too; alpha: its bias mirrors;
- the two copies of a skip: what they add is kept as x = exp(a) x', and exp(a) goes to the readers.

The hold current of strobed cells is left out: it only has to lie inside the window.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

Errors = Mapping[str, Tensor]


def effective(parameters: Mapping[str, Tensor], errors: Errors) -> dict[str, Tensor]:
    """Parameters [*S, ...] as the chip has them; errors: ln of the change of every device's
    current, [*S, *shape] by the key of ``devices.parts``. Gradients pass to the parameters."""
    result: dict[str, Tensor] = {}
    reference_p = -errors["reference.line"]
    reference_n = reference_p + errors["reference.copy"] - errors["reference.turn"]

    def copies(name: str, p: Tensor, n: Tensor, after: Tensor | None = None) -> None:
        """The weights and biases of a block that reads lines with these errors, [*S, in]; what
        follows the block's sums, [*S, out]."""
        weight, bias = parameters[f"{name}.weight"], parameters[f"{name}.bias"]
        shared = torch.where(weight < 0, n.unsqueeze(-2), p.unsqueeze(-2))
        weight_error = errors[f"{name}.weight"] + shared
        bias_error = errors[f"{name}.bias"] + torch.where(bias < 0, reference_n, reference_p)
        if after is not None:
            weight_error, bias_error = weight_error + after.unsqueeze(-1), bias_error + after
        result[f"{name}.weight"] = weight * torch.exp(weight_error)
        result[f"{name}.bias"] = bias * torch.exp(bias_error)

    def native(name: str) -> tuple[Tensor, Tensor]:
        """Errors of copies of a sum's P line and of its N line."""
        n = -errors[f"{name}.relu"]
        return n + errors[f"{name}.copy"] - errors[f"{name}.turn"], n

    def turned_in(name: str, p: Tensor) -> Tensor:
        return p + errors[f"{name}.copy"] - errors[f"{name}.turn"]

    inputs = -errors["input.line"]
    copies("projection", inputs, turned_in("input", inputs))
    p, n = native("projection")
    gain = torch.zeros_like(p)  # a: what x really is, exp(a) times what the parameters see
    layer = 0
    while f"layers.{layer}.cell.beta_hi" in parameters:
        name = f"layers.{layer}"
        copies(f"{name}.candidate", gain + p, gain + n)
        candidate = native(f"{name}.candidate")[0] + errors[f"{name}.m1"]

        def bias(value: str, name: str = name) -> Tensor:
            """Of a cell's bias current, as its own mirror carries it."""
            of = f"{name}.{value}"
            source, diode = errors[f"{of}.source"], errors[f"{of}.diode"]
            return reference_p + source - diode + errors[f"{of}.mirror"]

        feedback = errors[f"{name}.m9"] - errors[f"{name}.m7"]
        cell = {
            "beta_hi": bias("beta_hi") - candidate,
            "width": bias("width") + feedback - candidate,
            "alpha": bias("alpha"),
        }
        for key, error in cell.items():
            result[f"{name}.cell.{key}"] = parameters[f"{name}.cell.{key}"] * torch.exp(error)
        state = -errors[f"{name}.m4"]
        branch = native(f"{name}.output")[0] + errors[f"{name}.skip.branch"]
        gain = gain + p + errors[f"{name}.skip.carried"]
        copies(f"{name}.output", state, turned_in(f"{name}.state", state), branch - gain)
        p, n = native(f"{name}.skip")
        layer += 1
    copies("readout", gain + p, gain + n)
    return result
