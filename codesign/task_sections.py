"""What a flow can say about its task: one section per task, told apart by ``task.name``.

A new task is a section here, a line in ``Task`` and a loader under ``codesign.tasks``.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from codesign.section import Section
from codesign.sequence_sections import CharactersTask, ListOpsTask, MnistTask, ProbeTask


class DigitsTask(Section):
    """The 8 x 8 digits that ship with scikit-learn, one row of pixels per frame."""

    name: Literal["digits"] = "digits"
    classes: tuple[Annotated[int, Field(ge=0, le=9)], ...] = Field(
        default=(0, 1, 2, 3), min_length=2, description="which digits, in logit order"
    )
    input_scale_units: float = Field(
        default=1.0, gt=0, le=4, description="current of the brightest pixel"
    )
    input_floor_units: float = Field(
        default=0.1, ge=0, lt=1, description="current of a dark pixel: an empty line is slow"
    )

    @model_validator(mode="after")
    def _distinct(self) -> "DigitsTask":
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("names a digit twice; list each digit once")
        return self


class SpeechSection(Section):
    """What the tasks on a Speech Commands folder (``word/clip.wav|flac``) have in common."""

    sample_rate_hz: int = Field(default=16000, ge=4000, le=48000)
    clip_s: float = Field(default=1.0, gt=0.1, le=10, description="clips are padded or cut to this")
    n_mfcc: int = Field(default=13, ge=2, le=40)
    n_fft: int = Field(default=512, ge=64, le=4096)
    hop_s: float = Field(default=0.01, gt=0.001, le=0.1, description="frame period of the features")
    n_mels: int = Field(default=40, ge=4, le=128, description="bands of the mel filter bank")
    floor_db: float = Field(
        default=-75.0, ge=-120, le=0, description="band power below this is silence; full scale = 0"
    )
    pad: Literal["end", "front"] = Field(
        default="end",
        description="where short clips get their silence and long ones are cut; with 'front' the "
        "last frame is the end of the word",
    )
    level_db: float = Field(
        default=0.0,
        ge=-80,
        le=0,
        description="level the loud parts of every clip are brought to, as an automatic gain "
        "control does, full scale = 0; 0: as recorded",
    )
    max_input_units: float = Field(
        default=1.5, ge=1, le=4, description="largest input current; the 99th percentile is 1"
    )
    input_floor_units: float = Field(
        default=0.1, ge=0, lt=1, description="smallest input current: an empty line is slow"
    )
    augment_copies: int = Field(
        default=4,
        ge=0,
        le=64,
        description="altered copies of each training clip of the largest class, on average; the "
        "others get as many as make all classes equal, and in a class all words",
    )
    augment_shift_s: float = Field(
        default=0.1, ge=0, le=5, description="copies are moved by up to this"
    )
    augment_speed: float = Field(
        default=0.05, ge=0, le=0.5, description="and played faster or slower by up to this part"
    )
    augment_gain_db: float = Field(
        default=4.0, ge=0, le=40, description="and made louder or softer by up to this"
    )
    unknown_ratio: float = Field(
        default=1.0,
        ge=0,
        le=100,
        description="clips of '_unknown_' where it is made of the words not named, in multiples of "
        "a named word's; 0: all there are",
    )

    @model_validator(mode="after")
    def _bands(self) -> "SpeechSection":
        if self.n_mfcc > self.n_mels:
            raise ValueError(
                f"n_mfcc = {self.n_mfcc} is more than n_mels = {self.n_mels}; make it at most that"
            )
        return self


class SpeechCommandsTask(SpeechSection):
    """Keyword detection: one word against others."""

    name: Literal["speech_commands"] = "speech_commands"
    keyword: str = Field(default="yes", description="the word to detect (class 1)")
    others: tuple[str, ...] = Field(
        default=("no", "up", "down", "left", "right", "_silence_"),
        min_length=1,
        description="what stands for 'not the keyword' (class 0): words, '_silence_', '_unknown_'",
    )

    @model_validator(mode="after")
    def _distinct(self) -> "SpeechCommandsTask":
        words = (self.keyword, *self.others)
        if len(set(words)) != len(words):
            raise ValueError("names a word twice in keyword and others; list each word once")
        return self


class KeywordsTask(SpeechSection):
    """Several keywords, each a class of its own."""

    name: Literal["keywords"] = "keywords"
    words: tuple[str, ...] = Field(
        default=("yes", "no", "_silence_", "_unknown_"),
        min_length=2,
        description="the classes in logit order: words, '_silence_', '_unknown_'",
    )

    @model_validator(mode="after")
    def _distinct(self) -> "KeywordsTask":
        if len(set(self.words)) != len(self.words):
            raise ValueError("names a word twice in words; list each word once")
        return self


class SpokenDigitsTask(SpeechSection):
    """Ten spoken digits, on a folder of ``{digit}_{speaker}_{index}.wav`` (FSDD)."""

    name: Literal["spoken_digits"] = "spoken_digits"
    classes: tuple[Annotated[int, Field(ge=0, le=9)], ...] = Field(
        default=tuple(range(10)), min_length=2, description="which digits, in logit order"
    )
    split: Literal["speaker", "official"] = Field(
        default="speaker",
        description="speaker: validation and test on voices never trained on; official: test on "
        "recordings 0-4 and validation on 5-9 of every voice",
    )
    test_speakers: tuple[str, ...] = Field(
        default=("theo",), min_length=1, description="voices of the test split 'speaker'"
    )
    validation_speakers: tuple[str, ...] = Field(
        default=("lucas",), min_length=1, description="voices of its validation split"
    )
    sample_rate_hz: int = Field(default=8000, ge=4000, le=48000)
    n_fft: int = Field(default=256, ge=64, le=4096)
    pad: Literal["end", "front"] = Field(
        default="front", description="the last frame is the end of the word"
    )

    @model_validator(mode="after")
    def _apart(self) -> "SpokenDigitsTask":
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("names a digit twice in classes; list each digit once")
        if both := sorted(set(self.test_speakers) & set(self.validation_speakers)):
            raise ValueError(
                f"names {both[0]} in test_speakers and in validation_speakers; choose another voice"
            )
        return self


Task = Annotated[
    DigitsTask
    | SpeechCommandsTask
    | KeywordsTask
    | SpokenDigitsTask
    | ProbeTask
    | MnistTask
    | ListOpsTask
    | CharactersTask,
    Field(discriminator="name"),
]
