"""SPICE expressions have the value ngspice gives them; what has none is named."""

import math

import pytest

from codesign.pdk.expressions import Parameters, UnresolvedError

NAMED = Parameters({"A": "2", "b": "{a*3}", "off": "0", "loop": "loop+1", "slope": "3.3e-3"})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.5u", 1.5e-6),
        ("4.148e-09", 4.148e-9),
        ("3meg", 3e6),
        (".2e-6", 2e-7),
        ("1.0um", 1e-6),
        ("{b - A/4}", 5.5),
        ("'-b**2'", -36.0),
        ("2^3", 8.0),
        ("sqrt(a*8)", 4.0),
        ("{0.519+off*AGAUSS(0,1.0,1)*(slope/sqrt(l*w*mult))}", 0.519),
        ("{(slope/sqrt(l*w))*off}", 0.0),
        ("agauss(0.5, 0.1, 3)", 0.5),
    ],
)
def test_values(text: str, value: float) -> None:
    assert math.isclose(NAMED.value(text), value, rel_tol=1e-15)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{1.4*l}", "'l' is not defined outside the subcircuit"),
        ("loop", "'loop' is defined by itself"),
        ("a/off", "float division by zero"),
        ("__import__('os').system('x')", "cannot evaluate"),
        ("a if b else 1", "cannot evaluate"),
        ("9^9^9^9", "cannot evaluate"),
        ("", "cannot evaluate"),
    ],
)
def test_what_has_no_value_says_why(text: str, reason: str) -> None:
    with pytest.raises(UnresolvedError, match=reason):
        NAMED.value(text)
