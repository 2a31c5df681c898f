"""Options and messages that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

F = TypeVar("F", bound=Callable[..., Any])

# Progress and remarks go to stderr; stdout carries the result's path alone.
console = Console(stderr=True, highlight=False, soft_wrap=True)


def run_argument(function: F) -> F:
    """The run folder, optional: without it the newest run under ./runs is taken."""
    return click.argument("run", required=False, type=click.Path(path_type=Path))(function)


def data_option(function: F) -> F:
    """Where the recordings of a flow's task are."""
    return click.option(
        "--data",
        "data_dirs",
        multiple=True,
        type=click.Path(path_type=Path),
        help="Folder of recordings, for flows that need one; several are read as one.",
    )(function)


def pdk_root_option(function: F) -> F:
    """Where to look for the process before anything else."""
    return click.option(
        "--pdk-root",
        type=click.Path(path_type=Path),
        help="Folder of a PDK installation (open_pdks layout), looked at before PDK_ROOT.",
    )(function)


def hardware_set_option(function: F) -> F:
    """Changes to the hardware specification of the run."""
    return click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change one key of the hardware specification, as in hardware.cell=async.",
    )(function)
