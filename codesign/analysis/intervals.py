"""How sure a proportion is, a mean of proportions, and a difference on the same clips."""

import math
from collections.abc import Sequence

from scipy.stats import binomtest

_Z = 1.959963984540054  # 97.5 % of the normal distribution


def wilson(successes: int, trials: int) -> list[float] | None:
    """Wilson's 95 % confidence interval of a proportion, [low, high]; None without trials."""
    if not trials:
        return None
    low, high = binomtest(successes, trials).proportion_ci(method="wilson")
    return [float(low), float(high)]


def mean_proportion(successes: Sequence[int], trials: Sequence[int]) -> list[float] | None:
    """95 % interval of the mean of independent proportions, [low, high]: a balanced accuracy.

    The distances from the estimates to Wilson's limits are recovered as variances and added
    (Zou and Donner, Statistics in Medicine 27, 2008, section 2). With one class it is Wilson's.
    Classes without trials are left out; None when there is none left.
    """
    known = [(hits, n) for hits, n in zip(successes, trials, strict=True) if n]
    if not known:
        return None
    mean = sum(hits / n for hits, n in known) / len(known)
    below = above = 0.0
    for hits, n in known:
        low, high = wilson(hits, n) or (0.0, 1.0)
        below += (hits / n - low) ** 2
        above += (high - hits / n) ** 2
    return [mean - math.sqrt(below) / len(known), mean + math.sqrt(above) / len(known)]


def paired_difference(
    gained: Sequence[int], lost: Sequence[int], trials: Sequence[int]
) -> list[float] | None:
    """95 % interval of a difference of balanced accuracies on the same clips, [low, high].

    Per class: clips that the first gets right and the second wrong (gained), the other way round
    (lost), and all. Each class by Agresti and Min's adjusted Wald interval, which adds half a clip
    to each of the four outcomes (Statistics in Medicine 24, 2005); variances of classes add up.
    Classes without clips are left out; None when there is none left.
    """
    known = [item for item in zip(gained, lost, trials, strict=True) if item[2]]
    if not known:
        return None
    centre = variance = 0.0
    for won, gave, n in known:
        up, down, total = won + 0.5, gave + 0.5, n + 2
        difference = (up - down) / total
        centre += difference / len(known)
        variance += ((up + down) / total - difference**2) / total / len(known) ** 2
    spread = _Z * math.sqrt(variance)
    return [centre - spread, centre + spread]
