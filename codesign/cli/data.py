"""``codesign data``: public data sets, fetched when asked for and never otherwise; made words."""

import difflib
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from codesign.cli.synthesize import synthesize
from codesign.errors import InputError
from codesign.files import read_json
from codesign.tasks.datasets import DATASETS, SOURCE_FILE, get_dataset


@click.group("data")
def command() -> None:
    """List and fetch public data sets for tasks that read a folder (--data DIR), or make one.

    Nothing else in codesign downloads anything.
    """


command.add_command(synthesize)


@command.command("list")
def list_datasets() -> None:
    """What can be fetched: name, size to fetch, what it is, licence."""
    for data in DATASETS.values():
        size = "size not told" if data.size_bytes is None else f"{data.size_bytes / 1e6:.1f} MB"
        click.echo(f"{data.name:<16} {size:>13}  {data.title}\n{'':<32}{data.licence}")


@command.command("get")
@click.argument("name")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("data"),
    show_default=True,
    help="The folder in which the folder NAME is made.",
)
def get(name: str, out: Path) -> None:
    """Fetch the data set NAME into OUT/NAME; 'codesign data list' names them.

    An interrupted fetch continues when the same command is run again. Files are checked against
    their published SHA-256, or, where none is published, against the one they had the first time.
    Without a network, put the files that the message names into OUT/NAME.partial and run it again.
    """
    data = DATASETS.get(name)
    if data is None:
        near = difflib.get_close_matches(name, DATASETS, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise InputError(f"There is no data set '{name}' ({', '.join(DATASETS)}).{hint}")
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("connecting", total=None)

        def show(done: int, total: int | None, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what)

        folder, made = get_dataset(data, out, show)
    if not made:
        click.echo(f"{folder} is there already", err=True)
    for file, told in read_json(folder / SOURCE_FILE, "the source of a data set")["files"].items():
        click.echo(f"{file}: sha256 {told['sha256']} ({told['checked']})", err=True)
    click.echo(str(folder))
