"""Every rule of a clip, decided by transistors in either engine as by the software twin."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codesign.checkpoint import load_model, save_model
from codesign.circuit.export import export_design
from codesign.errors import InputError
from codesign.rules import EVERY_FRAME, parse_rule
from codesign.runs import Run
from codesign.tasks.base import Split
from codesign.testset import load_test_split
from codesign.use.engines import (
    Effort,
    Engine,
    folder_name,
    hear_transistors,
    hear_twin,
    read_heard,
)
from tests.trained import FRAMES, made_up_run

RULES = ("last_frame", "mean_logit", "last_k:2", "majority", "latch:0.3", "latch:3")
NEAR_TIE_UNITS = 0.1


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Decides by a latch, so that all tables of the simulation are made under that rule."""
    run = made_up_run(tmp_path_factory.mktemp("run") / "small", clips=6)
    save_model(run, replace(load_model(run), decision=parse_rule("latch:0.3")))
    export_design(run)
    return run


@pytest.mark.ngspice
@pytest.mark.parametrize("engine", ["ngspice", "batched"])
def test_transistors_decide_as_the_twin_under_every_rule(run: Run, engine: Engine) -> None:
    model, clips = load_model(run), load_test_split(run)
    heard = hear_transistors(run, model, clips, engine, f"all-{engine}", Effort(jobs=1))
    assert heard.ok.all()
    assert heard.logits.shape == (6, FRAMES, model.classes)
    clear = 0
    for text in RULES:
        judged = replace(model, decision=parse_rule(text))
        twin = hear_twin(judged, clips)
        chip = read_heard(run, judged, clips, f"all-{engine}")
        same_states = ((chip.states > 0.5) == (twin.states > 0.5)).all(axis=(1, 2, 3))
        kept = same_states & (twin.margins.max(axis=1) > NEAR_TIE_UNITS)
        np.testing.assert_array_equal(chip.decision[kept], twin.decision[kept], err_msg=text)
        np.testing.assert_allclose(chip.margins[kept], twin.margins[kept], atol=NEAR_TIE_UNITS)
        clear += int(kept.sum())
    assert clear >= 0.7 * 6 * len(RULES)


@pytest.mark.ngspice
def test_other_clips_leave_the_run_as_it_is_and_are_continued(run: Run) -> None:
    model, own = load_model(run), load_test_split(run)
    clips = Split(own.inputs[:2] * 0.9, own.labels[:2], own.ids[:2])
    name = folder_name("evaluate", clips)
    assert name == folder_name("evaluate", clips)

    def folders() -> set[str]:
        return {path.name for path in (run.path / "sim").iterdir() if path.is_dir()}

    before = folders()
    first = hear_transistors(run, model, clips, "ngspice", name, Effort(jobs=1))
    assert folders() == before | {name}
    seen: list[int] = []
    again = hear_transistors(
        run, model, clips, "ngspice", name, Effort(jobs=1),
        progress=lambda done, total, failed, retried=0, kept=0: seen.append(kept),
    )  # fmt: skip
    assert max(seen) == len(clips), "nothing was simulated twice"
    np.testing.assert_array_equal(first.logits, again.logits)


def test_what_is_not_a_clip_of_the_run_is_refused(tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "small")
    model, clips = load_model(run), load_test_split(run)
    with pytest.raises(InputError, match="decides in every frame"):
        hear_twin(replace(model, decision=EVERY_FRAME), clips)
    wide = replace(clips, inputs=clips.inputs.repeat(1, 1, 2))
    with pytest.raises(InputError, match=r"input lines and the network"):
        hear_twin(model, wide)
