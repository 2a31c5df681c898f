"""The speech synthesiser eSpeak NG: text, voice, rate and pitch in, samples out.

The library comes with the package ``espeakng-loader`` (the extra ``codesign[voices]``) and is
called through its C interface (speak_lib.h of eSpeak NG, GPL-3.0-or-later). It keeps state from
word to word, so the same samples come from the same words in the same order in a fresh process.
"""

import ctypes
import importlib
import importlib.metadata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.errors import EnvironmentMissing, InputError

# Timbres that come with the library and sound like a person. Left out are its robots and whispers,
# and those whose breath differs from call to call, which would give other samples every time.
TIMBRES = (
    "Alex", "Andrea", "Andy", "Annie", "Denis", "Diogo", "Gene", "Henrique", "Hugo", "Jacky",
    "Lee", "Marco", "Mario", "Michael", "Mike", "Nguyen", "Reed", "Storm", "adam", "anika",
    "announcer", "antonio", "aunty", "belinda", "benjamin", "boris", "caleb", "david", "ed",
    "edward", "f1", "f4", "grandma", "grandpa", "gustave", "ian", "iven", "john", "kaukovalta",
    "klatt", "linda", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "marcelo", "max",
    "michel", "miguel", "norbert", "pablo", "paul", "pedro", "quincy", "rob", "robert",
    "shelby", "steph", "travis", "zac",
)  # fmt: skip
ACCENTS = ("en-us", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029")

_SYNCHRONOUS, _UTF8, _RATE, _PITCH, _OK = 2, 1, 1, 3, 0
_NO_EXIT = 0x8000  # a library must not end the program when its data are missing
_FIX = "install them with: pip install 'codesign[voices]'"


@dataclass(frozen=True)
class Utterance:
    """One text spoken once. pitch: 0 to 100, 50 the timbre's own; rate: words per minute."""

    text: str
    timbre: str
    accent: str
    rate_wpm: int
    pitch: int


def require_voices() -> str:
    """The version of the installed package.

    Raises EnvironmentMissing, with the fix, when it is absent.
    """
    _package()
    return importlib.metadata.version("espeakng-loader")


def say_all(utterances: list[Utterance]) -> tuple[int, list[NDArray[np.int16]]]:
    """(sample rate in Hz, the samples of each utterance [n]).

    Raises EnvironmentMissing when the library is absent or does not start, and InputError for a
    voice it does not know.
    """
    library = _library()
    return library.rate_hz, [library.say(one) for one in utterances]


def _package() -> Any:
    try:
        return importlib.import_module("espeakng_loader")
    except ImportError as error:
        raise EnvironmentMissing(
            f"Synthesised words need the voices of eSpeak NG, which are not installed; {_FIX}"
        ) from error


@cache
def _library() -> "_Library":
    return _Library()


class _Library:
    """The loaded library; one per process."""

    def __init__(self) -> None:
        package = _package()
        try:
            self._speak = ctypes.CDLL(package.get_library_path())
        except OSError as error:
            raise EnvironmentMissing(
                f"The voices of eSpeak NG cannot be loaded ({error}); {_FIX}"
            ) from error
        data = str(Path(package.get_data_path()).parent).encode()
        self._speak.espeak_Synth.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint,
            ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip
        self.rate_hz = int(self._speak.espeak_Initialize(_SYNCHRONOUS, 0, data, _NO_EXIT))
        if self.rate_hz <= 0:
            raise EnvironmentMissing(f"The voices of eSpeak NG do not start; {_FIX}")
        self._parts: list[NDArray[np.int16]] = []
        kind = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
        )
        self._hear = kind(self._heard)  # kept: the library calls it as long as it lives
        self._speak.espeak_SetSynthCallback(self._hear)
        # Breath and flutter come from C's generator, which the library seeds with the time.
        ctypes.CDLL(None).srand(1)

    def _heard(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            self._parts.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0  # go on

    def say(self, one: Utterance) -> NDArray[np.int16]:
        name = f"{one.accent}+{one.timbre}"
        if self._speak.espeak_SetVoiceByName(name.encode()) != _OK:
            raise InputError(f"eSpeak NG has no voice '{name}'; upgrade it: {_FIX}")
        self._speak.espeak_SetParameter(_RATE, one.rate_wpm, 0)
        self._speak.espeak_SetParameter(_PITCH, one.pitch, 0)
        self._parts.clear()
        text = one.text.encode()
        self._speak.espeak_Synth(text, len(text) + 1, 0, 1, 0, _UTF8, None, None)
        self._speak.espeak_Synchronize()
        if not self._parts:
            return np.zeros(0, np.int16)
        return np.concatenate(self._parts)
