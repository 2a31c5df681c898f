"""Options of ``simulate`` about what is learned from drawn chips."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from codesign.errors import InputError
from codesign.simulation.drawn_chips import CHIPS, CLIPS

F = TypeVar("F", bound=Callable[..., Any])


def chip_options(function: F) -> F:
    return click.option(
        "--sensitivity",
        type=click.IntRange(min=0),
        metavar="CLIPS",
        help="With --mc: rank the devices by what they do to the margin on this many clips, those "
        "with most failures and least margin first, explain the worst chips, and test whether the "
        f"calibrated twin stands in for the transistors; 0: none of it. [default: from {CHIPS} "
        f"chips on, up to {CLIPS} clips while it takes the batched engine seconds]",
    )(function)


def refuse_sensitivity(chips: int | None, sensitivity: int | None) -> None:
    """Raise InputError where there are no chips to learn from."""
    if chips is None and sensitivity is not None:
        raise InputError("--sensitivity is about chips with mismatch: add --mc CHIPS.")
