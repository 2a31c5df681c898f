"""How sure a proportion is."""

from scipy.stats import binomtest


def wilson(successes: int, trials: int) -> list[float] | None:
    """Wilson's 95 % confidence interval of a proportion, [low, high]; None without trials."""
    if not trials:
        return None
    low, high = binomtest(successes, trials).proportion_ci(method="wilson")
    return [float(low), float(high)]
