"""Flows: every wrong key or value is one sentence that names it; a resolved flow reads back."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign.errors import InputError
from codesign.flows import Flow, dump_flow, load_flow, parse_flow, shipped_flows


def _wrong(data: dict[str, object]) -> str:
    with pytest.raises(InputError) as caught:
        parse_flow(data, "mine.toml")
    message = str(caught.value)
    assert message.startswith("mine.toml: ")
    assert "\n" not in message
    return message


def test_the_shipped_flows_are_valid() -> None:
    assert "digits" in shipped_flows()
    for name in shipped_flows():
        assert load_flow(name).name


def test_a_shipped_flow_may_be_named_with_or_without_its_ending() -> None:
    assert load_flow("digits") == load_flow("digits.toml") == load_flow(Path("flows/digits.toml"))


def test_a_flow_that_is_nowhere_lists_the_shipped_ones() -> None:
    with pytest.raises(InputError, match=r"no flow 'digitz'.*shipped flows.*digits"):
        load_flow("digitz")
    with pytest.raises(InputError, match="no flow"):
        load_flow(Path("elsewhere/digits.toml"))


@pytest.mark.parametrize(
    ("data", "key", "near"),
    [
        ({"trainin": {}}, "trainin", "training"),
        ({"training": {"step": 5}}, "training.step", "steps"),
        ({"hardware": {"unit_current": 1e-9}}, "hardware.unit_current", "unit_current_a"),
        ({"task": {"name": "digits", "clases": [1, 2]}}, "task.clases", "classes"),
        ({"task": {"name": "speech_commands", "keywords": "yes"}}, "task.keywords", "keyword"),
    ],
)
def test_an_unknown_key_suggests_the_nearest(data: dict[str, object], key: str, near: str) -> None:
    assert _wrong(data) == f"mine.toml: unknown key '{key}'; did you mean '{near}'?"


def test_an_unknown_key_like_nothing_lists_the_known_ones() -> None:
    message = _wrong({"network": {"zzzzzzzz": 1}})
    assert "known keys: cell, start, state_dim, layers" in message


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"training": {"steps": 0}}, "training.steps = 0: "),
        ({"training": {"steps": 1.5}}, "training.steps = 1.5: "),
        ({"training": {"steps": "many"}}, "training.steps = many: "),
        ({"training": {"steps": True}}, "training.steps = True: "),
        ({"training": {"learning_rate": float("nan")}}, "training.learning_rate = nan: "),
        ({"training": {"learning_rate": float("inf")}}, "training.learning_rate = inf: "),
        ({"training": {"device": "cpu; rm -rf /"}}, "training.device = cpu; rm -rf /: "),
        ({"hardware": {"weight_grid": 9}}, "hardware.weight_grid = 9: "),
        ({"hardware": {"cell": "sync"}}, "hardware.cell = sync: "),
        ({"hardware": {"corner": "tt\n.control"}}, "hardware.corner = "),
        ({"hardware": {"pdk": "../../etc"}}, "hardware.pdk = ../../etc: "),
        ({"name": "a/b"}, "name = a/b: "),
        ({"name": ""}, "name = : "),
        ({"seed": -1}, "seed = -1: "),
        ({"hardware": {"edge_s": 1e-2}}, "a twentieth of frame_s"),
        ({"task": {"name": "digits", "classes": [1, 1]}}, "names a digit twice"),
        ({"task": {"name": "digits", "classes": [1]}}, "task.classes"),
        ({"task": {"name": "sound"}}, "task.name must be one of: digits, speech_commands"),
        ({"network": "big"}, "network"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(data: dict[str, object], told: str) -> None:
    assert told in _wrong(data)


def test_task_keys_without_a_name_are_for_the_digits() -> None:
    flow = parse_flow({"task": {"classes": [3, 1]}}, "x")
    assert flow.task.name == "digits"
    assert flow.task.classes == (3, 1)


def test_a_file_that_is_not_toml_says_where(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("[training\n")
    with pytest.raises(InputError, match=r"bad\.toml is not valid TOML.*line 1"):
        load_flow(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not valid TOML"):
        load_flow(path)


def test_overrides_are_toml_values_or_bare_words() -> None:
    flow = load_flow(
        "digits",
        (
            "training.steps=7",
            "hardware.cell=async",
            'name = "other"',
            "task.classes=[5, 6, 7]",
            "hardware.unit_current_a=5e-10",
        ),
    )
    assert flow.training.steps == 7
    assert flow.hardware.cell == "async"
    assert flow.name == "other"
    assert flow.task.name == "digits"
    assert flow.task.classes == (5, 6, 7)
    assert flow.hardware.unit_current_a == 5e-10


@pytest.mark.parametrize(
    ("text", "value"), [(".9", 0.9), ("+.5", 0.5), ("1.", 1.0), ("5.e-1", 0.5), (".25E0", 0.25)]
)
def test_a_number_may_lack_the_digits_on_one_side_of_its_point(text: str, value: float) -> None:
    assert load_flow("digits", (f"training.margin_weight={text}",)).training.margin_weight == value


def test_a_later_override_wins() -> None:
    assert load_flow("digits", ("seed=1", "seed=2")).seed == 2


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("training.steps", "not of the form key=value"),
        ("=5", "not of the form key=value"),
        ("training..steps=5", "not of the form key=value"),
        ("name.first=x", "'name' is a value, not a section"),
        ("training.step=5", "did you mean 'steps'"),
        ("training.steps=fast", "training.steps = fast"),
    ],
)
def test_a_wrong_override_is_told(override: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        load_flow("digits", ('name="x"', override))
    assert told in str(caught.value)


@given(
    seed=st.integers(0, 2**31 - 1),
    steps=st.integers(1, 1_000_000),
    rate=st.floats(1e-12, 1, exclude_min=True),
    unit_a=st.floats(5e-11, 1e-7),
    classes=st.lists(st.integers(0, 9), min_size=2, unique=True),
)
def test_a_resolved_flow_reads_back_exactly(
    seed: int, steps: int, rate: float, unit_a: float, classes: list[int]
) -> None:
    flow = parse_flow(
        {
            "seed": seed,
            "training": {"steps": steps, "learning_rate": rate},
            "hardware": {"unit_current_a": unit_a},
            "task": {"name": "digits", "classes": classes},
        },
        "made",
    )
    assert parse_flow(tomllib.loads(dump_flow(flow)), "dumped") == flow


def test_a_resolved_flow_leaves_nothing_implicit() -> None:
    resolved = tomllib.loads(dump_flow(Flow()))
    assert set(resolved) == set(Flow.model_fields)
    for section in ("network", "training", "hardware", "simulation"):
        assert set(resolved[section]) == set(type(getattr(Flow(), section)).model_fields)


def test_the_keys_suggested_are_those_of_the_task_that_was_named() -> None:
    """'keyword' belongs to another task: to suggest it would lead to the next refusal."""
    with pytest.raises(
        InputError, match=r"unknown key 'task\.keyword'; did you mean 'words'"
    ) as told:
        parse_flow({"task": {"name": "keywords", "keyword": "yes"}}, "flow.toml")
    assert "'keyword'" not in str(told.value)
    with pytest.raises(InputError, match="did you mean 'keyword'"):
        parse_flow({"task": {"name": "speech_commands", "keywords": "yes"}}, "flow.toml")
