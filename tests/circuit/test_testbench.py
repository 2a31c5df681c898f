"""Stimuli, strobes and what is saved."""

import re
from itertools import pairwise

import pytest

from codesign.circuit.testbench import bench_text, saved_vectors, stimulus
from codesign.circuit.timing import SAMPLE, Timing
from codesign.flows import HardwareSection
from tests.designs import SMALL

TIMING = Timing(frame_s=0.01, edge_s=2e-5, frames=3, layers=2)


def _bench(**hardware: object) -> str:
    section = HardwareSection.model_validate(hardware)
    return bench_text(section, SMALL, TIMING, "title", ["pdk.cir"])


def test_inputs_are_piecewise_constant_currents() -> None:
    text = stimulus([[0.5], [0.5], [1.0]], TIMING, 1e-9).replace("\n+", "")
    words = re.search(r"pwl\( (.*) \)", text)
    assert words is not None
    numbers = [float(word) for word in words[1].split()]
    assert numbers == pytest.approx([0, 5e-10, 0.02, 5e-10, 0.02002, 1e-9])


def test_strobes_do_not_overlap_and_end_before_the_sample() -> None:
    for layers in range(1, 9):
        timing = Timing(0.01, 2e-5, 1, layers)
        windows = [timing.window(layer) for layer in range(layers)]
        for (_, closes), (opens, _) in pairwise(windows):
            assert closes <= opens
        assert windows[0][0] > 0.3
        assert all(closes - opens >= 2 / timing.ticks for opens, closes in windows)
        assert windows[-1][1] * timing.frame_s + timing.edge_s < SAMPLE * timing.frame_s


def test_windows_of_one_two_and_three_layers_in_ticks() -> None:
    expected = {1: [(10, 15)], 2: [(6, 11), (11, 15)], 3: [(6, 9), (9, 12), (12, 15)]}
    for layers, windows in expected.items():
        timing = Timing(0.01, 2e-5, 1, layers)
        assert timing.ticks == 16
        assert [timing.window_ticks(layer) for layer in range(layers)] == windows


def test_strobed_benches_strobe_and_asynchronous_ones_do_not() -> None:
    assert _bench(cell="strobed").count("pulse(") == 2 * SMALL.layers
    assert "pulse(" not in _bench(cell="async")


def test_every_cell_starts_low() -> None:
    text = _bench()
    assert text.count(".ic v(") == SMALL.layers * SMALL.state_dim
    assert "vrst rst 0 pwl(" in text


def test_what_is_saved_is_saved_once() -> None:
    vectors = saved_vectors(SMALL)
    assert len(vectors) == len(set(vectors))
    text = _bench()
    assert all(f".save {vector}\n" in text for vector in vectors)
