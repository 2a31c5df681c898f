"""``codesign evaluate``: a run scored on labelled clips."""

from pathlib import Path
from typing import Any, cast

import click
from rich.markup import escape
from rich.table import Table

from codesign.cli.options import console, pdk_root_option
from codesign.errors import InputError

_ENGINES = click.Choice(["twin", "batched", "ngspice"])
_WORDS_NAMED = 6


@click.command()
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option(
    "--data",
    "data_dirs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder of labelled recordings (word/clip.wav, or with a manifest.csv), several are read "
    "as one [the run's own test clips].",
)
@click.option(
    "--part",
    type=click.Choice(["auto", "all", "test", "val", "train"]),
    default="auto",
    show_default=True,
    help="Which part of the folder: auto takes the test part where the folder states a split, "
    "else every clip.",
)
@click.option(
    "--engine",
    type=_ENGINES,
    default="twin",
    show_default=True,
    help="The software twin, or the transistors in the batched engine or in ngspice.",
)
@click.option(
    "--clips", type=click.IntRange(min=1), help="At most this many, each class in turn [all]."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Table of clips, .csv or .parquet [RUN/evaluate.csv].",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Processes or threads [one per core].")
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0, min_open=True),
              help="Seconds per clip in ngspice.")  # fmt: skip
@click.option(
    "--judge",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Clips of the batched engine that are simulated again in ngspice and compared.",
)
@click.option("--fresh", is_flag=True, help="Discard finished clips and simulate all again.")
@pdk_root_option
def command(
    run: Path | None, data_dirs: tuple[Path, ...], part: str, engine: str, clips: int | None,
    out: Path | None, jobs: int | None, timeout_s: float | None, judge: int, fresh: bool,
    pdk_root: Path | None,
) -> None:  # fmt: skip
    """Score RUN on labelled clips and write a table with one row per clip.

    The decision is the one the chip takes, by the run's own rule. Clips of a folder become input
    currents by the notes of the training run; words the run does not know count as "other" where
    its task has such a class. Transistors are simulated into RUN/sim/evaluate-..., where finished
    clips are kept. RUN is a run folder; without it the newest run under ./runs is taken.
    """
    # Imported late: torch takes a second that --help should not.
    from codesign.checkpoint import load_model
    from codesign.cli.progress import with_progress
    from codesign.cli.simulate import check_judge
    from codesign.files import read_json
    from codesign.runs import open_run
    from codesign.tasks.labelled import Part
    from codesign.use.engines import Effort, Engine, folder_name, hear_transistors, hear_twin
    from codesign.use.evaluate import check_table, clips_of, confusion_rows, score, write_table

    opened = open_run(run)
    target = out or opened.path / "evaluate.csv"
    check_table(target)
    if engine == "twin" and (jobs or timeout_s or judge or fresh):
        raise InputError("--jobs, --timeout, --judge and --fresh need transistors: give --engine.")
    model = load_model(opened)
    given = clips_of(opened, model, data_dirs, cast(Part, part), clips)
    heard = twin = hear_twin(model, given.split)
    figures: dict[str, Any] = {}
    if engine != "twin":
        effort = Effort(jobs, timeout_s, judge, fresh, pdk_root)
        name = folder_name("evaluate", given.split)
        heard = with_progress(
            lambda show, say: hear_transistors(
                opened, model, given.split, cast(Engine, engine), name, effort, show, say
            )
        )
        figures = read_json(opened.sim_dir(name) / "summary.json", "a summary")
    found = score(opened, model, given, heard, twin)
    write_table(target, found.table)
    describe(found.figures, engine, confusion_rows(found.figures, model.class_names))
    click.echo(target)
    check_judge(figures)


def describe(figures: dict[str, Any], engine: str, rows: list[list[str]]) -> None:
    """Headline figures with their intervals, then the confusion."""
    total = figures["clips"] - figures["clips_failed"]
    words = figures["other_words"]
    if words:
        named = ", ".join(list(words)[:_WORDS_NAMED]) + (", ..." * (len(words) > _WORDS_NAMED))
        kinds = "1 word" if len(words) == 1 else f"{len(words)} words"
        console.print(
            f"{sum(words.values())} of {figures['clips']} clips are of {kinds} the run "
            f"does not name ({named}); they count as its class of anything else",
            markup=False,
        )
    if figures["clips_failed"]:
        console.print(f"{figures['clips_failed']} of {figures['clips']} clips failed: see the "
                      "table's column 'status'")  # fmt: skip
    if not total:
        return
    console.print(
        f"{engine}, decision {figures['decision']}: {figures['right']} of {total} clips right, "
        f"accuracy {_percent(figures['accuracy'], figures['accuracy_interval'])}, balanced "
        f"{_percent(figures['balanced_accuracy'], figures['balanced_accuracy_interval'])}",
        markup=False,
    )
    needs = figures["decision_needs"]
    console.print(
        f"the decision needs: {needs['elements']}; {needs['memory_bits']} bits"
        + (
            f", {needs['capacitors']} capacitors of {1e12 * needs['capacitor_f']:.3g} pF (mean "
            f"class currents up to {1e9 * needs['full_scale_a']:.3g} nA)"
            if needs["capacitors"]
            else ""
        ),
        markup=False,
    )
    if engine != "twin":
        low, high = figures["twin_agreement_interval"]
        console.print(
            f"decisions equal to the twin's: {figures['twin_agreeing']} of {total} (95 % interval "
            f"{100 * low:.1f} to {100 * high:.1f} %)"
        )
    if figures["classes_without_clips"]:
        console.print(f"no clip of: {', '.join(figures['classes_without_clips'])}", markup=False)
    table = Table(title="label (rows) and decision", title_style="", title_justify="left")
    for name in ("label", *figures["recall"], "right (95 % interval)"):
        table.add_column(escape(name), justify="left" if name == "label" else "right")
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)


def _percent(value: float, interval: list[float]) -> str:
    low, high = interval
    return f"{100 * value:.1f} % (95 % interval {100 * low:.1f} to {100 * high:.1f} %)"
