"""Run folders and the files in them: whole or not at all."""

import json
import os
import time
from pathlib import Path

import pytest

from codesign.errors import InputError
from codesign.files import atomic_path, read_json, write_json, write_text
from codesign.flows import Flow
from codesign.runs import create_run, open_run


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_write_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    write_text(path, "first, and longer\n")
    write_text(path, "second\n")
    assert path.read_text() == "second\n"
    assert _names(path.parent) == ["file.txt"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_an_interrupted_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "old\n")

    def interrupted() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old\n"
    assert _names(tmp_path) == ["file.txt"]


def test_nan_is_never_written_as_json(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"loss": float("nan")})
    assert not path.exists()


def test_a_place_that_cannot_be_written_is_an_input_error(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(InputError, match=r"Cannot write .*/file/run/x\.txt: Not a directory"):
        write_text(blocker / "run" / "x.txt", "text")


def test_json_that_is_missing_or_cut_short_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Cannot read .*none\.json \(metrics\)"):
        read_json(tmp_path / "none.json", "metrics")
    cut = tmp_path / "cut.json"
    cut.write_text(json.dumps({"splits": [1, 2, 3]})[:-3])
    with pytest.raises(InputError, match=r"cut\.json \(metrics\) is not valid JSON.*truncated"):
        read_json(cut, "metrics")
    cut.write_bytes(b"\x80\x04pickle")
    with pytest.raises(InputError, match="not valid JSON"):
        read_json(cut, "metrics")


def test_a_new_run_holds_its_flow_and_where_it_was_made(tmp_path: Path) -> None:
    flow = Flow(name="mine", seed=7)
    run = create_run(tmp_path / "runs" / "a", flow)
    assert run.flow() == flow
    provenance = read_json(run.provenance_file, "provenance")
    assert provenance["seed"] == 7
    assert provenance["packages"]["torch"]
    assert set(provenance) >= {"codesign", "python", "platform", "time_utc", "git"}
    assert open_run(run.path) == run


def test_a_run_may_be_made_again_in_its_own_folder(tmp_path: Path) -> None:
    create_run(tmp_path / "a", Flow(seed=1))
    assert create_run(tmp_path / "a", Flow(seed=2)).flow().seed == 2


def test_an_empty_folder_may_become_a_run(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert create_run(tmp_path / "a", Flow()).flow_file.is_file()


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"not empty and holds no flow\.toml"):
        create_run(tmp_path, Flow())
    assert _names(tmp_path) == ["thesis.tex"]


@pytest.mark.parametrize("place", ["file", "file/run"])
def test_a_run_folder_that_cannot_be_made_leaves_nothing(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        create_run(tmp_path / place, Flow())
    assert _names(tmp_path) == ["file"]


def test_without_a_name_the_newest_run_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no run under \./runs.*codesign train"):
        open_run(None)
    old = create_run(Path("runs/z-old"), Flow())
    new = create_run(Path("runs/a-new"), Flow())
    an_hour_ago = time.time() - 3600
    os.utime(old.flow_file, (an_hour_ago, an_hour_ago))
    assert open_run(None) == new


def test_a_folder_that_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is not a run folder \(it has no flow\.toml\)"):
        open_run(tmp_path)
