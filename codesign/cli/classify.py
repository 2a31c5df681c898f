"""``codesign classify``: what a run hears in sound files, and a picture of each."""

from pathlib import Path
from typing import cast

import click

from codesign.cli.options import console, pdk_root_option
from codesign.errors import InputError, SpecificationFailed


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--engine",
    type=click.Choice(["twin", "batched", "ngspice"]),
    default="twin",
    show_default=True,
    help="The software twin, or the transistors in the batched engine or in ngspice.",
)
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(min=0.01),
    metavar="SECONDS",
    help="Decide on a window every so many seconds of a long file [the first window alone].",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    help="A .png or .svg file for one decision, or a folder for several [RUN/classify].",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Processes or threads [one per core].")
@click.option("--fresh", is_flag=True, help="Discard finished clips and simulate all again.")
@pdk_root_option
def command(
    run: Path, files: tuple[Path, ...], engine: str, every_s: float | None, picture: Path | None,
    jobs: int | None, fresh: bool, pdk_root: Path | None,
) -> None:  # fmt: skip
    """Say what RUN hears in FILES, mono .wav or .flac at its sample rate, and draw it.

    One line per decision: the file, the class, and the margin in units of the unit current, by
    which the class's logit could fall before the decision leaves it. A file is padded or cut to
    what the network hears, as the clips of training were; with --every each window of a longer one
    decides. The picture shows the sound, the input currents, the states of every layer and the
    logits with the decision. Transistors are simulated into RUN/sim/classify-..., where finished
    clips are kept.
    """
    # Imported late: torch and matplotlib take seconds that --help should not.
    from codesign.checkpoint import load_model
    from codesign.cli.progress import with_progress
    from codesign.report.clip_picture import save_picture
    from codesign.runs import open_run
    from codesign.use.engines import Effort, Engine, folder_name, hear_transistors, hear_twin
    from codesign.use.evaluate import task_notes
    from codesign.use.listen import listen
    from codesign.use.pictures import picture_of, picture_paths

    opened = open_run(run)
    if engine == "twin" and (jobs or fresh):
        raise InputError("--jobs and --fresh need transistors: give --engine with them.")
    model = load_model(opened)
    windows, clips = listen(files, task_notes(opened), every_s)
    targets = picture_paths(picture or opened.path / "classify", windows)
    heard = twin = hear_twin(model, clips)
    if engine != "twin":
        effort = Effort(jobs=jobs, fresh=fresh, pdk_root=pdk_root)
        name = folder_name("classify", clips)
        heard = with_progress(
            lambda show, say: hear_transistors(
                opened, model, clips, cast(Engine, engine), name, effort, show, say
            )
        )
    longer = {w.path: w for w in windows if every_s is None and w.length_s > w.window_s + 1e-6}
    for window in longer.values():
        console.print(
            f"{window.path} lasts {window.length_s:.2f} s and the network hears "
            f"{window.window_s:.2f} s: its {window.kept} decides (--every SECONDS hears the rest)",
            markup=False,
        )
    for row, (window, target) in enumerate(zip(windows, targets, strict=True)):
        if not heard.ok[row]:
            console.print(f"{window.name}: {heard.status[row]}: {heard.message[row]}", markup=False)
            continue
        found = picture_of(model, window, clips, heard, twin if heard is not twin else None, row,
                           engine)  # fmt: skip
        save_picture(found, target)
        also = ""
        if heard.decision[row] != twin.decision[row]:
            also = f"; the software twin says {model.class_names[twin.decision[row]]}"
        click.echo(
            f"{window.name}: {model.class_names[found.decision]} (margin "
            f"{found.margin_units:.2f} units{also})"
        )
    shown = targets[0] if len(targets) == 1 else targets[0].parent
    console.print(f"pictures: {shown}" if len(targets) > 1 else f"picture: {shown}", markup=False)
    if not heard.ok.all():
        raise SpecificationFailed(
            f"{int((~heard.ok).sum())} of {len(windows)} clips have no decision; see "
            f"{opened.sim_dir(name)}."
        )
