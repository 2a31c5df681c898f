"""Samples of another plan are put aside and taken back, never lost to an option."""

import json
from pathlib import Path

import pytest

from codesign.errors import InputError
from codesign.runs import Run
from codesign.simulation.aside import aside_path
from codesign.simulation.aside import take_folder as take
from codesign.simulation.plan import existing_digest


def take_folder(folder: Path, digest: str, fresh: bool = False) -> Path | None:
    found = existing_digest(Run(folder.parent.parent), folder.name)
    return take(folder, digest, found, fresh)


def _fill(folder: Path, digest: str, sample: str = "sample-00000") -> None:
    (folder / "shards").mkdir(parents=True, exist_ok=True)
    (folder / "plan.json").write_text(json.dumps({"digest": digest}), encoding="utf-8")
    (folder / "shards" / f"{sample}.parquet").write_text(digest, encoding="utf-8")


def _kept(folder: Path) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted((folder / "shards").iterdir())]


def test_two_plans_of_one_name_keep_their_samples(tmp_path: Path) -> None:
    folder = tmp_path / "sim" / "mc"
    assert take_folder(folder, "a" * 64) is None
    _fill(folder, "a" * 64)
    moved = take_folder(folder, "b" * 64)
    assert moved == aside_path(folder, "a" * 64)
    assert list(folder.iterdir()) == []
    _fill(folder, "b" * 64)
    assert take_folder(folder, "a" * 64) == aside_path(folder, "b" * 64)
    assert _kept(folder) == ["a" * 64]
    assert not moved.exists()
    # The plan that is there already stays as it is.
    assert take_folder(folder, "a" * 64) is None
    assert _kept(folder) == ["a" * 64]


def test_fresh_discards_the_plan_asked_for_and_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "sim" / "mc"
    _fill(folder, "a" * 64)
    take_folder(folder, "b" * 64)
    _fill(folder, "b" * 64)
    assert take_folder(folder, "b" * 64, fresh=True) is None
    assert list(folder.iterdir()) == []
    assert _kept(aside_path(folder, "a" * 64)) == ["a" * 64]
    assert take_folder(folder, "a" * 64, fresh=True) is None
    assert list(folder.iterdir()) == []
    assert not aside_path(folder, "a" * 64).exists()


def test_a_run_that_ended_between_the_two_moves_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "sim" / "mc"
    _fill(aside_path(folder, "a" * 64), "a" * 64)
    assert take_folder(folder, "a" * 64) is None
    assert _kept(folder) == ["a" * 64]


@pytest.mark.parametrize("name", ["nominal", "mc"])
def test_what_seconds_make_again_is_not_kept(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "sim" / name
    _fill(folder, "a" * 64)
    if name == "mc":  # of the batched engine, whose samples are in groups
        (folder / "shards" / "sample-00000.parquet").unlink()
    assert take_folder(folder, "b" * 64) is None
    assert not (tmp_path / "sim" / "aside").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "sim").write_text("a file", encoding="utf-8")
    with pytest.raises(InputError, match="sim"):
        take_folder(tmp_path / "sim" / "mc", "a" * 64)
