"""How the chip decides: the names of the rules, with the number that two of them carry.

``last_frame``   the class currents are compared once, at the end of the last frame
``mean_logit``   the class currents are integrated over the clip, then compared
``last_k:K``     as mean_logit, over the last K frames
``majority``     the winner of every frame has a vote, the votes are counted
``latch:U``      the first class that leads by more than U units at the end of a frame stays; if
                 none did, the leader of the last frame
``every_frame``  a decision per frame, for tasks that have a label per frame

A flow, a model and a summary hold the text; code takes the ``Rule``. What each means for logits is
in ``codesign.decision``, what it costs in silicon in ``codesign.decision_hardware``.
"""

from dataclasses import dataclass
from typing import Literal

RuleName = Literal["last_frame", "mean_logit", "last_k", "majority", "latch", "every_frame"]
RULE_NAMES: tuple[RuleName, ...] = (
    "last_frame", "mean_logit", "last_k", "majority", "latch", "every_frame",
)  # fmt: skip
_FORMS = "last_frame, mean_logit, last_k:FRAMES, majority, latch:UNITS, every_frame"
_MOST_FRAMES = 1_000_000
_MOST_UNITS = 1000.0


@dataclass(frozen=True)
class Rule:
    """A decision rule. ``frames``: K of last_k, else 0. ``threshold_units``: by how much a class
    must lead under latch, else 0. Raises ValueError for numbers that do not go with the name."""

    name: RuleName
    frames: int = 0
    threshold_units: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in RULE_NAMES:
            raise ValueError(f"{self.name!r} is no decision rule; expected one of {_FORMS}")
        if self.name == "last_k" and not 1 <= self.frames <= _MOST_FRAMES:
            raise ValueError(
                "last_k needs the number of frames it averages, at least 1, as in last_k:10"
            )
        if self.name == "latch" and not 0 < self.threshold_units <= _MOST_UNITS:
            raise ValueError(
                "latch needs the lead in units at which a class stays, more than 0, as in latch:2"
            )
        if (self.name != "last_k" and self.frames) or (
            self.name != "latch" and self.threshold_units
        ):
            raise ValueError(f"{self.name} takes no number; expected one of {_FORMS}")

    def __str__(self) -> str:
        if self.name == "last_k":
            return f"last_k:{self.frames}"
        if self.name == "latch":
            return f"latch:{self.threshold_units!r}"
        return self.name


LAST_FRAME = Rule("last_frame")
MEAN_LOGIT = Rule("mean_logit")
MAJORITY = Rule("majority")
EVERY_FRAME = Rule("every_frame")


def parse_rule(text: object) -> Rule:
    """The rule of a flow or a file: ``"last_k:10"``. A Rule is returned as it is.

    Raises ValueError with a sentence for anything else.
    """
    if isinstance(text, Rule):
        return text
    if not isinstance(text, str):
        raise ValueError(f"a decision rule is a text, one of {_FORMS}")
    name, colon, number = text.strip().partition(":")
    if name not in RULE_NAMES or (colon and name not in ("last_k", "latch")):
        raise ValueError(f"'{text[:80]}' is no decision rule; expected one of {_FORMS}")
    try:
        if name == "last_k":
            return Rule(name, frames=int(number or 0))
        return Rule(name, threshold_units=float(number or 0) if name == "latch" else 0.0)
    except ValueError as error:
        if "literal" not in str(error) and "convert" not in str(error):
            raise
        raise ValueError(
            f"'{text[:80]}' has '{number[:40]}' where a number belongs; expected one of {_FORMS}"
        ) from None
