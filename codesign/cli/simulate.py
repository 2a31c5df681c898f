"""``codesign simulate``: test clips at transistor level, compared with the software twin."""

import re
from pathlib import Path
from typing import Any, cast

import click

from codesign.analysis.yields import DEFAULT_SPECS, Spec
from codesign.cli.chip_options import chip_options, refuse_sensitivity
from codesign.cli.corners import (
    corner_options,
    describe_corners,
    refuse_with_corners,
    refuse_without_corners,
    selection,
)
from codesign.cli.execution_options import execution_options, given
from codesign.cli.noise_options import (
    check_noise_judge,
    describe_noise,
    noise_option,
    refuse_without_noise,
)
from codesign.cli.options import pdk_root_option, run_argument
from codesign.cli.progress import with_progress
from codesign.cli.simulated import describe, describe_page
from codesign.cli.specs import check_yield, refuse_without_chips, spec_options
from codesign.cli.varied import describe_areas, refuse_areas_without_chips, varied_options
from codesign.errors import SpecificationFailed
from codesign.report import build_report
from codesign.runs import Run, open_run
from codesign.simulation.areas import NAME as AREAS
from codesign.simulation.areas import simulate_areas
from codesign.simulation.corners import CornerOptions, simulate_corners
from codesign.simulation.engines import NGSPICE_UP_TO, EngineName
from codesign.simulation.execution_options import ExecutionOptions
from codesign.simulation.plan import NOMINAL, Range
from codesign.simulation.points import CLIPS, CORNERS_PLAN
from codesign.simulation.run import Options, simulate
from codesign.simulation.setting import JITTER_CELLS, JUDGE_SAMPLES
from codesign.twin.twins import TWINS, TwinName

_ENGINES = ("auto", "ngspice", "batched")


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
@noise_option
@spec_options
@chip_options
@varied_options
@corner_options
@execution_options
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
    noise: int | None,
    jitter_cells: int | None,
    specs: tuple[Spec, ...],
    min_yield: float | None,
    sensitivity: int | None,
    process: bool,
    area_scales: tuple[float, ...],
    at_corners: bool,
    bias: str | None,
    corners: tuple[str, ...],
    supplies: tuple[float, ...],
    temperatures_c: tuple[float, ...],
    execution: ExecutionOptions,
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
            {"--mc": chips, "--noise": noise, "--jitter": jitter_cells is not None,
             "--samples": samples != (None, None), "--twin": twin != "ideal",
             "--spec": specs, "--min-yield": min_yield is not None,
             "--sensitivity": sensitivity is not None,
             "--process-variation": process, "--area-scale": area_scales,
             **given(execution)}
        )  # fmt: skip
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
    if chips is not None:
        del chosen["--corner"]
    refuse_without_corners(chosen)
    refuse_without_noise(noise, jitter_cells)
    refuse_without_chips(chips, specs, min_yield)
    refuse_sensitivity(chips, sensitivity)
    refuse_areas_without_chips(chips, area_scales, process)
    options = Options(
        clips=clips, jobs=jobs, timeout_s=timeout_s, min_agreement=min_agreement,
        pdk_root=pdk_root, fresh=fresh, chips=chips, samples=samples,
        engine=cast(EngineName | None, engine), judge=judge, suppression=suppression,
        twin=cast(TwinName, twin), corners=corners, specs=specs or DEFAULT_SPECS,
        min_yield=min_yield, sensitivity=sensitivity, process=process, noise=noise,
        execution=execution,
        jitter=JITTER_CELLS if jitter_cells is None else jitter_cells,
    )  # fmt: skip
    if area_scales:
        _simulate_areas(opened, options, area_scales)
        return
    figures = simulate_with_progress(opened, options)
    describe(figures)
    describe_noise(figures)
    # The page is the nominal chip's, with what the judge said of other plans, if there is one.
    nominal = (opened.sim_dir() / "summary.json").is_file()
    page = build_report(opened, NOMINAL if nominal else figures["plan"])
    describe_page(figures, page)
    click.echo(opened.sim_dir(figures["plan"]))
    check_judge(figures)
    check_noise_judge(figures)
    check_agreement(figures, min_agreement)
    check_yield(figures)


def _simulate_areas(run: Run, options: Options, scales: tuple[float, ...]) -> None:
    """The plan at every scale: figures of each, then all side by side."""
    done: list[dict[str, Any]] = []

    def each(figures: dict[str, Any]) -> None:
        describe(figures)
        done.append(figures)

    rows = with_progress(lambda show, say: simulate_areas(run, options, scales, show, say, each))
    describe_areas(rows)
    page = build_report(run)
    for figures in done:
        describe_page(figures, page)
    click.echo(run.sim_dir(f"{AREAS}.json"))
    for figures in done:
        check_judge(figures)
        check_agreement(figures, options.min_agreement)
        check_yield(figures)


def simulate_with_progress(run: Run, options: Options) -> dict[str, Any]:
    """Simulate with a bar that counts samples and failures."""
    return with_progress(lambda show, say: simulate(run, options, show, say))


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
