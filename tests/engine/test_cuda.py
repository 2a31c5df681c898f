"""The kernel on a GPU: that it compiles, that what is missing is said, and what it computes."""

import ctypes
import sys
import types
from typing import Any

import numpy as np
import pytest

from codesign.engine.batched import BatchedEngine
from codesign.engine.native import cuda
from codesign.engine.native.call import SCALAR_COLUMNS, Processor
from codesign.engine.native.cuda import compile_kernel, cuda_available, run_cuda
from codesign.engine.native.library import kernel
from codesign.engine.native.structures import NoiseModel, Problem, Run, translate
from codesign.engine.noise import POLES, NoiseTable
from codesign.errors import EnvironmentMissing
from tests.engine.circuits import engine_on_paper, random_draws, random_inputs, small
from tests.engine.columns import assert_alike, call_of, rms_error


@pytest.fixture(scope="module")
def engine() -> BatchedEngine:
    return engine_on_paper(small("strobed"))


@pytest.fixture
def gpu() -> None:
    """Skip, with the reason, where there is no GPU."""
    missing = cuda_available()
    if missing:
        pytest.skip(missing)


@pytest.mark.slow  # half a minute of NVRTC
def test_it_compiles_without_a_gpu() -> None:
    nvrtc = pytest.importorskip("cuda.bindings.nvrtc", reason="cuda-bindings is not installed")
    try:
        nvrtc.nvrtcVersion()
    except RuntimeError as error:
        pytest.skip(f"NVRTC cannot be loaded: {error}")
    code, log = compile_kernel("sm_80")
    assert code.startswith(b"\x7fELF")
    assert "codesign_run" in log
    assert "registers" in log
    with pytest.raises(EnvironmentMissing, match="could not build the kernel for sm_1"):
        compile_kernel("sm_1")


def test_without_a_gpu_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is not there, and a driver that does not answer."""
    monkeypatch.setattr(cuda, "_device", cuda._device.__wrapped__)

    monkeypatch.setitem(sys.modules, "cuda.bindings.driver", None)
    assert "cuda.bindings.driver is not installed" in str(cuda_available())
    assert "codesign[cuda]" in str(cuda_available())

    def silent(_: int) -> None:
        raise RuntimeError("no libcuda")

    driver = types.ModuleType("driver")
    monkeypatch.setattr(driver, "cuInit", silent, raising=False)
    monkeypatch.setitem(sys.modules, "cuda.bindings.driver", driver)
    assert "driver does not answer (no libcuda)" in str(cuda_available())


def test_every_pointer_of_a_structure_is_translated() -> None:
    problem = Problem(switches=0x10, slot_supply=0x20, vdd=1.8)
    problem.model[1].window = 0x30
    run = Run(steps=(ctypes.c_void_p * 2)(0x40, 0x50), frames=3, probes=0x60)
    for structure in (problem, run, NoiseModel(white=0x70)):
        translate(structure, lambda address: address + 1)
    assert (problem.switches, problem.slot_supply, problem.model[1].window) == (0x11, 0x21, 0x31)
    assert problem.charge is None
    assert problem.vdd == pytest.approx(1.8)
    assert list(run.steps) == [0x41, 0x51]
    assert (run.frames, run.probes, run.noise) == (3, 0x61, None)


class _Pretended:
    """The driver's calls on this machine's memory; a launch runs the thread's code one by one."""

    def __init__(self, free: int) -> None:
        self.free, self.launches = free, 0
        self.blocks: dict[int, Any] = {}

    def cuMemGetInfo(self) -> tuple[int, int, int]:  # noqa: N802
        return 0, self.free, self.free

    def cuCtxSetCurrent(self, _: object) -> tuple[int]:  # noqa: N802
        return (0,)

    def cuCtxSynchronize(self) -> tuple[int]:  # noqa: N802
        return (0,)

    def cuMemAlloc(self, size: int) -> tuple[int, int]:  # noqa: N802
        block = np.full(size + 64, 0xFF, np.uint8)
        at = block.ctypes.data + -block.ctypes.data % 64
        self.blocks[at] = block
        return 0, at

    def cuMemFree(self, at: int) -> tuple[int]:  # noqa: N802
        del self.blocks[at]
        return (0,)

    def cuMemsetD8(self, at: int, value: int, size: int) -> tuple[int]:  # noqa: N802
        ctypes.memset(at, value, size)
        return (0,)

    def cuMemcpyHtoD(self, to: int, at: int, size: int) -> tuple[int]:  # noqa: N802
        ctypes.memmove(to, at, size)
        return (0,)

    cuMemcpyDtoH = cuMemcpyHtoD  # noqa: N815

    def cuModuleGetFunction(self, _: object, name: bytes) -> tuple[int, bytes]:  # noqa: N802
        return 0, name

    def cuLaunchKernel(self, function: bytes, *rest: int) -> tuple[int]:  # noqa: N802
        values = (ctypes.c_void_p * 3).from_address(rest[8])
        if function == b"codesign_memory":
            size = ctypes.c_void_p.from_address(values[2] or 0).value
            ctypes.c_ulonglong.from_address(size or 0).value = 4096
        else:
            assert function == b"codesign_run"
            run = Run.from_address(values[1] or 0)
            assert run.shift in self.blocks
            kernel(scalar=True).codesign_run(ctypes.c_void_p(values[0]), ctypes.c_void_p(values[1]))
            self.launches += 1
        return (0,)


