"""How the chip decides: the rule is part of the hardware, so training and twin share it.

``last_frame``: the class currents are compared at the end of the last frame (no integrator).
``mean_logit``: the class currents are integrated over the clip, then compared.
"""

from typing import Literal

from torch import Tensor

Decision = Literal["last_frame", "mean_logit"]
RULES: tuple[Decision, ...] = ("last_frame", "mean_logit")


def decision_logits(logits: Tensor, rule: Decision) -> Tensor:
    """The logits compared by the rule: [..., T, K] -> [..., K], in units."""
    if rule == "last_frame":
        return logits[..., -1, :]
    if rule == "mean_logit":
        return logits.mean(dim=-2)
    raise ValueError(f"unknown decision rule {rule!r}; expected one of {', '.join(RULES)}")


def decide(logits: Tensor, rule: Decision) -> Tensor:
    """Index of the winning class: [..., T, K] -> [...] (int64; the first of equals wins)."""
    return decision_logits(logits, rule).argmax(dim=-1)


def decision_margin(logits: Tensor, rule: Decision) -> Tensor:
    """Lead of the winning class over the second in units: [..., T, K] -> [...]."""
    top = decision_logits(logits, rule).topk(2, dim=-1).values
    return top[..., 0] - top[..., 1]
