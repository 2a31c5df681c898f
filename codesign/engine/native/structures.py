"""The kernel's structures, field by field as in its source."""

import ctypes
from collections.abc import Callable
from typing import Any

from codesign.engine.noise import POLES

POINTER = ctypes.c_void_p


class Model(ctypes.Structure):
    """One polarity, as in solver.h."""

    _fields_ = [(name, POINTER) for name in ("drain", "gate", "ratio", "diode", "window")] + [
        ("warp_scale", ctypes.c_float)
    ]


class Problem(ctypes.Structure):
    """The circuit, as in solver.h."""

    _fields_ = [
        ("model", Model * 2),
        *((name, POINTER) for name in (
            "switches", "charge", "leak", "coupling", "reference", "program", "probes", "start_v",
            "held", "watched", "watch", "driven",
        )),
        ("fixed_groups", ctypes.c_int), ("slot_supply", POINTER),
        *((name, ctypes.c_int) for name in (
            "nodes", "devices", "bases", "words", "operations", "diodes", "readouts", "inputs",
            "supplies", "slots", "held_count", "watched_count", "driven_count",
        )),
        *((name, ctypes.c_float) for name in (
            "vdd", "inverse_thermal", "readout_v", "tolerance_v", "watch_limit_v",
            "idle_v", "small_na", "long_us", "surprise_v",
        )),
        ("iterations", ctypes.c_int), ("depth", ctypes.c_int),
    ]  # fmt: skip


class NoiseModel(ctypes.Structure):
    """As in noise.h."""

    _fields_ = [
        ("white", POINTER), ("flicker", POINTER), ("inversion", POINTER),
        ("pole", ctypes.c_float * (2 * POLES)), ("weight", ctypes.c_float * (2 * POLES)),
        ("tick_us", ctypes.c_float), ("saturation", ctypes.c_float * 2),
    ]  # fmt: skip


class Run(ctypes.Structure):
    """One call, as in worker.h."""

    _fields_ = [
        ("shift", POINTER), ("gain", POINTER), ("inputs", POINTER), ("clip", POINTER),
        ("steps", POINTER * 2), ("step_count", ctypes.c_int * 2),
        ("sample_step", ctypes.c_int * 2),
        *((name, ctypes.c_int) for name in ("frames", "groups", "threads", "waves")),
        *((name, POINTER) for name in ("probes", "energy", "flags", "wave", "count")),
        ("probe_count", ctypes.c_int), ("noise_seed", POINTER), ("noise", POINTER),
    ]  # fmt: skip


def translate(structure: Any, there: Callable[[int], int]) -> None:
    """Replace every pointer in a ctypes structure, and in the structures in it."""
    for name, kind in structure._fields_:
        value = getattr(structure, name)
        if kind is ctypes.c_void_p:
            if value:
                setattr(structure, name, there(value))
        elif isinstance(value, ctypes.Structure):
            translate(value, there)
        elif isinstance(value, ctypes.Array):
            for k, part in enumerate(value):
                if isinstance(part, ctypes.Structure):
                    translate(part, there)
                elif part and value._type_ is ctypes.c_void_p:
                    value[k] = there(part)
