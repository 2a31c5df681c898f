"""``codesign simulate``: test clips at transistor level, compared with the software twin."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import click
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from codesign.cli.corners import (
    corner_options,
    describe_corners,
    refuse_with_corners,
    refuse_without_corners,
    selection,
)
from codesign.cli.options import console, pdk_root_option, run_argument
from codesign.errors import SpecificationFailed
from codesign.report import build_report
from codesign.runs import Run, open_run
from codesign.simulation.corners import CornerOptions, simulate_corners
from codesign.simulation.engines import NGSPICE_UP_TO, EngineName
from codesign.simulation.plan import NOMINAL, Range
from codesign.simulation.points import CLIPS, CORNERS_PLAN
from codesign.simulation.run import Options, Progress, Say, simulate
from codesign.simulation.setting import JUDGE_SAMPLES
from codesign.twin.twins import TWINS, TwinName

_ENGINES = ("auto", "ngspice", "batched")
# Of many decisions that differ, the first few say enough; samples.parquet has them all.
_NAMED = 20


def sample_range(_context: click.Context, _option: click.Parameter, given: str | None) -> Range:
    """START:STOP as a pair; either end may be left out."""
    if given is None:
        return (None, None)
    match = re.fullmatch(r"(\d*):(\d*)", given.strip())
    if match is None:
        raise click.BadParameter(f"'{given}' is not START:STOP, as in 120:180.")
    start, stop = (int(text) if text else None for text in match.groups())
    return (start, stop)


def sigmas(
    _context: click.Context, _option: click.Parameter, given: str | None
) -> tuple[float, ...] | None:
    """SIGMA[,SIGMA...] as numbers; "off" is none."""
    if given is None:
        return None
    if given.strip() == "off":
        return ()
    try:
        found = tuple(float(text) for text in given.split(","))
    except ValueError:
        found = (0.0,)
    if not all(0 < sigma < 100 for sigma in found):
        raise click.BadParameter(
            f"'{given}' is not a list of standard deviations in units, as in 0.02,0.05, or 'off'."
        )
    return found


@click.command()
@run_argument
@click.option(
    "--clips",
    type=click.IntRange(min=1),
    help="Test clips to simulate, the first of an order shuffled by the run's seed. "
    "[default: simulation.clips of the flow; with --mc 1]",
)
@click.option(
    "--mc",
    "chips",
    type=click.IntRange(min=1),
    metavar="CHIPS",
    help="Draw this many chips with mismatch and simulate each on --clips clips.",
)
@click.option(
    "--samples",
    callback=sample_range,
    metavar="START:STOP",
    help="Simulate this range of the plan's samples only; chip K has samples K*CLIPS to "
    "(K+1)*CLIPS. Results equal those of the whole.",
)
@click.option(
    "--engine",
    type=click.Choice(_ENGINES),
    help="What advances the transistors: ngspice, one sample per process; batched, many samples "
    f"together, judged by ngspice; auto, batched for plans of more than {NGSPICE_UP_TO} samples "
    "where it can take the design. [default: simulation.engine of the flow]",
)
@click.option(
    "--judge",
    type=click.IntRange(min=0),
    default=JUDGE_SAMPLES,
    show_default=True,
    help="Samples of a batched run that are simulated again in ngspice and compared; 0 checks "
    "nothing.",
)
@click.option(
    "--suppression",
    callback=sigmas,
    metavar="SIGMA[,SIGMA...]",
    help="Measure error suppression with input noise of these standard deviations, in units, in "
    "the batched engine; 'off' does not. [default: 0.01,0.02,0.05,0.1,0.2,0.5 in batched runs of "
    "the nominal chip]",
)
@click.option(
    "--jobs",
    "--threads",
    "jobs",
    type=click.IntRange(min=1),
    help="ngspice processes, or threads of the batched engine, at a time.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds after which a sample in ngspice is stopped and counted as failed.",
)
@click.option(
    "--min-agreement",
    type=click.FloatRange(0, 1),
    help="Exit with 1 when fewer decisions than this part equal the twin's.",
)
@click.option(
    "--twin",
    type=click.Choice(TWINS),
    default="ideal",
    show_default=True,
    help="Whom the transistors are compared with: ideal, the equations; calibrated, the equations "
    "with the transfer of the real devices; substepped, every node in time. With --mc the last two "
    "are made anew for every chip, from its draws. Finished samples serve all twins.",
)
@corner_options
@click.option("--fresh", is_flag=True, help="Discard finished samples and simulate all again.")
@pdk_root_option
def command(
    run: Path | None,
    clips: int | None,
    chips: int | None,
    samples: Range,
    engine: str | None,
    judge: int,
    suppression: tuple[float, ...] | None,
    jobs: int | None,
    timeout_s: float | None,
    min_agreement: float | None,
    twin: str,
    at_corners: bool,
    bias: str | None,
    corners: tuple[str, ...],
    supplies: tuple[float, ...],
    temperatures_c: tuple[float, ...],
    fresh: bool,
    pdk_root: Path | None,
) -> None:
    """Simulate test clips of RUN at transistor level and compare them with the software twin.

    Without --mc the nominal chip, into RUN/sim/nominal; with it chips with mismatch, into
    RUN/sim/mc; with --corners the points of the process, into RUN/sim/corners. Finished samples are
    kept: an interrupted call is continued by the same call. RUN is a run folder; without it the
    newest run under ./runs is taken. Exit code 1 when ngspice contradicts the batched engine.
    """
    opened = open_run(run)
    chosen = {
        "--bias": bias, "--corner": corners, "--supply": supplies, "--temperature": temperatures_c
    }  # fmt: skip
    if at_corners:
        refuse_with_corners(
            {"--mc": chips, "--samples": samples != (None, None), "--twin": twin != "ideal"}
        )
        points = CornerOptions(
            clips=clips or CLIPS, bias=bias or "design", batched=engine == "batched",
            selection=selection(corners, supplies, temperatures_c), jobs=jobs,
            timeout_s=timeout_s, pdk_root=pdk_root, fresh=fresh,
        )  # fmt: skip
        figures = with_progress(lambda show, say: simulate_corners(opened, points, show, say))
        describe_corners(figures)
        build_report(opened)
        click.echo(opened.sim_dir(CORNERS_PLAN))
        check_agreement(figures, min_agreement)
        return
    refuse_without_corners(chosen)
    options = Options(
        clips=clips, jobs=jobs, timeout_s=timeout_s, min_agreement=min_agreement,
        pdk_root=pdk_root, fresh=fresh, chips=chips, samples=samples,
        engine=cast(EngineName | None, engine), judge=judge, suppression=suppression,
        twin=cast(TwinName, twin),
    )  # fmt: skip
    figures = simulate_with_progress(opened, options)
    describe(figures)
    # The page is the nominal chip's, with what the judge said of other plans, if there is one.
    nominal = (opened.sim_dir() / "summary.json").is_file()
    build_report(opened, NOMINAL if nominal else figures["plan"])
    click.echo(opened.sim_dir(figures["plan"]))
    check_judge(figures)
    check_agreement(figures, min_agreement)


def simulate_with_progress(run: Run, options: Options) -> dict[str, Any]:
    """Simulate with a bar that counts samples and failures."""
    return with_progress(lambda show, say: simulate(run, options, show, say))


def with_progress(work: Callable[[Progress, Say], dict[str, Any]]) -> dict[str, Any]:
    """Do ``work`` with a bar that counts samples and failures."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[failed]}"),
    )  # fmt: skip
    with ProgressBar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("samples", total=None, failed="")

        def show(done: int, total: int, failed: int) -> None:
            bar.update(task, completed=done, total=total, failed=f"{failed} failed" * bool(failed))

        return work(show, lambda text: console.print(text, markup=False))


