"""The strobe generator: what it decodes, and what its transistors do in ngspice."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from codesign.circuit.elements import Call, Mosfet, flatten
from codesign.circuit.strobe import GENERATOR, generator_text, reset_tick, strobe_generator
from codesign.circuit.strobe_measure import count_generator, measure_strobe
from codesign.circuit.testbench import bench_text, saved_vectors
from codesign.circuit.timing import Timing
from codesign.device.bench import ProcessPoint
from codesign.errors import EnvironmentMissing
from codesign.flows import HardwareSection
from codesign.mapping.design import Shape
from codesign.pdk import find_pdk
from codesign.resources import resource_dir
from codesign.spice.ngspice import SPICEINIT, find_ngspice, ngspice_version
from tests.designs import SMALL


def _timing(layers: int, frame_s: float = 0.01) -> Timing:
    return Timing(frame_s, 2e-5, 2, layers)


def _point(**hardware: object) -> ProcessPoint:
    ngspice = find_ngspice()
    section = HardwareSection.model_validate({"pdk": "generic180", **hardware})
    return ProcessPoint(find_pdk("generic180"), section, ngspice, ngspice_version(ngspice))


@pytest.mark.parametrize("layers", range(1, 9))
def test_the_two_inputs_of_a_gate_are_high_together_in_the_window_and_only_there(
    layers: int,
) -> None:
    """The counter by its definition: output k is high from the (k + 1)-th tick for half a turn."""
    timing = _timing(layers)
    stages = timing.ticks // 2

    def level(node: str, tick: int) -> bool:
        name, stage = node.split("_")
        high = int(stage) < (tick - reset_tick(timing.ticks)) % timing.ticks <= int(stage) + stages
        return high if name == "q" else not high

    calls = {
        call.name: call
        for call in strobe_generator(timing).subcircuits[GENERATOR].elements
        if isinstance(call, Call)
    }
    for layer in range(layers):
        opens, closes = timing.window_ticks(layer)
        one, other = calls[f"xpair_{layer}"].nodes[:2]
        for tick in range(timing.ticks):
            assert (level(one, tick) and level(other, tick)) == (opens <= tick < closes)
            # Never two changes at one tick: a gate of them has no glitch.
            before = (tick - 1) % timing.ticks
            moved = [level(node, tick) != level(node, before) for node in (one, other)]
            assert not all(moved)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_every_gate_is_driven_and_every_transistor_counted(layers: int) -> None:
    library = strobe_generator(_timing(layers))
    devices = [device for device in flatten(library) if isinstance(device, Mosfet)]
    driven = {"clk", "rst", "vdd", "vss"}
    driven |= {node for device in devices for node in (device.drain, device.source)}
    assert {device.gate for device in devices} <= driven
    count = count_generator(library)
    assert count.transistors == len(devices)
    area = sum(float(d.w_m) * float(d.l_m) * int(d.m) for d in devices)
    assert count.gate_area_m2 == pytest.approx(area)


def test_a_window_that_cannot_be_decoded_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Timing, "window_ticks", lambda *_: (3, 13))
    with pytest.raises(ValueError, match="cannot be decoded"):
        strobe_generator(_timing(1))


def test_the_bench_has_the_generator_or_ideal_strobes() -> None:
    timing = _timing(SMALL.layers)
    for strobe, generator in (("ideal", False), ("generator", True)):
        hardware = HardwareSection.model_validate({"strobe": strobe})
        text = bench_text(hardware, SMALL, timing, "title", [])
        assert (GENERATOR in text) == ("vclk clk" in text) == generator
        assert ("vstb_0" in text) == (not generator)
        assert saved_vectors(SMALL, generator)[-1] in text
    hardware = HardwareSection.model_validate({"cell": "async", "strobe": "generator"})
    assert GENERATOR not in bench_text(hardware, SMALL, timing, "title", [])


@pytest.mark.ngspice
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_strobes_come_where_timing_says_and_a_pair_is_never_low_together(layers: int) -> None:
    timing = _timing(layers)
    facts = measure_strobe(_point(), Shape(3, 2, layers, 2))
    tick = timing.frame_s / timing.ticks
    for layer, (plain, complement) in enumerate(facts.edges):
        opens, closes = timing.window_ticks(layer)
        # Some gate delays after the clock, no more.
        assert 0 < plain.leaves_s - opens * tick < 1e-3 * tick
        assert 0 < plain.returns_s - closes * tick < 1e-3 * tick
        assert plain.leaves_s < complement.leaves_s
        assert complement.returns_s < plain.returns_s
    assert 0 < facts.leakage_w < facts.power_w < 1e-8
    assert facts.count == count_generator(strobe_generator(timing))


@pytest.mark.ngspice
def test_a_measurement_is_remembered_and_one_that_fails_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path))
    shape, said = Shape(3, 1, 1, 2), list[str]()
    first = measure_strobe(_point(), shape, said.append)
    again = measure_strobe(_point(), shape, said.append)
    assert (len(said), again) == (1, first)
    # The clock stops: reset never ends within the two frames.
    monkeypatch.setattr("codesign.circuit.strobe_measure.RESET_END", 1.9)
    with pytest.raises(EnvironmentMissing, match="does not strobe layer 0 once per frame"):
        measure_strobe(_point(), shape)


@pytest.mark.ngspice
def test_the_bench_of_the_library_counts_six_ticks(tmp_path: Path) -> None:
    for kind in ("netlists", "pdk"):
        shutil.copytree(resource_dir(kind), tmp_path / kind)
    (tmp_path / "netlists" / "benches" / ".spiceinit").write_text(SPICEINIT, encoding="utf-8")
    done = subprocess.run(
        [str(find_ngspice()), "-b", "strobe.cir"],
        cwd=tmp_path / "netlists" / "benches", capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = dict(re.findall(r"^(\w+)\s*=\s*(\S+)", done.stdout, re.MULTILINE))
    for name, tick in (("opens_0", 2), ("closes_0", 4), ("opens_1", 8), ("closes_1", 10)):
        assert float(found[name]) == pytest.approx(tick * 1e-3, abs=1e-6)
    assert float(found["lowest"]) > 0.9


def test_the_text_holds_every_block_it_calls() -> None:
    library = strobe_generator(_timing(2))
    text = generator_text(library, "nfet", "pfet")
    for name in library.subcircuits:
        assert text.count(f".subckt {name} ") == text.count(f".ends {name}\n") == 1
