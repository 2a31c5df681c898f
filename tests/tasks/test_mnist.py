"""MNIST from idx files: shapes, orders, splits, and one sentence for each way a file can be bad."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from codesign.errors import InputError
from codesign.flows import parse_flow
from codesign.sequence_sections import MnistTask
from codesign.tasks import TaskData, load_task, needs_data
from codesign.tasks.mnist import pixel_order
from tests.tasks.real import real_data

Bytes = NDArray[np.uint8]
TRAIN, TEST = 36, 10


def idx(values: Bytes) -> bytes:
    """An idx file of unsigned bytes."""
    shape = struct.pack(f">{values.ndim}I", *values.shape)
    return bytes([0, 0, 8, values.ndim]) + shape + values.tobytes()


def write_mnist(folder: Path) -> tuple[Bytes, Bytes]:
    """36 + 10 images of noise, plain files but one; the training images and labels."""
    rng = np.random.default_rng(0)
    kept = []
    for kind, count in (("train", TRAIN), ("t10k", TEST)):
        images = rng.integers(0, 256, (count, 28, 28), np.uint8)
        images[:, 0, 0], images[:, 0, 1] = 0, 255
        labels = (np.arange(count) % 10).astype(np.uint8)
        (folder / f"{kind}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"{kind}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
        kept += [images, labels]
    return kept[0], kept[1]


def _load(folder: Path, **task: object) -> TaskData:
    # The validation split of 36 images has three: the last digits of the training file.
    return load_task(MnistTask.model_validate({"classes": (3, 4, 5), **task}), folder, 0)


def test_pixels_come_in_the_order_of_rows(tmp_path: Path) -> None:
    images, labels = write_mnist(tmp_path)
    data = _load(tmp_path)
    assert needs_data(MnistTask())
    assert data.train.inputs.shape == (9, 784, 1)
    assert data.class_names == ("3", "4", "5")
    assert (data.n_inputs, len(data.validation), len(data.test)) == (1, 3, 3)
    for clip, name, label in zip(*_clips(data), strict=True):
        index = int(name.rsplit("-", 1)[1])
        expected = 0.1 + images[index].reshape(-1) * (0.9 / 255)
        np.testing.assert_allclose(clip[:, 0].numpy(), expected, rtol=1e-6)
        assert labels[index] == 3 + label
    assert float(data.train.inputs.min()) == pytest.approx(0.1)
    assert float(data.train.inputs.max()) == pytest.approx(1.0)


def _clips(data: TaskData) -> tuple[list[torch.Tensor], tuple[str, ...], list[int]]:
    return list(data.train.inputs), data.train.ids, data.train.labels.tolist()


def test_the_last_twelfth_of_the_training_file_is_validation(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    data = _load(tmp_path)
    assert data.train.ids[-1] == "mnist-train-00025"  # 33 to 35 are validation
    assert data.validation.labels.tolist() == [0, 1, 2]
    assert _load(tmp_path, train_clips=4).train.ids == data.train.ids[:4]


def test_rows_as_frames(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    by_row = _load(tmp_path, pixels_per_frame=28).train.inputs
    assert by_row.shape == (9, 28, 28)
    assert torch.equal(by_row.reshape(9, 784, 1), _load(tmp_path).train.inputs)


def test_patches_as_frames(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    patches = _load(tmp_path, pixels_per_frame=16, order="patches").train.inputs
    image = _load(tmp_path).train.inputs[0].reshape(28, 28)
    assert patches.shape == (9, 49, 16)
    for frame in (0, 1, 7, 48):
        row, column = divmod(frame, 7)
        patch = image[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        assert torch.equal(patches[0, frame], patch.reshape(-1))


def test_one_permutation_for_all_images_and_splits(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    plain, mixed = _load(tmp_path), _load(tmp_path, order="permuted")
    order = torch.tensor(mixed.notes["pixel_order"])
    assert sorted(order.tolist()) == list(range(784))
    for name, split in mixed.splits().items():
        assert torch.equal(split.inputs, plain.splits()[name].inputs[:, order])
    other = pixel_order(MnistTask(order="permuted", permutation_seed=1))
    assert (other != order.numpy()).mean() > 0.9


def test_where_torchvision_puts_them(tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    write_mnist(raw)
    assert len(_load(tmp_path).train) == 9


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def _grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def _swap_magic(path: Path) -> None:
    path.write_bytes(b"\x00\x00\x0d\x03" + path.read_bytes()[4:])


def _header_only(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9])


def _huge(path: Path) -> None:
    path.write_bytes(bytes([0, 0, 8, 3]) + b"\xff" * 12)


def _other_shape(path: Path) -> None:
    path.write_bytes(idx(np.zeros((TRAIN, 27, 28), np.uint8)))


def _fewer(path: Path) -> None:
    path.write_bytes(idx(np.zeros((TRAIN - 1, 28, 28), np.uint8)))


def _gzip_of(path: Path) -> Path:
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    return packed


def _cut_gzip(path: Path) -> None:
    _cut(_gzip_of(path))


def _no_gzip(path: Path) -> None:
    path.rename(path.with_name(f"{path.name}.gz"))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (Path.unlink, "holds neither train-images-idx3-ubyte nor"),
        (_cut, "= 28224 values and holds 28219"),
        (_grow, "= 28224 values and holds more"),
        (_swap_magic, "begins with 00000d03, but an idx file of 3 dimensions begins with 00000803"),
        (lambda path: path.write_bytes(b""), "begins with nothing"),
        (_header_only, "ends within its header"),
        (_huge, "announces 4294967295 x 4294967295 x 4294967295 values"),
        (_other_shape, "images of 27 x 28 pixels"),
        (_fewer, "holds 35 images and train-labels-idx1-ubyte.gz 36 labels"),
        (_cut_gzip, "damaged gzip file"),
        (_no_gzip, "damaged gzip file"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, damage: Callable[[Path], None], said: str) -> None:
    write_mnist(tmp_path)
    damage(tmp_path / "train-images-idx3-ubyte")
    with pytest.raises(InputError) as caught:
        _load(tmp_path)
    assert said in str(caught.value)
    assert "train-images-idx3-ubyte" in str(caught.value)


def test_a_label_that_is_no_digit_and_a_digit_that_is_missing(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    with pytest.raises(InputError, match="validation split has no image of the digit 7"):
        _load(tmp_path, classes=(3, 7))
    labels = tmp_path / "t10k-labels-idx1-ubyte.gz"
    labels.write_bytes(gzip.compress(idx(np.full(TEST, 12, np.uint8))))
    with pytest.raises(InputError, match="holds the label 12"):
        _load(tmp_path)


def test_without_a_folder_the_message_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="codesign data get mnist"):
        load_task(MnistTask(), None, 0)
    with pytest.raises(InputError, match="not a folder; give the folder of idx files"):
        load_task(MnistTask(), tmp_path / "nowhere", 0)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({"pixels_per_frame": 5}, "does not divide 784"),
        ({"pixels_per_frame": 8, "order": "patches"}, "no square patch"),
        ({"classes": [1, 1]}, "names a digit twice"),
    ],
)
def test_knobs_that_do_not_fit(task: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_flow({"task": {"name": "mnist", **task}}, "flow")


def test_the_real_files() -> None:
    data = load_task(MnistTask(pixels_per_frame=28), real_data("mnist"), 0)
    assert [len(split) for split in data.splits().values()] == [55_000, 5_000, 10_000]
    assert data.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert data.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
