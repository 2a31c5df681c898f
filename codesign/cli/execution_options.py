"""``codesign simulate``: how samples are executed, as options that travel together."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from codesign.simulation.execution_options import DEFAULT_EXECUTION, ExecutionOptions

F = TypeVar("F", bound=Callable[..., Any])


def execution_options(function: F) -> F:
    """Add the options and pass them as one, ``execution``."""

    @wraps(function)
    def gathered(
        *arguments: Any, memory_limit_mb: float | None, only_failed: bool, keep: bool,
        scheduler: str | None, **others: Any,
    ) -> Any:  # fmt: skip
        execution = ExecutionOptions(memory_limit_mb, only_failed, keep, scheduler)
        return function(*arguments, execution=execution, **others)

    command: Any = gathered
    for option in (
        click.option(
            "--scheduler",
            metavar="ADDRESS",
            help="Run samples on a Dask cluster: tcp://host:port of its scheduler, or local[:N] "
            "for one of this machine. The run folder must be on a disk that all workers share.",
        ),
        click.option(
            "--keep",
            is_flag=True,
            help="Keep deck, raw output and log of every sample in RUN/sim/PLAN/work, not of "
            "failed ones alone.",
        ),
        click.option(
            "--only-failed",
            is_flag=True,
            help="Run the samples again that failed; without it a failure is a result and stays.",
        ),
        click.option(
            "--memory-limit",
            "memory_limit_mb",
            type=click.FloatRange(min=0, min_open=True),
            metavar="MB",
            help="Most memory (address space) of one ngspice process; a sample that wants more "
            "fails with status 'memory'.",
        ),
    ):
        command = option(command)
    result: F = command
    return result


def given(execution: ExecutionOptions) -> dict[str, object]:
    """The options by name, for commands that have no use for them."""
    names = ("--memory-limit", "--only-failed", "--keep", "--scheduler")
    values = vars(execution).values()
    return {} if execution == DEFAULT_EXECUTION else dict(zip(names, values, strict=True))
