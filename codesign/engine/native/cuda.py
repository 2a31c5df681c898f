"""The kernel on a GPU: compiled at run time, one thread per sample.

All that is computed is the code the processor runs (worker.h and what it includes); here are only
the compilation, the copies and the launch. Needs the ``cuda`` extra and NVIDIA's driver.
"""

import ctypes
import hashlib
import importlib
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.engine.grid import FrameGrid
from codesign.engine.native.call import SCALAR_COLUMNS, Kernel, Output
from codesign.engine.native.library import SOURCES, source_digest
from codesign.engine.native.structures import NoiseModel, Problem, Run, translate
from codesign.engine.noise import NoiseTable
from codesign.errors import EnvironmentMissing
from codesign.files import cache_dir

HEADERS = tuple(name for name in SOURCES if name.endswith(".h"))
_FOLDER = Path(__file__).parent
# Threads that a multiprocessor is offered beyond what it can hold bring nothing.
_BLOCKS_PER_PROCESSOR = 16
# Part of the free memory that is used, and samples that occupy any GPU.
_MEMORY, _MOST = 0.8, 1 << 16
_OPTIONS = (
    "--std=c++17", "--device-as-default-execution-space", "--diag-suppress=161",
    f"-DPROBLEM_BYTES={ctypes.sizeof(Problem)}", f"-DRUN_BYTES={ctypes.sizeof(Run)}",
    f"-DNOISE_BYTES={ctypes.sizeof(NoiseModel)}",
)  # fmt: skip


def cuda_available() -> str | None:
    """None where the kernel can run on a GPU, else what is missing."""
    try:
        _device()
    except EnvironmentMissing as error:
        return str(error)
    return None


def run_cuda(
    kernel: Kernel,
    grids: tuple[FrameGrid, FrameGrid],
    inputs_na: NDArray[np.float64],
    clip: NDArray[np.int64],
    shift_v: NDArray[np.float64],
    gain: NDArray[np.float64],
    noise: NoiseTable | None = None,
    noise_seed: NDArray[np.int64] | None = None,
) -> Output:
    """``Kernel.run`` on the first GPU, in as many launches as its memory asks for.

    Steps are counted per sample. Raises EnvironmentMissing without a GPU or what drives it.
    """
    device = _device()
    most = device.samples_at_once(kernel, inputs_na.shape[1])
    parts = []
    for start in range(0, len(clip), most):
        rows = slice(start, start + most)
        seeds = None if noise_seed is None else noise_seed[rows]
        parts.append(
            kernel.run(
                grids, inputs_na, clip[rows], shift_v[rows], gain[rows], 1, 0, noise, seeds, device
            )
        )
    return Output(
        currents=np.concatenate([part.currents for part in parts]),
        supply_na=np.concatenate([part.supply_na for part in parts]),
        flags=np.concatenate([part.flags for part in parts]),
        wave=None,
        steps=sum(part.steps for part in parts),
        halved=sum(part.halved for part in parts),
    )


def compile_kernel(architecture: str) -> tuple[bytes, str]:
    """Machine code for an architecture such as ``sm_80``, and the compiler's log; needs no GPU.

    Raises EnvironmentMissing without the compiler (NVRTC), or when it refuses.
    """
    nvrtc = _module("cuda.bindings.nvrtc")
    sources = [(_FOLDER / name).read_bytes() for name in ("kernel.cu", *HEADERS)]
    names = [name.encode() for name in HEADERS]
    try:
        program = _checked(
            nvrtc.nvrtcCreateProgram(sources[0], b"kernel.cu", len(names), sources[1:], names)
        )
    except RuntimeError as error:  # how the bindings say that the library is not there
        raise _missing(f"NVRTC, its compiler, could not be loaded ({error})") from None
    options = [f"--gpu-architecture={architecture}", "--ptxas-options=-v", *_OPTIONS]
    done = nvrtc.nvrtcCompileProgram(program, len(options), [text.encode() for text in options])
    buffer = bytes(_checked(nvrtc.nvrtcGetProgramLogSize(program)))  # the bindings fill it
    _checked(nvrtc.nvrtcGetProgramLog(program, buffer))
    text = buffer.rstrip(b"\0").decode(errors="replace")
    if int(done[0]):
        first = next((line for line in text.splitlines() if "error" in line), "no message")
        raise _missing(f"NVRTC could not build the kernel for {architecture} ({first})")
    code = bytes(_checked(nvrtc.nvrtcGetCUBINSize(program)))
    _checked(nvrtc.nvrtcGetCUBIN(program, code))
    _checked(nvrtc.nvrtcDestroyProgram(program))
    return code, text


