"""``--noise``: runs with device noise."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from codesign.cli.options import console
from codesign.errors import InputError, SpecificationFailed
from codesign.simulation.setting import JITTER_CELLS

Command = TypeVar("Command", bound=Callable[..., Any])


def noise_option(command: Command) -> Command:
    """Add both options to a command."""
    jitter = click.option(
        "--jitter",
        "jitter_cells",
        type=click.IntRange(min=0),
        metavar="CELLS",
        help="With --noise: cells whose threshold jitter is predicted from .noise and measured in "
        "a transient with noise, from the smallest to the largest beta_hi; 0 leaves it out. "
        f"[default: {JITTER_CELLS}]",
    )
    option = click.option(
        "--noise",
        type=click.IntRange(min=1),
        metavar="SEEDS",
        help="Give every transistor its device noise, white and 1/f, and run every chip and clip "
        "with this many seeds of it, into RUN/sim/noise or, with --mc, RUN/sim/mc_noise. What it "
        "costs is said before it starts.",
    )
    return option(jitter(command))


def refuse_without_noise(noise: int | None, jitter_cells: int | None) -> None:
    """Raise InputError where there is no noise to measure jitter with."""
    if noise is None and jitter_cells is not None:
        raise InputError("--jitter is about device noise: add --noise SEEDS.")


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
    if "noise_jitter_thresholds" in figures:
        console.print(
            f"threshold jitter, transient over prediction: median "
            f"{figures['noise_jitter_ratio_median']:.2f}, worst "
            f"{figures['noise_jitter_ratio_worst']:.2f} of {figures['noise_jitter_thresholds']} "
            f"thresholds; {100 * figures['noise_over_mismatch']:.1f} % of the spread by mismatch"
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
