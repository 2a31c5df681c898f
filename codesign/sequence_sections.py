"""What a flow can say about the sequence tasks: memory probes, MNIST by pixels, ListOps, text."""

from math import isqrt
from typing import Annotated, Literal

from pydantic import Field, model_validator

from codesign.section import Section

MNIST_SIDE = 28


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
    distractor_rate: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="share of the frames without a cue that show a symbol; 0: silence",
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


class MnistTask(Section):
    """Handwritten digits of MNIST as sequences of pixels: sMNIST, and permuted pMNIST."""

    name: Literal["mnist"] = "mnist"
    pixels_per_frame: int = Field(
        default=1, ge=1, le=392, description="a divisor of 784; 1: a pixel a frame, 28: a row"
    )
    order: Literal["rows", "patches", "permuted"] = Field(
        default="rows",
        description="pixels row after row, square patch after patch, or in one fixed random order",
    )
    permutation_seed: int = Field(
        default=0, ge=0, lt=2**31, description="which random order; the same for all clips"
    )
    classes: tuple[Annotated[int, Field(ge=0, le=9)], ...] = Field(
        default=(0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
        min_length=2,
        description="which digits, in logit order",
    )
    train_clips: int = Field(
        default=0, ge=0, le=55_000, description="the first so many training images; 0: all 55000"
    )
    input_scale_units: float = Field(
        default=1.0, gt=0, le=4, description="current of the brightest pixel"
    )
    input_floor_units: float = Field(
        default=0.1, ge=0, lt=1, description="current of a dark pixel: an empty line is slow"
    )

    @model_validator(mode="after")
    def _shapes(self) -> "MnistTask":
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("names a digit twice; list each digit once")
        pixels, side = self.pixels_per_frame, isqrt(self.pixels_per_frame)
        if MNIST_SIDE**2 % pixels:
            raise ValueError(f"pixels_per_frame = {pixels} does not divide 784")
        if self.order == "patches" and (side**2 != pixels or MNIST_SIDE % side):
            raise ValueError(
                f"pixels_per_frame = {pixels} is no square patch that tiles 28 x 28; take 1, 4, "
                "16, 49 or 196"
            )
        return self


class ListOpsTask(Section):
    """ListOps: the value of a nested expression of MIN, MAX, MED and sum modulo 10, ten classes.

    Grammar of Nangia and Bowman (arXiv:1804.06028); the defaults are the lengths and sizes of the
    Long Range Arena (Tay et al., arXiv:2011.04006).
    """

    name: Literal["listops"] = "listops"
    min_tokens: int = Field(default=500, ge=1, le=100_000, description="shortest expression")
    max_tokens: int = Field(default=2000, ge=1, le=100_000, description="longest expression")
    max_depth: int = Field(default=10, ge=1, le=20, description="nesting, digits included")
    max_args: int = Field(default=10, ge=2, le=20, description="arguments of an operator, at most")
    train_clips: int = Field(default=96_000, ge=1, le=1_000_000)
    validation_clips: int = Field(default=2000, ge=1, le=1_000_000)
    test_clips: int = Field(default=2000, ge=1, le=1_000_000)

    @model_validator(mode="after")
    def _lengths(self) -> "ListOpsTask":
        if self.max_tokens < self.min_tokens + 3:
            raise ValueError(
                f"max_tokens = {self.max_tokens} leaves too little room above min_tokens = "
                f"{self.min_tokens}; make it at least {self.min_tokens + 3}"
            )
        largest = 1  # an operator, its end, and as many arguments as there can be
        for _ in range(self.max_depth - 1):
            largest = 2 + self.max_args * largest
        if largest < self.min_tokens:
            raise ValueError(
                f"min_tokens = {self.min_tokens} cannot be reached: max_depth = {self.max_depth} "
                f"and max_args = {self.max_args} give {largest} tokens at most"
            )
        return self


class CharactersTask(Section):
    """The next character of a text, at every frame: a text file cut into clips."""

    name: Literal["characters"] = "characters"
    file: str = Field(
        default="input.txt",
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\- ]*$",
        description="the text, UTF-8, in the folder given by --data",
    )
    frames: int = Field(default=128, ge=2, le=1_000_000, description="characters of a clip")
    hop_frames: int = Field(
        default=0, ge=0, description="from one training clip to the next; 0: no overlap"
    )
    warmup_frames: int = Field(
        default=32,
        ge=0,
        description="first characters of a validation or test clip that are read, not scored",
    )

    @model_validator(mode="after")
    def _scored(self) -> "CharactersTask":
        if self.warmup_frames >= self.frames:
            raise ValueError(
                f"warmup_frames = {self.warmup_frames} leaves nothing of frames = {self.frames} "
                "to score; make it smaller"
            )
        return self