def _cached_code(architecture: str) -> bytes:
    facts = [source_digest(), (_FOLDER / "kernel.cu").read_text(encoding="utf-8"), architecture]
    facts += [str(_checked(_module("cuda.bindings.nvrtc").nvrtcVersion())), *_OPTIONS]
    digest = hashlib.sha256("\0".join(facts).encode()).hexdigest()[:24]
    path = cache_dir() / "kernels" / f"codesign-{digest}.cubin"
    if not path.is_file():
        code, _ = compile_kernel(architecture)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            built = Path(folder) / path.name
            built.write_bytes(code)
            built.replace(path)
    return path.read_bytes()


@dataclass(frozen=True)
class Device:
    """The first GPU with the kernel loaded: a launcher for ``Kernel.run``."""

    context: Any
    module: Any
    processors: int
    width: int = SCALAR_COLUMNS

    def samples_at_once(self, kernel: Kernel, frames: int) -> int:
        """How many samples the free memory holds; whole groups, at least one."""
        self._enter()
        program = kernel.program
        columns = program.diodes + len(program.readouts)
        # shift and gain, currents, energies and flags.
        group = self.width * 4 * (2 * len(program.instances) + frames * columns)
        group += self.width * (8 * len(program.supplies) + 8)
        free = _checked(self._driver.cuMemGetInfo())[0]
        blocks = self.processors * _BLOCKS_PER_PROCESSOR
        left = int(free * _MEMORY) - blocks * self._working_bytes(kernel.problem, True)
        return max(1, min(left // group, _MOST // self.width)) * self.width

    def launch(self, problem: Problem, run: Run, arrays: Sequence[NDArray[Any]]) -> None:
        """As ``Launcher.launch``."""
        self._enter()
        known = {array.ctypes.data: array for array in arrays}
        held = np.zeros(problem.nodes, np.uint8)
        held[known[problem.held][: problem.held_count]] = 1
        blocks = min(run.groups, self.processors * _BLOCKS_PER_PROCESSOR)
        size = self._working_bytes(problem, bool(run.noise_seed))
        with _Memory(self._driver) as memory:
            there_problem = memory.translated(problem, known)
            there_run = memory.translated(run, known)
            if run.noise:
                model = memory.translated(NoiseModel.from_address(run.noise), known)
                there_run.noise = memory.upload(np.frombuffer(model, np.uint8))
            working = memory.zeros(blocks * size)
            values = (
                there_problem, there_run, ctypes.c_void_p(memory.upload(held)),
                ctypes.c_void_p(working), ctypes.c_ulonglong(size),
            )  # fmt: skip
            self._call("codesign_run", blocks, self.width, values)
            for name in ("probes", "energy", "flags", "count"):
                memory.download(known[getattr(run, name)], getattr(there_run, name))

    def _working_bytes(self, problem: Problem, noisy: bool) -> int:
        size = np.zeros(1, np.uint64)
        with _Memory(self._driver) as memory:
            there = memory.zeros(size.nbytes)
            values = (problem, ctypes.c_int(noisy), ctypes.c_void_p(there))
            self._call("codesign_memory", 1, 1, values)
            memory.download(size, there)
        return int(size[0])

    def _call(self, name: str, blocks: int, threads: int, values: Iterable[Any]) -> None:
        values = list(values)
        function = _checked(self._driver.cuModuleGetFunction(self.module, name.encode()))
        pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
        shape = (blocks, 1, 1, threads, 1, 1)
        _checked(self._driver.cuLaunchKernel(function, *shape, 0, 0, ctypes.addressof(pointers), 0))
        _checked(self._driver.cuCtxSynchronize())

    def _enter(self) -> None:
        _checked(self._driver.cuCtxSetCurrent(self.context))

    @property
    def _driver(self) -> Any:
        return _module("cuda.bindings.driver")


class _Memory:
    """Memory of the device, given back at the end."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self.blocks: list[Any] = []
        self.at: dict[int, int] = {}

    def __enter__(self) -> "_Memory":
        return self

    def __exit__(self, *_: object) -> None:
        for block in self.blocks:
            _checked(self.driver.cuMemFree(block))

    def zeros(self, size: int) -> int:
        """Address of so many zero bytes."""
        block = _checked(self.driver.cuMemAlloc(max(1, size)))
        self.blocks.append(block)
        _checked(self.driver.cuMemsetD8(block, 0, max(1, size)))
        return int(block)

    def upload(self, array: NDArray[Any]) -> int:
        there = self.zeros(array.nbytes)
        if array.nbytes:
            _checked(self.driver.cuMemcpyHtoD(there, array.ctypes.data, array.nbytes))
        return there

    def download(self, array: NDArray[Any], there: int) -> None:
        _checked(self.driver.cuMemcpyDtoH(array.ctypes.data, there, array.nbytes))

    def translated(self, structure: Any, known: dict[int, NDArray[Any]]) -> Any:
        """A copy of a structure whose pointers to known arrays point to copies of them there."""
        copy = type(structure).from_buffer_copy(structure)
        translate(copy, lambda address: self._there(address, known))
        return copy

    def _there(self, address: int, known: dict[int, NDArray[Any]]) -> int:
        if address not in known:
            return address  # not an array: a structure, which the caller sees to
        if address not in self.at:
            self.at[address] = self.upload(known[address])
        return self.at[address]


@cache
def _device() -> Device:
    driver = _module("cuda.bindings.driver")
    try:
        _checked(driver.cuInit(0))
        if not _checked(driver.cuDeviceGetCount()):
            raise _missing("there is none")
    except RuntimeError as error:  # how the bindings say that there is no driver
        raise _missing(f"NVIDIA's driver does not answer ({error})") from None
    handle = _checked(driver.cuDeviceGet(0))
    names = ("COMPUTE_CAPABILITY_MAJOR", "COMPUTE_CAPABILITY_MINOR", "MULTIPROCESSOR_COUNT")
    kinds = [getattr(driver.CUdevice_attribute, f"CU_DEVICE_ATTRIBUTE_{name}") for name in names]
    major, minor, processors = (
        _checked(driver.cuDeviceGetAttribute(kind, handle)) for kind in kinds
    )
    if major < 7:
        raise _missing(f"this one has compute capability {major}.{minor}, 7.0 is the least")
    code = _cached_code(f"sm_{major}{minor}")
    context = _checked(driver.cuDevicePrimaryCtxRetain(handle))
    _checked(driver.cuCtxSetCurrent(context))
    return Device(context, _checked(driver.cuModuleLoadData(code)), processors)


def _checked(answer: tuple[Any, ...]) -> Any:
    """The values of a call of the bindings. Raises RuntimeError with the library's own name of
    what went wrong."""
    status, *values = answer
    if int(status):
        raise RuntimeError(status.name)
    if not values:
        return None
    return values[0] if len(values) == 1 else tuple(values)


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise _missing(f"the Python package of {name} is not installed") from None


def _missing(what: str) -> EnvironmentMissing:
    return EnvironmentMissing(
        f"The batched engine was asked to run on an NVIDIA GPU, but {what}; install the driver and "
        "the extra (pip install 'codesign[cuda]'), or run it on the processor."
    )
