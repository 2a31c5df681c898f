"""``codesign simulate --corners``: arguments and messages of the points of a process."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from codesign.analysis.pvt import CONDITION_WORDS
from codesign.cli.options import console
from codesign.errors import InputError
from codesign.simulation.corners import BIASES
from codesign.simulation.points import CORNERS, SUPPLY_PARTS, TEMPERATURES_C, Selection

F = TypeVar("F", bound=Callable[..., Any])
# Of many points that lose a vote, the first few say enough; points.parquet has them all.
_NAMED = 12


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def corner_options(function: F) -> F:
    """``--corners``, and what selects a part of the points."""
    for option in (
        click.option(
            "--temperature",
            "temperatures_c",
            multiple=True,
            type=float,
            metavar="C",
            help=f"With --corners: this temperature alone ({_numbers(TEMPERATURES_C)}).",
        ),
        click.option(
            "--supply",
            "supplies",
            multiple=True,
            type=float,
            metavar="PART",
            help=f"With --corners: this part of the design's supply alone "
            f"({_numbers(SUPPLY_PARTS)}).",
        ),
        click.option(
            "--corner",
            "corners",
            multiple=True,
            metavar="NAME",
            help=f"With --corners: this corner alone ({', '.join(CORNERS)}); with --mc: draw the "
            "chips at this corner of the process, several for all of them. [with --mc: the "
            "design's own]",
        ),
        click.option(
            "--bias",
            type=click.Choice(BIASES),
            help="With --corners: the unit current from an ideal source, from the on-chip "
            "reference (with inputs that follow it, and with fixed ones), or both. [default: the "
            "design's own]",
        ),
        click.option(
            "--corners",
            "at_corners",
            is_flag=True,
            help="Simulate --clips clips (default: 2) at 5 corners, 3 supplies and 3 "
            "temperatures, into RUN/sim/corners; the design stays as it was programmed.",
        ),
    ):
        function = option(function)
    return function


def selection(
    corners: tuple[str, ...], supplies: tuple[float, ...], temperatures_c: tuple[float, ...]
) -> Selection:
    """The points wanted."""
    return Selection(corners, supplies, temperatures_c)


def refuse_without_corners(given: Mapping[str, object]) -> None:
    """Raise InputError for an option that means nothing without ``--corners``."""
    for option, value in given.items():
        if value:
            also = " or --mc" if option == "--corner" else ""
            raise InputError(f"{option} selects points of --corners; give --corners{also} with it.")


def refuse_with_corners(given: Mapping[str, object]) -> None:
    """Raise InputError for an option that means nothing with ``--corners``."""
    for option, value in given.items():
        if value:
            raise InputError(f"{option} and --corners do not go together; leave one out.")


def describe_corners(figures: dict[str, Any]) -> None:
    """The headline figures of every condition, with their denominators."""
    console.print(
        f"samples: {figures['samples_ok']} of {figures['samples_total']} ran to the end "
        f"({figures['pvt_engine']})"
    )
    for failure in figures["pvt_failures"][:_NAMED]:
        console.print(
            f"  failed: {failure['condition']} {failure['corner']} {failure['supply_v']:g} V "
            f"{failure['temperature_c']:g} C, {failure['clip_id']}: {failure['status']} "
            f"({failure['message']})",
            markup=False,
        )
    for words in CONDITION_WORDS:
        if f"{words.prefix}_points" in figures:
            _describe(words.title, words.prefix, figures)


def _describe(title: str, prefix: str, figures: dict[str, Any]) -> None:
    def value(name: str) -> Any:
        return figures[f"{prefix}_{name}"]

    agreement = value("state_agreement")
    console.print(
        f"{title}: every vote kept at {value('points_all_votes_kept')} of {value('points')} "
        f"points ({value('votes_kept')} of {value('votes_total')} votes)"
        + ("" if agreement is None else f", states equal {100 * agreement:.3f} %")
    )
    if value("power_min_w") is not None:
        console.print(
            f"  power {1e9 * value('power_min_w'):.0f} to {1e9 * value('power_max_w'):.0f} nW, "
            f"least logit margin {value('logit_margin_min_units'):.3f} units"
        )
    if f"{prefix}_reference_current_min_a" in figures:
        low, high = (1e9 * value(f"reference_current_{end}_a") for end in ("min", "max"))
        console.print(f"  reference current {low:.3f} to {high:.3f} nA")
    lost = value("votes_lost")
    for text in lost[:_NAMED]:
        console.print(f"  votes lost: {text}", markup=False)
    if len(lost) > _NAMED:
        console.print(f"  and {len(lost) - _NAMED} more points, in points.parquet")
