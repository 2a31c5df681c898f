"""Reading a SPICE model library just far enough to know what it offers.

ngspice resolves ``.lib 'file' section`` and ``.include 'file'`` relative to the file they stand
in, and a ``.model`` inside a ``.subckt`` cannot be reached by a transistor outside it. So that a
missing corner or an unreachable model is a message and not a puzzle in a simulator's log, the
same rules are followed here, for the few lines that matter.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

_CARD = re.compile(
    rb"^[ \t]*\.(lib|endl|include|inc|model|subckt|ends)\b([^\r\n]*)", re.MULTILINE | re.IGNORECASE
)
_WORDS = re.compile(r"'[^']*'|\"[^\"]*\"|[^\s'\"]+")


@dataclass(frozen=True)
class Section:
    """What one library section makes available."""

    files: tuple[Path, ...]
    models: frozenset[str]
    missing: tuple[Path, ...]


@dataclass
class _Reader:
    """Accumulates while following references; each file is parsed once."""

    cards: dict[Path, list[tuple[str, list[str]]]] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    models: set[str] = field(default_factory=set)
    missing: list[Path] = field(default_factory=list)
    visited: set[tuple[Path, str]] = field(default_factory=set)

    def parse(self, path: Path) -> list[tuple[str, list[str]]]:
        if path not in self.cards:
            content = path.read_bytes()
            self.cards[path] = [
                (
                    match[1].decode("ascii").lower(),
                    [
                        word.strip("'\"")
                        for word in _WORDS.findall(match[2].decode("utf-8", "replace"))
                    ],
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
        depth = 0
        for card, words in self.parse(path):
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
                depth += 1
            elif card == "ends":
                depth -= 1
            elif card == "lib" and len(words) >= 2:
                self.follow(path.parent / words[0], words[1])
            elif card in ("include", "inc") and words:
                self.follow(path.parent / words[0], None)
            elif card == "model" and depth == 0 and words:
                self.models.add(re.sub(r"\.\d+$", "", words[0].lower()))
        return found


def read_section(library: Path, section: str) -> Section | None:
    """What ``.lib 'library' section`` would load; None when the library has no such section.

    ``models`` are lower-case names without the bin number, those inside subcircuits left out;
    ``missing`` are files the section refers to that do not exist.
    """
    reader = _Reader()
    if not reader.follow(library, section):
        return None
    return Section(tuple(reader.files), frozenset(reader.models), tuple(reader.missing))
