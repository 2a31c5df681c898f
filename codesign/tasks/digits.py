"""Digits by rows: the 8 x 8 images of scikit-learn, one row of eight pixels per frame.

The network sees row after row, top to bottom, and decides at the last one: what distinguishes
the digits has passed by then, so a network without memory cannot do it. Pixel values 0..16
become 0..input_scale_units. The images are real handwriting (UCI optical digits) and are part
of an installed scikit-learn, so nothing is downloaded.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from codesign.flows import DigitsTask
from codesign.tasks.base import Split, TaskData

_TRAIN, _VALIDATION = 0.6, 0.2  # the rest is the test split
_BRIGHTEST = 16.0


def load_digits_task(task: DigitsTask, seed: int) -> TaskData:
    """Splits of the chosen classes, stratified; the split depends on the seed alone.

    Inputs are [N, 8, 8] (image, row = frame, column = input line) in units.
    """
    source = load_digits()
    span = (task.input_scale_units - task.input_floor_units) / _BRIGHTEST
    images = task.input_floor_units + np.asarray(source.images, dtype=np.float32) * span
    images = images.astype(np.float32)
    digits = np.asarray(source.target, dtype=np.int64)
    parts: tuple[list[NDArray[np.int64]], ...] = ([], [], [])
    for digit in task.classes:
        # One stream per digit: adding a class does not move the images of the others.
        order = np.random.default_rng([seed, digit]).permutation(np.flatnonzero(digits == digit))
        first = round(_TRAIN * len(order))
        second = round((_TRAIN + _VALIDATION) * len(order))
        for part, chosen in zip(parts, np.split(order, [first, second]), strict=True):
            part.append(chosen)
    label_of = {digit: index for index, digit in enumerate(task.classes)}
    train, validation, test = (
        _split(images, digits, np.random.default_rng([seed, 100 + k]), part, label_of)
        for k, part in enumerate(parts)
    )
    names = tuple(str(digit) for digit in task.classes)
    return TaskData(
        train=train,
        validation=validation,
        test=test,
        class_names=names,
        description=f"handwritten digits {', '.join(names)}, one row of 8 pixels per frame",
        notes={
            "source": "scikit-learn load_digits (UCI optical recognition of handwritten digits)",
            "frames": 8,
            "brightest_pixel": _BRIGHTEST,
            "input_scale_units": task.input_scale_units,
            "input_floor_units": task.input_floor_units,
        },
    )


def _split(
    images: NDArray[np.float32],
    digits: NDArray[np.int64],
    generator: np.random.Generator,
    parts: list[NDArray[np.int64]],
    label_of: dict[int, int],
) -> Split:
    # Mixed order: the first clips that a simulation takes then cover all classes.
    index = generator.permutation(np.concatenate(parts))
    return Split(
        inputs=torch.from_numpy(np.ascontiguousarray(images[index])),
        labels=torch.tensor([label_of[int(digit)] for digit in digits[index]]),
        ids=tuple(f"digit-{digits[i]}-{i:04d}" for i in index),
    )