@pytest.mark.parametrize(("free", "launches"), [(1 << 30, 1), (0, 2)])
def test_copies_and_parts(
    engine: BatchedEngine, monkeypatch: pytest.MonkeyPatch, free: int, launches: int
) -> None:
    """All but the launch itself: what goes there and comes back, whole and in parts."""
    driver = _Pretended(free)
    monkeypatch.setattr(cuda, "_module", lambda _: driver)
    monkeypatch.setattr(cuda, "_device", lambda: cuda.Device(None, None, 1))
    call = call_of(engine, SCALAR_COLUMNS + 1, 3)
    here = (call.grids, call.inputs_na, call.clip, call.shift_v, call.gain)
    expected = engine.kernel.run(*here, 1, launcher=Processor(scalar=True))
    found = run_cuda(engine.kernel, *here)
    np.testing.assert_array_equal(found.currents, expected.currents)
    np.testing.assert_array_equal(found.supply_na, expected.supply_na)
    np.testing.assert_array_equal(found.flags, expected.flags)
    assert (found.steps, found.halved) == (expected.steps, expected.halved)
    assert driver.launches == launches
    assert not driver.blocks


@pytest.mark.parametrize("noisy", [False, True])
def test_noise_goes_there_too(
    engine: BatchedEngine, monkeypatch: pytest.MonkeyPatch, noisy: bool
) -> None:
    driver = _Pretended(1 << 30)
    monkeypatch.setattr(cuda, "_module", lambda _: driver)
    monkeypatch.setattr(cuda, "_device", lambda: cuda.Device(None, None, 1))
    call = call_of(engine, 5, 2)
    here = (call.grids, call.inputs_na, call.clip, call.shift_v, call.gain)
    devices, seeds = len(engine.instances), np.arange(5)
    pole, weight = np.full((2, POLES), 0.5), np.full((2, POLES), 1e-3)
    size = np.full(devices, 1e-6 if noisy else 0.0)
    table = NoiseTable(size, size, np.ones(devices), pole, weight, 200.0)
    expected = engine.kernel.run(*here, 1, 0, table, seeds, Processor(scalar=True))
    found = run_cuda(engine.kernel, *here, table, seeds)
    np.testing.assert_array_equal(found.currents, expected.currents)
    still = engine.kernel.run(*here, 1, launcher=Processor(scalar=True))
    assert (rms_error(still.currents, found.currents) > 1e-3) == noisy


def test_a_gpu_computes_what_the_processor_does(gpu: None, engine: BatchedEngine) -> None:
    call = call_of(engine, SCALAR_COLUMNS + 1, 3)
    here = (call.grids, call.inputs_na, call.clip, call.shift_v, call.gain)
    assert_alike(engine.kernel.run(*here, 1), run_cuda(engine.kernel, *here))


def test_a_gpu_takes_what_does_not_fit_in_parts(
    gpu: None, engine: BatchedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = call_of(engine, 3 * SCALAR_COLUMNS, 2)
    here = (call.grids, call.inputs_na, call.clip, call.shift_v, call.gain)
    whole = run_cuda(engine.kernel, *here)
    monkeypatch.setattr(cuda.Device, "samples_at_once", lambda *_: SCALAR_COLUMNS)
    parts = run_cuda(engine.kernel, *here)
    np.testing.assert_array_equal(whole.currents, parts.currents)
    np.testing.assert_array_equal(whole.supply_na, parts.supply_na)
    assert whole.steps == parts.steps


def test_an_engine_runs_on_a_gpu_or_refuses(engine: BatchedEngine) -> None:
    draws, chip = random_draws(engine, 2), np.arange(2)
    arguments = (random_inputs(2), np.zeros(2, np.int64), draws, chip)
    if cuda_available():
        with pytest.raises(EnvironmentMissing, match="asked to run on an NVIDIA GPU"):
            engine.run(*arguments, device="cuda")
    else:
        assert engine.run(*arguments, device="cuda").status == ("ok", "ok")
