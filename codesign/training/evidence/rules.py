"""The decision rules that a network is read with, to compare them on the same logits."""

from codesign.rules import EVERY_FRAME, RULE_NAMES, Rule

# Where the trained rule has no number of its own: a tenth of the clip, and a lead of two units.
_SHARE_OF_CLIP = 10
_LATCH_UNITS = 2.0


def rules_to_compare(trained: Rule, frames: int) -> list[Rule]:
    """The trained rule first, then one of every other name that fits clips of ``frames`` frames.

    With labels per frame there is nothing to choose: a decision per frame is the only rule.
    """
    if trained == EVERY_FRAME:
        return [trained]
    last = Rule("last_k", frames=min(frames, max(2, round(frames / _SHARE_OF_CLIP))))
    numbered = {"last_k": last, "latch": Rule("latch", threshold_units=_LATCH_UNITS)}
    others = [numbered.get(name) or Rule(name) for name in RULE_NAMES if name != EVERY_FRAME.name]
    return [trained, *(rule for rule in others if rule.name != trained.name)]
