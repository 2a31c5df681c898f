"""What a decision rule makes of the logits: the class, how sure it is, and what to train with.

The margin of a class is a current: how much may be taken from the logit of that class, in every
frame alike, before the decision leaves it (positive), or must be added to it before it is decided
(negative). It is the offset of a readout line that the decision survives, whatever the rule:
for averaged logits the lead over the best other class, under ``majority`` a middle lead of the
frames, under ``latch`` the lead above the threshold of a frame that comes in time.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from codesign.errors import InputError
from codesign.rules import Rule

# Softness of the losses whose decision is a count or a crossing; docs/decisions.md has what others
# gave. The latch's is in parts of its threshold: a class that does not lead must hardly ever pass.
_SOFT_LATCH = 0.12
_VOTE_SHARPNESS = 6.0  # per unit


def decide(logits: Tensor, rule: Rule) -> Tensor:
    """The decision, exactly as the chip takes it: [..., T, K] -> [...] (int64), [..., T] under
    every_frame. The first of equal classes wins.

    Raises InputError when the rule looks at more frames than there are.
    """
    if rule.name == "majority":
        votes = F.one_hot(logits.argmax(-1), logits.shape[-1]).sum(-2)
        return votes.argmax(-1)
    if rule.name == "latch":
        leads, at = _leads(logits).max(-1)
        stays = leads > _latch_thresholds(logits, rule)
        stays[..., -1] = True
        first = stays.to(torch.uint8).argmax(-1, keepdim=True)
        return at.gather(-1, first).squeeze(-1)
    return _averaged(logits, rule).argmax(-1)


def compared(logits: Tensor, rule: Rule) -> Tensor:
    """What tells the classes apart, in units: [..., T, K] -> [..., K], [..., T, K] under
    every_frame. Averaged logits where the rule compares those, else the margin of every class.
    The largest is the decision's (but for exact ties under majority and latch).

    Raises InputError when the rule looks at more frames than there are.
    """
    if rule.name == "majority":
        return _majority_margins(logits)
    if rule.name == "latch":
        return _latch_margins(logits, rule)
    return _averaged(logits, rule)


def class_margins(logits: Tensor, rule: Rule) -> Tensor:
    """Margin of every class, units: [..., T, K] -> [..., K], [..., T, K] under every_frame.

    Positive for the decision alone (zero at a tie). Raises InputError as ``decide`` does.
    """
    found = compared(logits, rule)
    return found if rule.name in ("majority", "latch") else _leads(found)


def class_margin(logits: Tensor, classes: Tensor, rule: Rule) -> Tensor:
    """Margin of one class per clip, units: logits [..., T, K], classes [...] (or broadcast to it)
    -> [...]; under every_frame classes and result are [..., T]."""
    margins = class_margins(logits, rule)
    at = classes.expand(margins.shape[:-1]).unsqueeze(-1)
    return margins.gather(-1, at).squeeze(-1)


def decision_margin(logits: Tensor, rule: Rule) -> Tensor:
    """Margin of the decision, units, never negative: [..., T, K] -> [...], or [..., T]."""
    return class_margins(logits, rule).amax(-1)


def clip_axis(rule: Rule) -> int:
    """The dimension of decisions that counts clips: under every_frame the frames come after."""
    return -2 if rule.name == "every_frame" else -1


def lead_missing(logits: Tensor, labels: Tensor, rule: Rule, wanted_units: float) -> Tensor:
    """By how much the margin of the right class falls short, mean over what is scored: [*S], units.

    logits [*S, B, T, K]; labels as in ``decision_loss``. Raises InputError as ``decide`` does.
    """
    margin = class_margin(logits, labels.clamp_min(0), rule)
    short, scored = F.relu(wanted_units - margin), labels >= 0
    dims = tuple(range(-labels.ndim, 0))
    return (short * scored).sum(dims) / scored.sum().clamp_min(1)


def decision_loss(logits: Tensor, labels: Tensor, rule: Rule) -> Tensor:
    """What training minimises so that the network is right under the rule: mean over the batch.

    logits [*S, B, T, K]; labels int64 [B], or [B, T] under every_frame, where -1 is not scored.
    Returns [*S]: cross-entropy (nats) of the averaged logits; under majority that of the shares of
    soft votes; under latch the negative log of the probability that the label's class is the
    first to pass a soft threshold. Raises InputError as ``decide`` does.
    """
    if rule.name == "latch":
        return -_chosen(_log_first_passage(logits, rule), labels).mean(-1)
    if rule.name == "every_frame":
        return _per_frame(logits, labels)
    if rule.name == "majority":
        return -_chosen(_log_vote_shares(logits), labels).mean(-1)
    return -_chosen(F.log_softmax(_averaged(logits, rule), -1), labels).mean(-1)


def _averaged(logits: Tensor, rule: Rule) -> Tensor:
    if rule.name == "last_frame":
        return logits[..., -1, :]
    if rule.name == "mean_logit":
        return logits.mean(dim=-2)
    if rule.name == "last_k":
        frames = logits.shape[-2]
        if rule.frames > frames:
            raise InputError(
                f"The decision {rule} averages more frames than a clip has ({frames}); make "
                "training.decision last_k with at most that many, or mean_logit."
            )
        return logits[..., -rule.frames :, :].mean(dim=-2)
    return logits


def _leads(logits: Tensor) -> Tensor:
    """By how much each class leads the best other one, [..., K] -> [..., K]."""
    top = logits.topk(2, dim=-1)
    first, second = top.values[..., :1], top.values[..., 1:]
    leader = F.one_hot(top.indices[..., 0], logits.shape[-1]).bool()
    return logits - torch.where(leader, second, first)


def _latch_thresholds(logits: Tensor, rule: Rule) -> Tensor:
    """[T]: at the end of the last frame whoever leads is taken."""
    thresholds = torch.full_like(logits[(0,) * (logits.ndim - 2)][:, 0], rule.threshold_units)
    thresholds[-1] = 0.0
    return thresholds


def _majority_margins(logits: Tensor) -> Tensor:
    """Taking m from class c loses it the frames it leads by less than m, each to the best other
    class there; the margin is the lead at which the votes it has left no longer win."""
    frames, classes = logits.shape[-2:]
    leads = _leads(logits)
    margins = []
    for k in range(classes):
        lost, order = leads[..., k].sort(dim=-1)
        rest = logits.clone()
        rest[..., k] = float("-inf")
        heirs = rest.argmax(-1).gather(-1, order)
        won = F.one_hot(heirs, classes).cumsum(-2)
        left = frames - 1 - torch.arange(frames, device=logits.device)
        # The first of equals wins: against a class before it, k needs one vote more.
        earlier = (torch.arange(classes, device=logits.device) < k).long()
        holds = (left[:, None] >= won + earlier).all(-1)
        margins.append(lost.gather(-1, holds.sum(-1, keepdim=True)).squeeze(-1))
    return torch.stack(margins, -1)


def _latch_margins(logits: Tensor, rule: Rule) -> Tensor:
    """With m taken from class c it passes in frame t while m < a[t], its lead above the threshold,
    and another passed in frame s if m > b[s]; so c is latched while m < max_t min(a[t], b[<t])."""
    threshold = _latch_thresholds(logits, rule)
    classes = logits.shape[-1]
    leads = _leads(logits)
    margins = []
    for k in range(classes):
        lead = leads[..., k]
        passes = lead - threshold
        others = torch.cat([logits[..., :k], logits[..., k + 1 :]], -1)
        if classes > 2:
            two = others.topk(2, dim=-1).values
            able = (two[..., 0] - two[..., 1]) > threshold
        else:
            able = torch.ones_like(lead, dtype=torch.bool)
        blocks = torch.where(able, lead + threshold, torch.inf)
        before = torch.cat([torch.full_like(blocks[..., :1], torch.inf), blocks[..., :-1]], -1)
        margins.append(torch.minimum(passes, before.cummin(-1).values).amax(-1))
    return torch.stack(margins, -1)


def _log_vote_shares(logits: Tensor) -> Tensor:
    """Log of the mean over frames of every class's soft vote, [..., T, K] -> [..., K].

    A frame that is lost beyond doubt costs no more than its vote, so that training gives up frames
    that say nothing; cross-entropy in every frame would not.
    """
    votes = F.log_softmax(_VOTE_SHARPNESS * logits, -1)
    return votes.logsumexp(-2) - math.log(logits.shape[-2])


def _log_first_passage(logits: Tensor, rule: Rule) -> Tensor:
    """Log of the probability that each class is the first to pass, [..., T, K] -> [..., K].

    In a frame the outcomes are the classes, with odds exp((lead - threshold) / width), and none of
    them, with odds 1; after the last frame none is no outcome.
    """
    width = _SOFT_LATCH * rule.threshold_units
    odds = (_leads(logits) - rule.threshold_units) / width
    total = F.softplus(odds.logsumexp(-1, keepdim=True))
    passes, none = odds - total, -total.squeeze(-1)
    waits = torch.cat([torch.zeros_like(none[..., :1]), none[..., :-1]], -1).cumsum(-1)
    last = odds[..., -1:, :].log_softmax(-1)
    return (waits[..., None] + torch.cat([passes[..., :-1, :], last], -2)).logsumexp(-2)


def _per_frame(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy over the frames that are scored: logits [*S, B, T, K], labels [B, T]."""
    scored = labels >= 0
    found = _chosen(F.log_softmax(logits, -1), labels.clamp_min(0))
    return -(found * scored).sum((-2, -1)) / scored.sum().clamp_min(1)


def _chosen(values: Tensor, labels: Tensor) -> Tensor:
    at = labels.expand(values.shape[:-1]).unsqueeze(-1)
    return values.gather(-1, at).squeeze(-1)
