"""MNIST as a sequence: sMNIST shows an image pixel after pixel, pMNIST in a fixed random order.

Protocol of Le, Jaitly and Hinton (arXiv:1504.00941): 784 frames of one pixel, ten classes, the
decision after the last one; the permuted task uses one order for all images. The last twelfth of
the training file (5000 of 60000 images) is the validation split; the test file is the test split.
Pixel values 0..255 become input_floor_units..input_scale_units.
"""

from math import isqrt
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.errors import InputError
from codesign.sequence_sections import MNIST_SIDE, MnistTask
from codesign.tasks.base import Split, TaskData
from codesign.tasks.idx import Bytes, find_idx, read_idx

_VALIDATION = 12  # one image in so many of the training file
_BRIGHTEST = 255.0


def load_mnist_task(task: MnistTask, folder: Path) -> TaskData:
    """Splits of the four idx files (plain or .gz) in ``folder``, or in its ``MNIST/raw``.

    Inputs are [N, 784 / pixels_per_frame, pixels_per_frame] in units. Nothing is random but the
    permuted order, which ``task.permutation_seed`` gives.

    Raises InputError when a file is missing, damaged, of another shape, or when images and
    labels differ in number.
    """
    raw = folder / "MNIST" / "raw"  # where torchvision puts them
    folder = raw if raw.is_dir() else folder
    images, labels = _pair(folder, "train")
    first = len(images) - len(images) // _VALIDATION
    if first == len(images):
        raise InputError(
            f"{folder} has {len(images)} training images; the validation split takes one in "
            f"{_VALIDATION}, so at least {_VALIDATION} are needed."
        )
    order = pixel_order(task)
    parts = {
        "train": (images[:first], labels[:first]),
        "validation": (images[first:], labels[first:]),
        "test": _pair(folder, "t10k"),
    }
    splits = {name: _split(task, name, *part, order) for name, part in parts.items()}
    names = tuple(str(digit) for digit in task.classes)
    return TaskData(
        **splits,
        class_names=names,
        description=f"MNIST digits {', '.join(names)}, {task.pixels_per_frame} "
        f"pixel{'s' * (task.pixels_per_frame > 1)} per frame, {task.order}",
        notes={
            "source": "MNIST (LeCun, Cortes, Burges)",
            "frames": MNIST_SIDE**2 // task.pixels_per_frame,
            "pixel_order": order.tolist(),
            "brightest_pixel": _BRIGHTEST,
            "input_scale_units": task.input_scale_units,
            "input_floor_units": task.input_floor_units,
        },
    )


def pixel_order(task: MnistTask) -> NDArray[np.int64]:
    """The pixels [784] of an image read row by row, in the order in which they are shown."""
    pixels = np.arange(MNIST_SIDE**2)
    if task.order == "permuted":
        return np.random.default_rng(task.permutation_seed).permutation(pixels)
    if task.order == "patches":
        side = isqrt(task.pixels_per_frame)
        across = MNIST_SIDE // side
        grid = pixels.reshape(across, side, across, side)
        return grid.transpose(0, 2, 1, 3).reshape(-1)
    return pixels


def _pair(folder: Path, kind: str) -> tuple[Bytes, Bytes]:
    """Images [N, 784] and labels [N] of ``train`` or ``t10k``."""
    image_file = find_idx(folder, f"{kind}-images-idx3-ubyte")
    label_file = find_idx(folder, f"{kind}-labels-idx1-ubyte")
    images, labels = read_idx(image_file, 3), read_idx(label_file, 1)
    if images.shape[1:] != (MNIST_SIDE, MNIST_SIDE):
        raise InputError(
            f"{image_file} holds images of {images.shape[1]} x {images.shape[2]} pixels, but 28 x "
            "28 are expected; give the folder of the MNIST files."
        )
    if len(images) != len(labels):
        raise InputError(
            f"{image_file} holds {len(images)} images and {label_file.name} {len(labels)} labels; "
            "the two files do not belong together."
        )
    if int(labels.max()) > 9:
        raise InputError(
            f"{label_file} holds the label {labels.max()}, but digits are 0 to 9; give the folder "
            "of the MNIST files."
        )
    return images.reshape(len(images), -1), labels


def _split(
    task: MnistTask, name: str, images: Bytes, labels: Bytes, order: NDArray[np.int64]
) -> Split:
    chosen = np.flatnonzero(np.isin(labels, task.classes))
    if name == "train" and task.train_clips:
        chosen = chosen[: task.train_clips]
    present = set(labels[chosen].tolist())
    if missing := [digit for digit in task.classes if digit not in present]:
        raise InputError(f"The {name} split has no image of the digit {missing[0]}.")
    label_of = np.zeros(10, np.int64)
    label_of[list(task.classes)] = np.arange(len(task.classes))
    scale = np.float32((task.input_scale_units - task.input_floor_units) / _BRIGHTEST)
    units = images[chosen][:, order].astype(np.float32)
    units *= scale
    units += np.float32(task.input_floor_units)
    return Split(
        inputs=torch.from_numpy(units.reshape(len(chosen), -1, task.pixels_per_frame)),
        labels=torch.from_numpy(label_of[labels[chosen]]),
        ids=tuple(f"mnist-{name}-{index:05d}" for index in chosen),
    )
