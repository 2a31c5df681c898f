"""What is minimised: cross-entropy of the deployed decision, plus what the circuit asks for."""

from collections.abc import Mapping

from torch import Tensor

from codesign.decision import decision_loss, lead_missing
from codesign.flows import TrainingSection
from codesign.training.reading import Reading, mirrored_current


def objective(
    reading: Reading,
    parameters: Mapping[str, Tensor],
    labels: Tensor,
    settings: TrainingSection,
    margin_strength: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """(objective, cross-entropy) per network [*S] for labels [B].

    The loss is that of the deployed decision (``decision_loss``). Added, each with its weight:
    candidates closer than margin_units to a threshold, right classes that lead by less than
    logit_margin_units, and the mirrored current (power, and error, grow with it).
    """
    entropy = decision_loss(reading.logits, labels, settings.decision)
    total = entropy
    if settings.margin_weight and reading.intrusion is not None:
        total = total + margin_strength * settings.margin_weight * reading.intrusion
    if settings.logit_margin_weight:
        short = lead_missing(reading.logits, labels, settings.decision, settings.logit_margin_units)
        total = total + settings.logit_margin_weight * short
    if settings.current_weight and reading.currents is not None:
        total = total + settings.current_weight * mirrored_current(reading.currents, parameters)
    return total, entropy
