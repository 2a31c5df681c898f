"""What a sweep tries: parsing of axes, grids, random draws, folder names."""

import pytest

from codesign.errors import InputError
from codesign.search.space import Choices, Range, drawn, folder_names, grid, parse_axis


def test_axes_are_parsed_as_written() -> None:
    assert parse_axis("network.state_dim = 4, 8,16") == Choices(
        "network.state_dim", ("4", "8", "16")
    )
    lists = parse_axis("task.classes=[0,1],[2,3]")
    assert lists == Choices("task.classes", ("[0,1]", "[2,3]"))
    assert parse_axis('task.keyword="a,b",c') == Choices("task.keyword", ('"a,b"', "c"))
    assert parse_axis("training.learning_rate=1e-3..0.1:log") == Range(
        "training.learning_rate", 1e-3, 0.1, log=True, whole=False
    )
    assert parse_axis("network.state_dim=4..16") == Range("network.state_dim", 4, 16, False, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("network.state_dim", "not of the form key=value,value"),
        ("=4", "not of the form"),
        ("network.state_dim=", "empty value"),
        ("network.state_dim=4,,8", "empty value"),
        ("network.state_dim=4,8,4", "twice"),
        ("seed=1,2", "--seeds"),
        ("training.margin_units=2..1", "to a larger one"),
        ("training.margin_units=0..1:log", "above 0"),
    ],
)
def test_what_is_no_axis_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_axis(text)


def test_a_grid_has_every_combination_once() -> None:
    axes = [parse_axis("network.state_dim=4,8"), parse_axis("training.margin_units=0.1,0.2,0.3")]
    found = grid(axes)
    assert len(found) == len(set(found)) == 6
    assert found[1] == (("network.state_dim", "4"), ("training.margin_units", "0.2"))
    assert grid([]) == [()]
    with pytest.raises(InputError, match="given twice"):
        grid([axes[0], axes[0]])
    with pytest.raises(InputError, match="--random N"):
        grid([parse_axis("network.state_dim=4..8")])


def test_random_draws_are_inside_distinct_and_kept_by_larger_counts() -> None:
    axes = [
        parse_axis("training.learning_rate=1e-3..1e-1:log"),
        parse_axis("network.state_dim=4..16"),
        parse_axis("training.decision=last_frame,mean_logit"),
    ]
    found = drawn(axes, 200, seed=1)
    assert len(set(found)) == 200
    assert found[:50] == drawn(axes, 50, seed=1)
    assert found != drawn(axes, 200, seed=2)
    rates = [float(settings[0][1]) for settings in found]
    assert min(rates) >= 1e-3
    assert max(rates) <= 1e-1
    # Evenly in the logarithm: half of them below the geometric mean, within four sigma.
    assert 72 <= sum(rate < 1e-2 for rate in rates) <= 128
    assert {int(settings[1][1]) for settings in found} == set(range(4, 17))
    assert {settings[2][1] for settings in found} == {"last_frame", "mean_logit"}
    with pytest.raises(InputError, match="only about 2 different"):
        drawn(axes[2:], 3, seed=0)


def test_folder_names_are_readable_distinct_and_safe() -> None:
    axes = [parse_axis("network.cell=fq_bmru,mingru"), parse_axis("training.margin_units=0.1,0.2")]
    assert folder_names(grid(axes))[3] == "cell-mingru_margin_units-0.2"
    same = [parse_axis("network.cell=a,b"), parse_axis("hardware.cell=c,d")]
    assert folder_names(grid(same))[0] == "network.cell-a_hardware.cell-c"
    paths = folder_names([(("task.keyword", "../x y"),), (("task.keyword", "../x/y"),)])
    assert len(set(paths)) == 2
    assert not any("/" in name or name.startswith(".") for name in paths)
    assert folder_names([()]) == ["flow"]
