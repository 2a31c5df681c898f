"""A network with its own reference: one block more, and nothing else changed."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from codesign.circuit.bias import TREE_PATH, has_tree, variant
from codesign.circuit.count import count_devices
from codesign.circuit.elements import Capacitor, Library, Mosfet, flatten
from codesign.circuit.library import parse_subcircuits, read_library
from codesign.circuit.network import build_network
from codesign.circuit.spice_text import network_text
from codesign.circuit.testbench import bench_text, connections
from codesign.circuit.timing import Timing
from codesign.device.reference import ReferenceSizes
from codesign.mapping.design import Design
from codesign.resources import resource_dir
from codesign.spice.ngspice import find_ngspice
from tests.designs import SMALL, small_design

TREE = ReferenceSizes(3e-7, 4e-5, 8, 64, 7, 8, 1.03e-5, 1e-9, 4e-9)


def _with_tree() -> Design:
    design = small_design()
    hardware = design.hardware.model_copy(update={"bias": "tree"})
    return replace(design, hardware=hardware, reference=TREE)


def _devices(library: Library) -> dict[str, Mosfet | Capacitor]:
    return {device.name: device for device in flatten(library)}


def test_the_tree_adds_its_devices_to_the_bias_block_and_changes_no_other() -> None:
    ideal, tree = build_network(small_design()), build_network(_with_tree())
    added = {n: d for n, d in _devices(tree).items() if n.startswith(TREE_PATH)}
    others = {n: d for n, d in _devices(tree).items() if n not in added}
    assert others == _devices(ideal)
    transistors = sum(isinstance(d, Mosfet) for d in added.values())
    assert transistors == 33
    before, after = count_devices(ideal).blocks, count_devices(tree).blocks
    assert after["bias"].transistors == before["bias"].transistors + transistors
    assert after["cells"] == before["cells"]
    assert after["feedforward"] == before["feedforward"]
    line, out = others["xreference.xline.mline"], added[f"{TREE_PATH}mout"]
    assert isinstance(line, Mosfet)
    assert isinstance(out, Mosfet)
    assert out.drain == line.gate


def test_a_network_gains_and_loses_its_reference_and_is_the_same_again() -> None:
    ideal, tree = build_network(small_design()), build_network(_with_tree())
    hardware = _with_tree().hardware
    assert has_tree(tree)
    assert not has_tree(ideal)
    assert _devices(variant(tree, hardware, None)) == _devices(ideal)
    assert _devices(variant(ideal, hardware, TREE)) == _devices(tree)
    assert variant(ideal, hardware, TREE).subcircuits["network"].ports == (
        tree.subcircuits["network"].ports
    )


def test_cells_are_reset_by_the_net_the_reference_drives() -> None:
    devices = _devices(build_network(_with_tree()))
    gates = {d.gate for n, d in devices.items() if n.endswith(".mrst") and isinstance(d, Mosfet)}
    inverter = devices[f"{TREE_PATH}xreset.mi1"]
    assert isinstance(inverter, Mosfet)
    assert gates == {inverter.drain} == {"rst"}
    nor = devices[f"{TREE_PATH}xreset.mg4"]
    assert isinstance(nor, Mosfet)
    assert nor.gate == "clear"


def test_text_of_a_network_with_a_tree_read_back_is_the_same_circuit() -> None:
    library = build_network(_with_tree())
    text = network_text(library, {"n": "nfet", "p": "pfet"}, read_library())
    parsed = {s.name: s for s in parse_subcircuits(text, "text", "nfet", "pfet")}
    again = Library("network", {**read_library(), **parsed})
    ideal = build_network(small_design())
    assert [(d.name, d.nodes) for d in flatten(variant(again, _with_tree().hardware, None))] == [
        (d.name, d.nodes) for d in flatten(ideal)
    ]
    assert [(d.name, d.nodes) for d in flatten(again)] == [
        (d.name, d.nodes) for d in flatten(library)
    ]


def test_the_bench_of_a_tree_has_no_reference_source_and_one_port_less() -> None:
    hardware, timing = _with_tree().hardware, Timing(0.01, 2e-5, 3, SMALL.layers)
    ports = build_network(_with_tree()).subcircuits["network"].ports
    assert len(connections(hardware, SMALL)) == len(ports)
    text = bench_text(hardware, SMALL, timing, "title", ["pdk.cir"])
    assert "iref" not in text
    assert f".nodeset v(xnetwork.{TREE_PATH}vp)" in text


@pytest.mark.ngspice
def test_the_reference_starts_resets_and_comes_back_after_a_sag(tmp_path: Path) -> None:
    for kind in ("netlists", "pdk"):
        shutil.copytree(resource_dir(kind), tmp_path / kind)
    done = subprocess.run(
        [str(find_ngspice()), "-b", "bias.cir"],
        cwd=tmp_path / "netlists" / "benches", capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = dict(re.findall(r"^((?:reset|current)_\d)\s*=\s*(\S+)", done.stdout, re.MULTILINE))
    resets = [float(found[f"reset_{k}"]) for k in range(4)]
    assert resets == [pytest.approx(v, abs=1e-3) for v in (1.8, 0, 1.8, 0)]
    for k in range(2):
        assert float(found[f"current_{k}"]) == pytest.approx(1e-9, rel=2e-3)
