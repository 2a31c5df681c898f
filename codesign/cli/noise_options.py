"""``--noise``: runs with device noise."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from codesign.cli.options import console
from codesign.errors import SpecificationFailed

Command = TypeVar("Command", bound=Callable[..., Any])


def noise_option(command: Command) -> Command:
    """Add the option to a command."""
    option = click.option(
        "--noise",
        type=click.IntRange(min=1),
        metavar="SEEDS",
        help="Give every transistor its device noise, white and 1/f, and run every chip and clip "
        "with this many seeds of it, into RUN/sim/noise or, with --mc, RUN/sim/mc_noise. What it "
        "costs is said before it starts.",
    )
    return option(command)


def describe_noise(figures: dict[str, Any]) -> None:
    """What noise did, with denominators."""
    compared = figures.get("noise_samples_compared")
    if not compared:
        return
    console.print(
        f"noise: {figures['noise_decisions_flipped']} of {compared} decisions and "
        f"{figures['noise_states_flipped']} of {figures['noise_states_compared']} states differ "
        f"from the same chips and clips without it ({figures['noise_seeds']} seeds each)"
    )
    rms, logit = figures["noise_candidate_rms_units"], figures["noise_logit_rms_units"]
    if rms is not None and logit is not None:
        console.print(
            f"noise of candidates {1e3 * rms:.2f} and of logits {1e3 * logit:.2f} thousandths of "
            "the unit current, rms"
        )


def noise_judge_line(figures: dict[str, Any]) -> str:
    """What ngspice said of a batched run with noise, in one line."""
    verdict = figures["noise_judge_verdict"].upper()
    if "noise_judge_candidate_ratio" not in figures:
        return f"judge: {verdict}: {'; '.join(figures['noise_judge_reasons'])}"
    logit = figures.get("noise_judge_logit_ratio")
    return (
        f"judge: {verdict}: the noise of candidates is "
        f"{figures['noise_judge_candidate_ratio']:.2f} times ngspice's"
        + ("" if logit is None else f", that of logits {logit:.2f} times")
        + f" ({figures['noise_judge_samples']} seeds of one clip in ngspice)"
    )


def check_noise_judge(figures: dict[str, Any]) -> None:
    """Raise SpecificationFailed when ngspice contradicts the batched engine's noise."""
    if figures.get("noise_judge_verdict") == "fail":
        raise SpecificationFailed(
            "The batched engine's noise does not agree with ngspice: "
            f"{'; '.join(figures['noise_judge_reasons'])}. See sim/{figures['plan']}/"
            "noise_judge.parquet, and simulate with --engine ngspice."
        )
