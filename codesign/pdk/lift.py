"""Models that stand inside subcircuits, made usable by a plain transistor.

Some libraries (SKY130 as open_pdks installs it) wrap each transistor in a subcircuit and keep its
model cards inside, where an M instance cannot see them. The cards are lifted out: for every corner
a library section is written that holds the same cards, bins and all, with every expression
evaluated to its number. Statistical terms are at their nominal and the switches that the adapter
lists at zero; a card that depends on the instance beyond that is refused, because no lifted card
could be equal to it. ``codesign pdk check`` then compares lifted and wrapped devices in ngspice.

The library goes to the cache under a hash of all it is made of; the foundry's files are not
touched.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from codesign.files import cache_dir, write_text
from codesign.pdk.adapter import Lift
from codesign.pdk.expressions import Parameters, UnresolvedError
from codesign.pdk.library import ModelCard, read_section

SCHEMA = 1
_SAFE_NAME = re.compile(r"[a-z_][a-z0-9_]*(\.\d+)?")


class CannotLiftError(Exception):
    """Why the cards of a library cannot be lifted."""


def lifted_library(
    library: Path, sha256: str, sections: Sequence[str], models: Sequence[str], lift: Lift
) -> Path:
    """The library of lifted ``models`` (N, P), written on first use; has all ``sections``.

    ``sha256`` covers the library's files. Raises CannotLiftError, naming the card in the way.
    """
    facts = [SCHEMA, sha256, [s.lower() for s in sections], list(models), lift.model_dump()]
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    path = cache_dir() / "lifted" / f"{key[:32]}.lib"
    if not _intact(path):
        body = "".join(
            f".lib {name}\n{_section(library, name, models, lift)}.endl {name}\n"
            for name in sections
        )
        write_text(path, f"* sha256 {_digest(body)}\n{body}")
    return path


def _section(library: Path, name: str, models: Sequence[str], lift: Lift) -> str:
    section = read_section(library, name, frozenset(models))
    if section is None:
        raise CannotLiftError(f"it has no section {name}")
    found = {card.name.split(".")[0] for card in section.cards}
    for model in models:
        if model.lower() not in found:
            raise CannotLiftError(f"section {name} has no card of {model}")
    # One set for all cards of a section: what they refer to is evaluated once.
    parameters = Parameters({**section.parameters, **dict.fromkeys(lift.zero, "0")})
    return "".join(line for card in section.cards for line in _card(card, parameters))


def _card(card: ModelCard, parameters: Parameters) -> Iterator[str]:
    if card.kind not in ("nmos", "pmos") or not _SAFE_NAME.fullmatch(card.name):
        raise CannotLiftError(f"the card {card.name} is of type '{card.kind}', not nmos or pmos")
    yield f".model {card.name} {card.kind}\n"
    for key, text in card.settings:
        if not _SAFE_NAME.fullmatch(key):
            raise CannotLiftError(f"{card.name} sets '{key}'")
        try:
            yield f"+ {key}={parameters.value(text)!r}\n"
        except UnresolvedError as error:
            raise CannotLiftError(f"{card.name}, {key}: {error}") from error


def _intact(path: Path) -> bool:
    """Whether a library from the cache is what was written: a damaged one is made again."""
    try:
        first, body = path.read_text(encoding="utf-8").split("\n", 1)
    except (OSError, ValueError):
        return False
    return first == f"* sha256 {_digest(body)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
