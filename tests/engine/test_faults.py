"""What goes wrong, and what is said about it: ranges, caches, compilers, circuits."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from codesign.circuit.elements import Group, Library, Mosfet
from codesign.device.cache import digest
from codesign.device.geometry import Geometry
from codesign.engine import Unsupported, batched, characterise
from codesign.engine.batched import BatchedEngine
from codesign.engine.native import call, library
from codesign.errors import EnvironmentMissing
from codesign.mapping.exported import Exported
from codesign.simulation.draws import Draws
from codesign.simulation.engines import choose_engines
from tests.engine import law
from tests.engine.circuits import engine_on_paper, need_compiler, random_inputs, small

# --- samples ---


def test_a_current_out_of_range_is_that_samples_status() -> None:
    """One clip with an input of 100 units: beyond the 64 the line's devices are fitted to."""
    engine = engine_on_paper(small("async"))
    inputs = random_inputs(2, clips=2)
    inputs[1, 1, 0] = 100.0
    clip = np.zeros(20, np.int64)
    clip[[3, 17]] = 1
    result = engine.run(inputs, clip, threads=1)
    assert [k for k, status in enumerate(result.status) if status != "ok"] == [3, 17]
    assert result.status[3] == result.status[17] == "range"
    assert "range its devices were measured in" in result.message[3]
    assert [message for k, message in enumerate(result.message) if k not in (3, 17)] == [""] * 18
    alone = engine.run(inputs, np.zeros(1, np.int64), threads=1)
    beside = result.candidates_a[np.flatnonzero(clip == 0)]
    np.testing.assert_allclose(beside, np.repeat(alone.candidates_a, 18, axis=0), 5e-3, 1e-12)


def test_a_chip_far_off_is_out_of_range_and_no_other() -> None:
    """A line whose diode is 0.3 V too weak leaves its range with an ordinary current."""
    engine = engine_on_paper(small("strobed"))
    count = len(engine.instances)
    draws = Draws(engine.instances, np.zeros((3, count)), np.ones((3, count)))
    device = next(
        k for k, d in enumerate(engine.graph.devices)
        if d.gate == d.drain == "u_0_p" and d.polarity == "p"
    )  # fmt: skip
    draws.delvto_v[1, device] = -0.3
    chips = np.array([0, 1, 2, 0])
    result = engine.run(random_inputs(2), np.zeros(4, np.int64), draws, chips, threads=1)
    assert result.status == ("ok", "range", "ok", "ok")


def test_steps_that_do_not_converge_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call, "ITERATIONS", 1)
    monkeypatch.setattr(call, "DEPTH", 0)
    engine = engine_on_paper(small("async"))
    result = engine.run(random_inputs(2), np.zeros(2, np.int64), threads=1)
    assert result.status == ("no_convergence",) * 2
    assert "did not converge" in result.message[0]


# --- the cache of characterisations ---


class _Bench:
    """Devices on paper in the place of ngspice; counts how often it measures."""

    def __init__(self, cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.circuit, self.measured = small(cell), 0
        self.point: Any = SimpleNamespace(hardware=self.circuit.hardware, key=lambda: "a point")

        def mirrors(_: object, geometries: list[Geometry]) -> Any:
            self.measured += 1
            return law.mirror_table(geometries)

        monkeypatch.setattr(characterise, "mirror_table", mirrors)
        monkeypatch.setattr(characterise, "switch_table", lambda _, g: law.switch_table(g))
        monkeypatch.setattr(
            characterise,
            "measure_capacitances",
            lambda _, geometries, *__: [law.capacitance(g) for g in geometries],
        )

    def models(self) -> characterise.Models:
        return characterise.characterise(self.circuit.graph, self.point)


def _cut(text: str) -> str:
    return text[: len(text) // 2]


def _altered(text: str) -> str:
    stored = json.loads(text)
    stored["content"]["mirrors"][1]["gate"][0][2] *= 1.001
    return json.dumps(stored)


def _another_version(text: str) -> str:
    stored = json.loads(text)
    del stored["content"]["mirrors"][0]["kd_per_v"]
    stored["sha256"] = digest(stored["content"])
    return json.dumps(stored)


@pytest.mark.parametrize(
    "damage", [_cut, _altered, _another_version, lambda _: "", lambda _: "[1, 2]", lambda _: "\0"]
)
def test_a_damaged_cache_is_measured_again(
    damage: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path))
    bench = _Bench("async", monkeypatch)
    first = bench.models()
    assert bench.measured == 2
    assert first.measured_s > 0
    again = bench.models()
    assert bench.measured == 2
    assert again.measured_s == 0
    assert again.digest() == first.digest()
    (path,) = (tmp_path / "measured" / "engine").glob("*.json")
    written = path.read_text(encoding="utf-8")
    path.write_text(damage(written), encoding="utf-8")
    repaired = bench.models()
    assert bench.measured == 4
    assert repaired.digest() == first.digest()
    assert path.read_text(encoding="utf-8") == written
    assert bench.models().measured_s == 0


def test_other_devices_are_another_cache_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path))
    bench = _Bench("async", monkeypatch)
    bench.models()
    bench.point.key = lambda: "another point"
    bench.models()
    assert bench.measured == 4
    assert len(list((tmp_path / "measured" / "engine").glob("*.json"))) == 2


