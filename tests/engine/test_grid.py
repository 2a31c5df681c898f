"""The steps of a frame, and the sources of the test bench as the engine has them."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from codesign.circuit.testbench import bench_text, stimulus
from codesign.circuit.timing import SAMPLE, Pulse, Timing
from codesign.engine.batched import boundary
from codesign.engine.grid import FrameGrid, Resolution, frame_grids, waveforms
from codesign.flows import HardwareSection
from codesign.mapping.design import Shape

Floats = NDArray[np.float64]

_NUMBER = re.compile(r"(-?[\d.]+(?:e[+-]?\d+)?)([a-zA-Z]*)")
_SCALE = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12}

COARSE = Resolution()

settings_of_a_frame = st.tuples(
    st.sampled_from(["strobed", "async"]),
    st.integers(1, 4),
    st.floats(1e-3, 0.1),
    st.floats(1e-3, 0.02),
)


def _case(drawn: tuple[str, int, float, float]) -> tuple[HardwareSection, Shape, Timing]:
    cell, layers, frame_s, edge_part = drawn
    # Times as people write them: a deck states six digits.
    frame_s, edge_s = float(f"{frame_s:.3g}"), float(f"{frame_s * edge_part:.2g}")
    hw = HardwareSection.model_validate({"cell": cell, "frame_s": frame_s, "edge_s": edge_s})
    shape = Shape(inputs=3, state_dim=2, layers=layers, classes=2)
    return hw, shape, Timing(frame_s, edge_s, 3, layers)


def _grids(
    hw: HardwareSection, shape: Shape, timing: Timing, resolution: Resolution = COARSE
) -> tuple[tuple[str, ...], tuple[FrameGrid, FrameGrid]]:
    driven = boundary(shape, hw).driven
    return driven, frame_grids(hw, timing, driven, waveforms(hw, shape, timing), resolution)


def _sources(text: str) -> dict[str, str]:
    """Voltage and current sources of a deck by their positive node."""
    lines = text.replace("\n+", " ").splitlines()
    return {words[1]: words[3] for line in lines if len(words := line.split(maxsplit=3)) == 4}


def _value(source: str, times_s: Floats) -> Floats:
    """A pwl or pulse source of SPICE at some times, from the manual's definition."""
    kind, _, rest = source.partition("(")
    numbers = [float(v) * _SCALE[unit] for v, unit in _NUMBER.findall(rest)]
    if kind.strip() == "pwl":
        return np.interp(times_s, numbers[0::2], numbers[1::2])
    assert kind.strip() == "pulse"
    low, high, delay, rise, fall, width, period = numbers
    phase = np.where(times_s < delay, -1.0, (times_s - delay) % period)
    corners = [0.0, rise, rise + width, rise + width + fall]
    return np.where(phase < 0, low, np.interp(phase, corners, [low, high, high, low]))


@given(settings_of_a_frame)
def test_the_steps_fill_the_frame(drawn: tuple[str, int, float, float]) -> None:
    hw, shape, timing = _case(drawn)
    driven, grids = _grids(hw, shape, timing)
    for kind, grid in enumerate(grids):
        assert (grid.step_us > 0).all()
        assert grid.step_us.sum() == pytest.approx(timing.frame_s * 1e6, rel=1e-9)
        ends = np.cumsum(grid.step_us)
        assert ends[grid.sample_step] == pytest.approx(SAMPLE * timing.frame_s * 1e6, abs=2e-3)
        assert grid.step_us.max() <= COARSE.longest * timing.frame_s * 1e6 * (1 + 1e-9)
        assert grid.driven_v.shape == (len(ends), len(driven))
        assert grid.table().shape == (len(ends), 3 + len(driven))
        assert grid.restart[0]
        assert (np.diff(grid.edge) >= 0).all()
        assert grid.edge[-1] == 1
        points = np.r_[0.0, ends]
        edge_us = timing.edge_s * 1e6
        wanted = {0.0, edge_us}
        for node in driven:
            form = waveforms(hw, shape, timing)[node][kind]
            times, volts = form[0::2], np.array(form[1::2])
            for k in np.flatnonzero(np.diff(volts)):
                wanted |= {times[k], times[k + 1]}
        for corner in wanted:
            at = int(np.argmin(np.abs(points - corner)))
            assert points[at] == pytest.approx(corner, abs=2e-3)
            # The past says nothing about what comes after a corner.
            assert grid.restart[at]


