"""``codesign report``: write the page of a run."""

from pathlib import Path

import click


@click.command()
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option(
    "--plan", default="nominal", show_default=True, help="simulation plan whose results are shown"
)
def command(run: Path | None, plan: str) -> None:
    """Write RUN's report: one HTML file that needs no network.

    RUN is a run folder; without it, the newest one under ./runs. Stages that were not run yet
    are left out and said so.
    """
    # Imported late: matplotlib and pandas take a second that --help should not.
    from codesign.report import build_report
    from codesign.runs import open_run

    click.echo(build_report(open_run(run), plan))