# --- compilers ---


@pytest.fixture
def fresh_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache of kernels, and none loaded."""
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "cache"))
    library.kernel.cache_clear()
    yield tmp_path
    library.kernel.cache_clear()


def _script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_no_compiler_names_the_fix() -> None:
    for environ, named in (
        ({"PATH": "/nowhere"}, "none was found"),
        ({"PATH": "/nowhere", "CXX": "my-c++"}, "my-c++ was found"),
        ({"PATH": os.environ["PATH"], "CXX": "no-such-compiler"}, "no-such-compiler was found"),
    ):
        with pytest.raises(EnvironmentMissing, match="apt-get install g") as error:
            library.find_compiler(environ)
        assert "--engine ngspice" in str(error.value)
        assert named in str(error.value)


def test_the_named_compiler_is_taken(tmp_path: Path) -> None:
    path = _script(tmp_path / "my-c++", "exit 0")
    assert library.find_compiler({"PATH": str(tmp_path), "CXX": "my-c++"}) == str(path)
    assert library.find_compiler({"CXX": str(path)}) == str(path)


def test_a_compiler_that_fails(fresh_kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _script(fresh_kernel / "broken", "echo 'kernel.cpp:1: too old for this' >&2\nexit 1")
    monkeypatch.setenv("CXX", str(path))
    with pytest.raises(EnvironmentMissing, match=r"too old for this.*set CXX"):
        library.kernel()
    assert not list((fresh_kernel / "cache" / "kernels").iterdir())


def test_two_processes_build_at_once(fresh_kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow compiler that copies a finished kernel: both end with it, one file is left."""
    monkeypatch.setenv("CODESIGN_CACHE", "")
    need_compiler()
    built = library.kernel()._name
    slow = _script(
        fresh_kernel / "slow",
        f"""case "$*" in *--version*) echo 1; exit 0;; esac
while [ "$1" != -o ]; do shift; done
echo built >> '{fresh_kernel}/log'
head -c 1000 '{built}' > "$2"; sleep 0.5; cat '{built}' > "$2"
""",
    )
    code = "from codesign.engine.native.library import kernel; print(kernel().codesign_run.restype)"
    environ = {**os.environ, "CXX": str(slow), "CODESIGN_CACHE": str(fresh_kernel / "cache")}
    processes = [
        subprocess.Popen([sys.executable, "-c", code], env=environ, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in processes:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert output.strip() == b"None"
    assert len((fresh_kernel / "log").read_text().split()) == 2
    assert len(list((fresh_kernel / "cache" / "kernels").iterdir())) == 1


# --- choosing ---


def _choose(wanted: Any, circuit: Library, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, str]:
    """choose_engines for a design whose netlist is ``circuit``."""
    hardware = small("async").hardware
    monkeypatch.setattr(batched, "read_network", lambda *_: circuit)
    exported = Exported(Path("nowhere"), small("async").shape, hardware, {})
    pdk = SimpleNamespace(nmos="n", pmos="p")
    said: list[str] = []
    point: Any = SimpleNamespace(pdk=pdk, hardware=hardware, key=lambda: "a point")
    points = {"typical": point}
    return choose_engines(wanted, 1000, exported, points, said.append), " ".join(said)


def test_without_a_compiler_auto_falls_back(
    fresh_kernel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    circuit = small("async").library
    engine, said = _choose("auto", circuit, monkeypatch)
    assert engine is None
    assert said.startswith("engine: ngspice")
    assert "no-such-compiler" in said
    with pytest.raises(EnvironmentMissing, match="no-such-compiler"):
        _choose("batched", circuit, monkeypatch)
    assert not (fresh_kernel / "cache").exists()


def test_a_loop_is_refused_and_auto_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    need_compiler()
    circuit = small("async").library
    top = circuit.subcircuits[circuit.top]
    nodes = [f"ring_{k}" for k in range(9)]
    sizes = (1e-6, 1e-5)
    ring = tuple(
        device
        for k, node in enumerate(nodes)
        for device in (
            Mosfet(f"mload_{k}", node, node, "vdd_ff", "vdd_ff", "p", *sizes),
            Mosfet(f"mpull_{k}", node, nodes[k - 1], "vss", "vss", "n", *sizes),
        )
    )
    looped = replace(top, groups=(*top.groups, Group("a ring", ring)))
    circuit = Library(circuit.top, {**circuit.subcircuits, circuit.top: looped})
    engine, said = _choose("auto", circuit, monkeypatch)
    assert engine is None
    assert "9 nodes depend on one another in a loop (among them ring_0, ring_1, ring_2)" in said
    with pytest.raises(Unsupported, match="loops of up to 8"):
        _choose("batched", circuit, monkeypatch)


def test_a_circuit_it_knows_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_compiler()
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path))
    bench = _Bench("async", monkeypatch)
    engines, said = _choose("auto", bench.circuit.library, monkeypatch)
    engine = engines["typical"]
    assert isinstance(engine, BatchedEngine)
    assert "measuring devices" in said
    result = engine.run(random_inputs(1), np.zeros(1, np.int64), threads=1)
    assert result.status == ("ok",)