def describe(figures: dict[str, Any]) -> None:
    """The headline figures, with their denominators."""
    console.print(f"samples: {figures['samples_ok']} of {figures['samples_total']} ran to the end")
    if "judge_verdict" in figures:
        console.print(judge_line(figures), markup=False)
    if not figures["samples_ok"]:
        return
    if figures["twin"] != "ideal":
        console.print(twin_line(figures), markup=False)
    low, high = figures["vote_agreement_interval"]
    console.print(
        f"decisions equal to the twin's: {figures['decisions_agreeing']} of "
        f"{figures['samples_ok']} (95 % interval {100 * low:.1f} to {100 * high:.1f} %), "
        f"{len(figures['near_ties'])} near-ties"
    )
    for item in figures["differing"][:_NAMED]:
        where = item["clip_id"] + (
            "" if item["chip_index"] is None else f", chip {item['chip_index']}"
        )
        console.print(f"  differs: {where}: {item['explanation']}", markup=False)
    left = figures["samples_ok"] - figures["decisions_agreeing"] - _NAMED
    if left > 0:
        console.print(f"  and {left} more, in samples.parquet")
    if "chips" in figures:
        console.print(
            f"chips: {figures['chips_all_decisions_agreeing']} of {figures['chips']} decide as the "
            f"twin on every clip; accuracy of a chip {100 * figures['accuracy_chip_mean']:.1f} % "
            f"mean, {100 * figures['accuracy_chip_p5']:.1f} % 5th percentile, "
            f"{100 * figures['accuracy_chip_min']:.1f} % least"
        )
    changed = figures["state_agreement_changed"]
    console.print(
        f"states equal: {100 * figures['state_agreement']:.3f} % of {figures['state_count']}"
        + (
            f", {100 * changed:.2f} % of the {figures['state_changed_count']} that change"
            if changed is not None
            else ""
        )
    )
    console.print(causes_line(figures))
    if "suppression_ratio_median" in figures:
        console.print(
            f"error suppression at the cells: {figures['suppression_ratio_median']:.3g} times "
            f"(median) with input noise of {figures['suppression_sigma_units']:g} units"
        )
    console.print(
        f"accuracy on these clips: {100 * figures['chip_accuracy']:.1f} % transistors, "
        f"{100 * figures['twin_accuracy']:.1f} % software"
    )
    console.print(
        f"mean power {figures['mean_power_w'] * 1e9:.1f} nW: recurrent cells "
        f"{figures['mean_power_cells_w'] * 1e9:.1f}, feed-forward "
        f"{figures['mean_power_feedforward_w'] * 1e9:.1f}, bias "
        f"{figures['mean_power_bias_w'] * 1e9:.1f}" + _strobe_part(figures)
    )


