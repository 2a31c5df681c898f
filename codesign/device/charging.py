"""How a line charges: from its own current, so slower the less it carries.

A diode below threshold that is fed I_in and carries I has dI/dt = I (I_in - I) / Q, where the
charge Q = C n kT/q is in proportion to the gates on the line. From I0 it therefore rises as

    I(t) = I_in / (1 + (I_in / I0 - 1) exp(-I_in t / Q))

and falls to nothing as Q / t, whatever it carried: the equations of a translinear first-order
filter (Seevinck 1990; Frey 1993). Charges in coulomb, currents in ampere, times in seconds.
"""

import math

SETTLED = 0.02


def rise_s(charge_c: float, current_a: float, from_a: float, settled: float = SETTLED) -> float:
    """Time a line of charge Q takes from ``from_a`` to within ``settled`` of ``current_a``."""
    if from_a >= current_a * (1 - settled):
        return 0.0
    return charge_c / current_a * math.log((current_a / from_a - 1) * (1 - settled) / settled)


def reached(charge_c: float, current_a: float, from_a: float, time_s: float) -> float:
    """Part of ``current_a`` a line carries ``time_s`` after it rose from ``from_a``."""
    exponent = min(current_a * time_s / charge_c, 500.0)
    return 1 / (1 + (current_a / from_a - 1) * math.exp(-exponent))


def tail_a(charge_c: float, time_s: float) -> float:
    """What is left in a line ``time_s`` after its signal went to nothing."""
    return charge_c / time_s


def slowest_a(charge_c: float, time_s: float, from_a: float) -> float:
    """Smallest current to which a line of charge Q rises from ``from_a`` in ``time_s``."""
    low, high = from_a, charge_c / time_s * 1e3 + from_a
    for _ in range(60):
        middle = math.sqrt(low * high)
        if rise_s(charge_c, middle, from_a) <= time_s and middle * (1 - SETTLED) > from_a:
            high = middle
        else:
            low = middle
    return high
