"""``--process-variation`` and ``--area-scale``: how chips differ, and the area that counters it."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from codesign.cli.options import console
from codesign.errors import InputError

Command = TypeVar("Command", bound=Callable[..., Any])
_LEAST, _MOST = 0.05, 400.0


def scales(
    _context: click.Context, _option: click.Parameter, given: str | None
) -> tuple[float, ...]:
    """S[,S...] as numbers; none if not given."""
    if given is None:
        return ()
    try:
        found = tuple(float(text) for text in given.split(","))
    except ValueError:
        found = (0.0,)
    if not all(_LEAST <= scale <= _MOST for scale in found):
        raise click.BadParameter(
            f"'{given}' is not a list of area factors between {_LEAST:g} and {_MOST:g}, as in 1,4."
        )
    return found


def varied_options(command: Command) -> Command:
    """Add both options to a command."""
    process = click.option(
        "--process-variation",
        "process",
        is_flag=True,
        help="With --mc: every chip also has its own process, the thresholds and current factors "
        "all its devices share, drawn by the law of the process's adapter. Into "
        "RUN/sim/mc_process.",
    )
    area = click.option(
        "--area-scale",
        "area_scales",
        callback=scales,
        metavar="S[,S...]",
        help="With --mc: the same chips in mirrors of S times the gate area, a design mapped anew "
        "(RUN/design_areaS) and simulated into RUN/sim/mc_areaS; of all scales given a table in "
        "RUN/sim/area_scale.json.",
    )
    return process(area(command))


def refuse_areas_without_chips(
    chips: int | None, area_scales: Sequence[float], process: bool
) -> None:
    """Raise InputError where there are no chips."""
    given = [
        name for name, on in (("--area-scale", area_scales), ("--process-variation", process)) if on
    ]
    if chips is None and given:
        raise InputError(f"{given[0]} is about chips with mismatch: add --mc CHIPS.")


def describe_areas(rows: Sequence[dict[str, Any]]) -> None:
    """One line per scale, with its denominators."""
    for row in rows:
        if row["vote_agreement"] is None:
            console.print(f"area x{row['area_scale']:g}: no sample ran to the end")
            continue
        low, high = row["vote_agreement_interval"]
        console.print(
            f"area x{row['area_scale']:g} ({row['gate_area_m2'] * 1e12:.4g} um2): decisions equal "
            f"to the twin's {100 * row['vote_agreement']:.2f} % of {row['samples_ok']} "
            f"({100 * low:.2f} to {100 * high:.2f} %), states "
            f"{100 * row['state_agreement']:.3f} %, accuracy of a chip "
            f"{100 * row['accuracy_chip_mean']:.1f} % mean, "
            f"{100 * row['accuracy_chip_min']:.1f} % least, {row['mean_power_w'] * 1e9:.0f} nW",
            markup=False,
        )
