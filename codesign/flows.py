"""Flows: one TOML file that says what to learn, on what hardware, and how to check it.

The sections and their knobs are in ``codesign.flow_sections``; here a flow is found, read, changed
from the command line, checked and written. An unknown key is an error that suggests the nearest
known one.
"""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any, cast, get_args

import tomli_w
from pydantic import BaseModel, ValidationError

from codesign.errors import InputError
from codesign.flow_sections import (
    Flow,
    HardwareSection,
    NetworkSection,
    RefineSection,
    SimulationSection,
    TrainingSection,
)
from codesign.resources import resource_dir
from codesign.section import Section
from codesign.task_sections import (
    DigitsTask,
    KeywordsTask,
    SpeechCommandsTask,
    SpokenDigitsTask,
    Task,
)

__all__ = [
    "DigitsTask",
    "Flow",
    "HardwareSection",
    "KeywordsTask",
    "NetworkSection",
    "RefineSection",
    "Section",
    "SimulationSection",
    "SpeechCommandsTask",
    "SpokenDigitsTask",
    "Task",
    "TrainingSection",
    "default_hardware",
    "dump_flow",
    "load_flow",
    "parse_flow",
    "shipped_flows",
]


_SHORT_NUMBER = re.compile(r"[+-]?(\.\d+|\d+\.)(e[+-]?\d+)?", re.IGNORECASE)  # not of TOML
_TASKS: dict[str, type[BaseModel]] = {
    section.model_fields["name"].default: section for section in get_args(get_args(Task)[0])
}


def load_flow(source: str | Path, overrides: tuple[str, ...] = ()) -> Flow:
    """Read a flow from a path or from the name of a shipped one (``"digits"``).

    ``overrides`` are ``"section.key=value"`` strings, values in TOML syntax (bare words are
    taken as text). Raises InputError when the file, a key or a value is wrong.
    """
    path = _find_flow(source)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"Cannot read the flow {path}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"The flow {path} is not valid TOML: {error}.") from error
    for override in overrides:
        _apply_override(data, override)
    return parse_flow(data, str(path))


def parse_flow(data: dict[str, Any], where: str) -> Flow:
    """Validate a plain dictionary as a flow; ``where`` names the source in messages."""
    data = _lists_to_tuples(data)
    if isinstance(data.get("task"), dict):
        data["task"].setdefault("name", "digits")
    try:
        return Flow.model_validate(data)
    except ValidationError as error:
        raise InputError(f"{where}: {_describe(error)}") from error


def default_hardware(overrides: tuple[str, ...] = ()) -> HardwareSection:
    """The hardware specification without a flow, changed by ``"hardware.key=value"`` strings.

    Raises InputError when a key or a value is wrong.
    """
    data: dict[str, Any] = {}
    for override in overrides:
        _apply_override(data, override)
    return parse_flow(data, "--set").hardware


def dump_flow(flow: Flow) -> str:
    """The resolved flow as TOML, every value explicit."""
    return tomli_w.dumps(flow.model_dump(mode="json"))


def shipped_flows() -> list[str]:
    """Names of the flows that ship with the product."""
    return sorted(path.stem for path in resource_dir("flows").glob("*.toml"))


def _find_flow(source: str | Path) -> Path:
    path = Path(source)
    if path.is_file():
        return path
    shipped = resource_dir("flows") / f"{path.name.removesuffix('.toml')}.toml"
    if shipped.is_file() and path.parent in (Path(), Path("flows")):
        return shipped
    near = difflib.get_close_matches(path.name.removesuffix(".toml"), shipped_flows(), n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    raise InputError(
        f"There is no flow '{source}': neither a file nor one of the shipped flows "
        f"({', '.join(shipped_flows())}).{hint}"
    )


def _apply_override(data: dict[str, Any], override: str) -> None:
    key, sign, text = override.partition("=")
    parts = key.strip().split(".")
    if not sign or not all(parts):
        raise InputError(
            f"--set {override!r} is not of the form key=value, as in training.steps=500."
        )
    table = data
    for part in parts[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise InputError(f"--set {override!r}: '{part}' is a value, not a section.")
    table[parts[-1]] = _value(text.strip())


def _value(text: str) -> Any:
    """A value in TOML syntax; a number without digits on one side of its point, as in .9; or the
    text itself."""
    if _SHORT_NUMBER.fullmatch(text):
        return float(text)
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _lists_to_tuples(value: Any) -> Any:
    """TOML has lists where the frozen models have tuples."""
    if isinstance(value, dict):
        return {key: _lists_to_tuples(item) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_lists_to_tuples(item) for item in value)
    return value


def _describe(error: ValidationError) -> str:
    """One sentence for the first problem, with the nearest known key for an unknown one."""
    first = error.errors()[0]
    # The union of tasks puts the task's name after the key "task".
    location = [str(part) for k, part in enumerate(first["loc"]) if k != 1 or part not in _TASKS]
    key = ".".join(location) or "the flow"
    if first["type"] == "extra_forbidden":
        # Of the task that was named: the keys of another would be refused in turn.
        task = _TASKS.get(str(first["loc"][1])) if location[:-1] == ["task"] else None
        known = sorted(task.model_fields) if task else _known_keys(location[:-1])
        near = difflib.get_close_matches(location[-1], known, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(known)}."
        return f"unknown key '{key}'; {hint}"
    if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return f"task.name must be one of: {', '.join(_TASKS)}."
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return f"{key}: {message}."
    shown = " ".join(str(first["input"]).split())
    return f"{key} = {shown[:80]}: {message[0].lower()}{message[1:]}."


def _known_keys(location: list[str]) -> list[str]:
    current: type[BaseModel] = Flow
    for part in location:
        field = current.model_fields.get(part)
        if field is None or not isinstance(field.annotation, type):
            return []
        current = cast(type[BaseModel], field.annotation)
    return list(current.model_fields)
