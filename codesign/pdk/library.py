"""Reading a SPICE model library just far enough to know what it offers.

ngspice resolves ``.lib 'file' section`` and ``.include 'file'`` relative to the file they stand
in, and a ``.model`` inside a ``.subckt`` cannot be reached by a transistor outside it. So that a
missing corner or an unreachable model is a message and not a puzzle in a simulator's log, the
same rules are followed here, for the few lines that matter.

A model that does stand inside a subcircuit can be lifted out of it (``codesign.pdk.lift``); the
text of its cards and of the parameters they refer to is read here too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# A card and, apart, its continuation lines with the comments and blank lines between them.
_CARD = re.compile(
    rb"^[ \t]*\.(lib|endl|include|inc|model|subckt|ends|param)\b([^\r\n]*)"
    rb"((?:\r?\n[ \t]*(?=[+*\r\n])[^\r\n]*)*)",
    re.MULTILINE | re.IGNORECASE,
)
# A value reaches to the next assignment: expressions may have blanks in them.
_ASSIGNMENT = re.compile(
    r"(?<![^\s(])([A-Za-z_][\w.]*)\s*=\s*(\S.*?)(?=\s+[A-Za-z_][\w.]*\s*=(?!=)|\s*$)"
)
_WORDS = re.compile(r"'[^']*'|\"[^\"]*\"|[^\s'\"]+")


@dataclass(frozen=True)
class Section:
    """What one library section makes available.

    ``models`` and ``wrapped`` are lower-case names without the bin number: those a transistor can
    name, and those inside a subcircuit, with the subcircuit's name.
    """

    files: tuple[Path, ...]
    models: frozenset[str]
    missing: tuple[Path, ...]
    wrapped: Mapping[str, str] = field(default_factory=dict)
    cards: tuple["ModelCard", ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelCard:
    """One ``.model`` card: its name with the bin number, its type, and its settings as text."""

    name: str
    kind: str
    settings: tuple[tuple[str, str], ...]


@dataclass
class _Reader:
    """Accumulates while following references; each file is parsed once."""

    wanted: frozenset[str] = frozenset()
    cards: dict[Path, list[tuple[str, list[str], bytes]]] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    models: set[str] = field(default_factory=set)
    wrapped: dict[str, str] = field(default_factory=dict)
    lifted: list[ModelCard] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)
    missing: list[Path] = field(default_factory=list)
    visited: set[tuple[Path, str]] = field(default_factory=set)

    def parse(self, path: Path) -> list[tuple[str, list[str], bytes]]:
        if path not in self.cards:
            content = path.read_bytes()
            self.cards[path] = [
                (
                    match[1].decode("ascii").lower(),
                    [
                        word.strip("'\"")
                        for word in _WORDS.findall(match[2].decode("utf-8", "replace"))
                    ],
                    match[2] + match[3],
                )
                for match in _CARD.finditer(content)
            ]
        return self.cards[path]

    def follow(self, path: Path, section: str | None) -> bool:
        """Read ``section`` of a library (or, with None, a plain include); False if not there."""
        key = (path, (section or "").lower())
        if key in self.visited:
            return True
        if not path.is_file():
            self.missing.append(path)
            return False
        self.visited.add(key)
        if path not in self.files:
            self.files.append(path)
        inside = section is None
        found = inside
        around: list[str] = []
        for card, words, body in self.parse(path):
            if card == "lib" and len(words) == 1:
                if section is not None and words[0].lower() == section.lower():
                    inside = found = True
                else:
                    inside = False
            elif card == "endl":
                inside = section is None
            elif not inside:
                continue
            elif card == "subckt":
                around.append(words[0].lower() if words else "")
            elif card == "ends":
                del around[-1:]
            elif card == "lib" and len(words) >= 2:
                self.follow(path.parent / words[0], words[1])
            elif card in ("include", "inc") and words:
                self.follow(path.parent / words[0], None)
            elif card == "model" and words:
                self.model(words[0].lower(), around, body)
            elif card == "param" and not around and self.wanted:
                self.parameters.update(_assignments(body))
        return found

    def model(self, name: str, around: list[str], body: bytes) -> None:
        base = re.sub(r"\.\d+$", "", name)
        if not around:
            self.models.add(base)
            return
        self.wrapped.setdefault(base, around[-1])
        if base in self.wanted:
            first = _WORDS.findall(body.split(b"\n", 1)[0].decode("utf-8", "replace"))
            kind = first[1].split("(")[0].lower() if len(first) > 1 else ""
            self.lifted.append(ModelCard(name, kind, tuple(_assignments(body).items())))


def _assignments(body: bytes) -> dict[str, str]:
    """``name = value`` pairs of a card's lines, names in lower case; comments are left out."""
    lines = (line.strip() for line in body.decode("utf-8", "replace").splitlines())
    text = " ".join(
        re.split(r"\s\$|;", line.lstrip("+"))[0] for line in lines if not line.startswith("*")
    )
    return {match[1].lower(): _balanced(match[2]) for match in _ASSIGNMENT.finditer(text)}


def _balanced(value: str) -> str:
    """Without the parenthesis that closes the whole card: ``.model n nmos (level=54)``."""
    while value.endswith(")") and value.count(")") > value.count("("):
        value = value[:-1]
    return value


def read_section(
    library: Path, section: str, wanted: frozenset[str] = frozenset()
) -> Section | None:
    """What ``.lib 'library' section`` would load; None when the library has no such section.

    ``missing`` are files the section refers to that do not exist. The cards of the ``wanted``
    models inside subcircuits, and all parameters outside of them, are read when named.
    """
    reader = _Reader(frozenset(name.lower() for name in wanted))
    if not reader.follow(library, section):
        return None
    return Section(
        tuple(reader.files), frozenset(reader.models), tuple(reader.missing), reader.wrapped,
        tuple(reader.lifted), reader.parameters,
    )  # fmt: skip
