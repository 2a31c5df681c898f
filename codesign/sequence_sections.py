"""What a flow can say about the sequence tasks."""

from typing import Literal

from pydantic import Field, model_validator

from codesign.section import Section


class ProbeTask(Section):
    """Memory probes, generated from the seed: how long, and what, a cell can remember.

    copy_first: the symbol of the first frame, named at the last one. delayed_recall: the symbol
    that came with the cue, somewhere in the first half. flip_flop: the symbol that last came with
    the cue. counting: how many events there were, 0 to classes - 1. parity: the number of events
    modulo ``classes``.
    """

    name: Literal["probe"] = "probe"
    kind: Literal["copy_first", "delayed_recall", "flip_flop", "counting", "parity"] = "copy_first"
    frames: int = Field(default=100, ge=2, le=1_000_000, description="frames of a clip")
    test_frames: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="frames of a test clip; 0: as many as in training",
    )
    classes: int = Field(default=2, ge=2, le=64, description="symbols, counts or residues")
    event_rate: float = Field(
        default=0.1, gt=0, lt=1, description="events per frame of flip_flop and parity"
    )
    every_frame: bool = Field(
        default=False, description="a label for every frame instead of one for the clip"
    )
    train_clips: int = Field(default=2000, ge=1, le=10_000_000)
    validation_clips: int = Field(default=500, ge=1, le=10_000_000)
    test_clips: int = Field(default=1000, ge=1, le=10_000_000)
    input_scale_units: float = Field(default=1.0, gt=0, le=4, description="current of a line on")
    input_floor_units: float = Field(
        default=0.1, ge=0, lt=1, description="current of a line off: an empty line is slow"
    )

    @model_validator(mode="after")
    def _room(self) -> "ProbeTask":
        shortest = min(self.frames, self.test_frames or self.frames)
        if self.kind in ("counting", "parity") and self.classes - 1 > shortest:
            raise ValueError(
                f"needs {self.classes - 1} events in {shortest} frames; make classes at most "
                f"{shortest + 1}"
            )
        return self
