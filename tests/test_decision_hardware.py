"""What rules cost, against counts and charges worked out by hand."""

import pytest

from codesign.circuit.timing import SAMPLE
from codesign.decision_hardware import GATE, Needs, integrator_f, needs_of, sliding_needs
from codesign.rules import parse_rule


def needs(text: str, classes: int = 2, gate: float = GATE) -> Needs:
    """A keyword clip: 101 frames of 10 ms, mean class currents up to 20 nA."""
    return needs_of(parse_rule(text), classes, 101, 0.01, 20e-9, gate)


def test_an_integrator_holds_the_charge_of_its_frames() -> None:
    assert pytest.approx(1 - SAMPLE) == GATE, "what is integrated is what is sampled"
    whole = needs("mean_logit", gate=1.0)
    assert whole.capacitor_f == pytest.approx(20e-9 * 1.01 / 1.0)  # 20.2 nF: not on a chip
    assert whole.capacitors == 2
    assert needs("mean_logit").capacitance_f == pytest.approx(0.05 * whole.capacitance_f)
    assert needs("last_k:20").capacitor_f == pytest.approx(
        needs("mean_logit").capacitor_f * 20 / 101
    )
    assert integrator_f(10, 0.01, 1e-9, gate=1.0, swing_v=0.5) == pytest.approx(2e-10)


@pytest.mark.parametrize(
    ("text", "classes", "bits", "comparators"),
    [
        ("last_frame", 2, 1, 1),
        ("last_frame", 10, 4, 9),
        ("mean_logit", 10, 4, 9),
        ("last_k:20", 2, 7 + 1, 1),
        ("majority", 2, 7, 1),  # of 101 frames 0 to 101 votes: 7 bits
        ("majority", 10, 70, 9),
        ("latch:2", 2, 2, 2),
        ("latch:2", 10, 10, 10),
        ("every_frame", 10, 0, 9),
    ],
)
def test_bits_and_comparators(text: str, classes: int, bits: int, comparators: int) -> None:
    found = needs(text, classes)
    assert (found.memory_bits, found.comparators) == (bits, comparators)
    assert (found.capacitors > 0) == (text[:4] in ("mean", "last") and text != "last_frame")


def test_a_ring_is_of_the_last_frames_alone() -> None:
    ring = sliding_needs(parse_rule("last_k:20"), 3, 0.01, 20e-9)
    assert ring.capacitors == 60
    assert ring.capacitance_f == pytest.approx(3 * integrator_f(20, 0.01, 20e-9))
    with pytest.raises(ValueError, match="keeps no ring"):
        sliding_needs(parse_rule("majority"), 3, 0.01, 20e-9)
