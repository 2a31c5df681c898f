"""``--spec`` and ``--min-yield``: what a chip must meet, and how many chips must."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from codesign.analysis.yields import DEFAULT_SPECS, QUANTITIES, Spec, parse_spec
from codesign.errors import InputError, SpecificationFailed

Command = TypeVar("Command", bound=Callable[..., Any])


def parsed(
    _context: click.Context, _option: click.Parameter, given: Sequence[str]
) -> tuple[Spec, ...]:
    """Every specification as given; InputError for one that cannot be read."""
    return tuple(parse_spec(text) for text in given)


def spec_options(command: Command) -> Command:
    """Add both options to a command."""
    defaults = ", ".join(map(str, DEFAULT_SPECS))
    spec = click.option(
        "--spec",
        "specs",
        multiple=True,
        callback=parsed,
        metavar="'NAME OP VALUE'",
        help="With --mc: a limit that every chip must meet, as 'accuracy>=0.9' or "
        "'mean_power_w<=600e-9'; may be repeated. OP is >=, <=, > or <; NAME one of "
        f"{', '.join(QUANTITIES)}. [default: {defaults}]",
    )
    least = click.option(
        "--min-yield",
        type=click.FloatRange(0, 1),
        help="With --mc: exit with 1 when a smaller part of the chips meets all specifications. A "
        "chip with a failed sample meets none.",
    )
    return spec(least(command))


def refuse_without_chips(chips: int | None, specs: Sequence[Spec], min_yield: float | None) -> None:
    """Raise InputError where there are no chips to hold against a specification."""
    given = [name for name, on in (("--spec", specs), ("--min-yield", min_yield is not None)) if on]
    if chips is None and given:
        raise InputError(f"{given[0]} is about chips with mismatch: add --mc CHIPS.")


def check_yield(figures: dict[str, Any]) -> None:
    """Raise SpecificationFailed when a smaller part of the chips than asked for meets all
    specifications: the part found itself counts, not its interval."""
    least = figures.get("min_yield")
    if least is None:
        return
    found, chips = figures["yield"], figures["yield_chips"]
    if found is None or found < least:
        shown = "there is no whole chip"
        if found is not None:
            shown = f"{figures['yield_count']} of {chips} chips ({100 * found:.1f} %) pass"
        raise SpecificationFailed(
            f"The specification --min-yield {least:g} failed: {shown}. See yields.parquet in "
            f"sim/{figures['plan']}."
        )