def causes_line(figures: dict[str, Any]) -> str:
    """Why states differ, in one line."""
    total, seen = (figures[f"root_disagreements{end}"] for end in ("", "_with_waveform"))
    if not total:
        return "disagreements: none"
    named = ", ".join(f"{n} {name}" for name, n in figures["root_causes"].items())
    return f"disagreements began at {total} states: {named}; {seen} of them seen in a waveform"


def _strobe_part(figures: dict[str, Any]) -> str:
    """The strobe generator's power, and whether it was in the simulation."""
    if figures["strobe"] is None:
        return ""
    simulated = figures["strobe"] == "generator" and figures["engine"] == "ngspice"
    how = "simulated" if simulated else "measured by itself"
    return f", strobe generator {figures['mean_power_strobe_w'] * 1e9:.2f} ({how})"


def twin_line(figures: dict[str, Any]) -> str:
    """Whom the transistors were compared with, if not with the equations, and what it foretold."""
    if "ideal_disagreements" not in figures:
        return f"twin: {figures['twin']}"
    return (
        f"twin: {figures['twin']}; it predicts {figures['ideal_disagreements_predicted']} of "
        f"{figures['ideal_disagreements']} states in which the ideal twin and the transistors "
        f"differ, with {figures['false_alarms']} false alarms"
    )


def judge_line(figures: dict[str, Any]) -> str:
    """What ngspice said of a batched run, in one line."""
    if figures["judge_verdict"] == "skipped":
        return "judge: NOT RUN (--judge 0): nothing here was checked against ngspice"
    if not figures.get("judge_samples_compared"):
        return f"judge: FAIL: {'; '.join(figures['judge_reasons'])}"
    return (
        f"judge: {figures['judge_verdict'].upper()}: {figures['judge_samples_compared']} of "
        f"{figures['judge_samples']} samples compared with ngspice: candidates within "
        f"{100 * figures['judge_candidate_error_rms_relative']:.3f} % rms, "
        f"{figures['judge_states_differing']} of {figures['judge_states_compared']} states differ "
        f"({figures['judge_states_marginal']} marginal), "
        f"{figures['judge_decisions_differing']} decisions, power within "
        f"{100 * figures['judge_power_error_relative_max']:.3f} %"
    )


def check_judge(figures: dict[str, Any]) -> None:
    """Raise SpecificationFailed when ngspice contradicts the batched engine."""
    if figures.get("judge_verdict") == "fail":
        raise SpecificationFailed(
            f"The batched engine does not agree with ngspice: {'; '.join(figures['judge_reasons'])}"
            f". See sim/{figures['plan']}/judge.parquet, and simulate with --engine ngspice."
        )


def check_agreement(figures: dict[str, Any], min_agreement: float | None) -> None:
    """Raise SpecificationFailed when the stated agreement was not reached."""
    if min_agreement is None:
        return
    agreement = figures["vote_agreement"]
    if agreement is None or agreement < min_agreement:
        shown = "no sample" if agreement is None else f"{100 * agreement:.2f} % of decisions"
        raise SpecificationFailed(
            f"The specification --min-agreement {min_agreement:g} failed: {shown} agreed."
        )
