"""``codesign data synthesize``: words nobody recorded, spoken by many voices."""

import math
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from codesign.cli.options import console


@click.command("synthesize")
@click.argument("words", nargs=-1, required=True, metavar="WORD...")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The folder to make; it must not be there yet.",
)
@click.option(
    "--voices",
    type=int,
    default=40,
    show_default=True,
    help="Voices; a fifth of them speak only in the test split, a fifth only in validation.",
)
@click.option(
    "--takes",
    type=click.IntRange(1, 1000),
    default=4,
    show_default=True,
    help="Clips of each word by each voice, in accent, rate, pitch and level different.",
)
@click.option(
    "--sample-rate",
    "sample_rate_hz",
    type=click.IntRange(4000, 48000),
    default=16000,
    show_default=True,
    help="Samples per second of the clips.",
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
def synthesize(
    words: tuple[str, ...], out: Path, voices: int, takes: int, sample_rate_hz: int, seed: int
) -> None:
    """Speak each WORD with many synthetic voices into a folder for 'codesign train --data OUT'.

    The folder is laid out like Speech Commands, with a manifest that keeps voices apart, and with
    noise to make silence from. Name the words that stand for 'not the keyword' too. Needs the
    extra codesign[voices].
    """
    # Late: the audio packages are an extra.
    from codesign.tasks.synthesis import synthesise

    columns = (
        TextColumn("speaking"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        made = synthesise(words, out, voices, takes, sample_rate_hz, seed, show)
    told = ", ".join(f"{count} {split}" for split, count in made.clips.items())
    click.echo(f"clips: {told}; the longest word lasts {made.longest_s:.2f} s", err=True)
    if made.longest_s > 1.0:
        click.echo(
            f"set task.clip_s to {math.ceil(10 * made.longest_s) / 10:.1f}, or its end is cut off",
            err=True,
        )
    click.echo(str(made.folder))