@given(settings_of_a_frame, st.integers(0, 2**32 - 1))
def test_waveforms_are_those_of_the_test_bench(
    drawn: tuple[str, int, float, float], seed: int
) -> None:
    hw, shape, timing = _case(drawn)
    forms = waveforms(hw, shape, timing)
    sources = _sources(bench_text(hw, shape, timing, "test", []))
    driven = boundary(shape, hw).driven
    assert set(forms) == set(driven)
    times_us = np.random.default_rng(seed).uniform(0, timing.frame_s * 1e6, 200)
    for node in driven:
        for frame in range(3):
            form = forms[node][min(frame, 1)]
            here = np.interp(times_us, form[0::2], form[1::2])
            expected = _value(sources[node], times_us * 1e-6 + frame * timing.frame_s)
            # A deck rounds times to six digits: a part of an edge.
            assert np.abs(here - expected).max() < 0.03 * hw.supply_v, (node, frame)


@given(settings_of_a_frame, st.integers(0, 2**32 - 1))
def test_inputs_move_as_in_the_test_bench(drawn: tuple[str, int, float, float], seed: int) -> None:
    hw, shape, timing = _case(drawn)
    inputs = np.random.default_rng(seed).uniform(0, 3, (timing.frames, shape.inputs))
    text = stimulus(inputs.tolist(), timing, hw.unit_current_a)
    sources = _sources(text)
    _, grids = _grids(hw, shape, timing)
    for channel in range(shape.inputs):
        for frame in range(timing.frames):
            grid = grids[min(frame, 1)]
            times_s = np.cumsum(grid.step_us) * 1e-6 + frame * timing.frame_s
            before = inputs[max(frame - 1, 0), channel]
            here = before + (inputs[frame, channel] - before) * grid.edge
            # At the end of the last step the next frame begins.
            expected = _value(sources[f"u_{channel}_p"], times_s) / hw.unit_current_a
            np.testing.assert_allclose(here[:-1], expected[:-1], atol=1e-3)


def test_measured_edges_of_nanoseconds_are_the_same_in_both_engines() -> None:
    """A pair whose complement is 2 ns late to leave and early to return."""
    hw, shape, timing = _case(("strobed", 2, 0.01, 0.002))
    edges = [
        (
            Pulse(at, at + 4e-9, at + 2e-3, at + 2e-3 + 5e-9),
            Pulse(at + 2e-9, at + 6e-9, at + 2e-3 - 2e-9, at + 2e-3 + 1e-9),
        )
        for at in (3.75e-3, 6.875e-3)
    ]
    forms = waveforms(hw, shape, timing, edges)
    sources = _sources(bench_text(hw, shape, timing, "test", [], edges=edges))
    for layer, at in enumerate((3.75e-3, 6.875e-3)):
        times_s = at + np.array([-1e-6, 1e-9, 3e-9, 5e-9, 1e-6, 2e-3 - 1e-9, 2e-3 + 2e-9, 2.1e-3])
        for node in (f"stb_{layer}", f"stbn_{layer}"):
            form = forms[node][1]
            here = np.interp(times_s * 1e6, form[0::2], form[1::2])
            np.testing.assert_allclose(here, _value(sources[node], times_s), atol=2e-3)
    driven = boundary(shape, hw).driven
    for grid in frame_grids(hw, timing, driven, forms):
        assert (grid.step_us > 0).all()
        assert grid.step_us.sum() == pytest.approx(timing.frame_s * 1e6)


def test_a_finer_grid_holds_more_steps_and_ticks_are_points_of_it() -> None:
    hw, shape, timing = _case(("strobed", 2, 0.01, 0.002))
    _, coarse = _grids(hw, shape, timing)
    _, fine = _grids(hw, shape, timing, Resolution(4, 2.0, 1.3, 0.02))
    _, ticked = _grids(hw, shape, timing, Resolution(tick_us=250.0))
    for few, many, noisy in zip(coarse, fine, ticked, strict=True):
        assert len(many.step_us) > 1.5 * len(few.step_us)
        ends = np.cumsum(noisy.step_us)
        for tick in np.arange(250.0, 10_000.0, 250.0):
            assert np.abs(ends - tick).min() < 1e-2
        # Ticks are no corners.
        assert noisy.restart.sum() == few.restart.sum()
