"""``codesign doctor``: what this machine has, what it lacks, and the exact fix for each."""

import json
from pathlib import Path

import click

from codesign.cli.options import pdk_root_option
from codesign.doctor.machine import Finding, examine
from codesign.errors import EnvironmentMissing


@click.command("doctor")
@pdk_root_option
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(pdk_root: Path | None, as_json: bool) -> None:
    """Say what was searched for and found, and how to fix what is missing.

    Exit code 3 when something required is missing.
    """
    findings = examine(pdk_root)
    missing = [finding for finding in findings if finding.required and not finding.ok]
    if as_json:
        report = {"ok": not missing, "findings": [finding.as_dict() for finding in findings]}
        click.echo(json.dumps(report, indent=2))
    else:
        _print(findings)
    if missing:
        names = ", ".join(finding.name for finding in missing)
        raise EnvironmentMissing(f"missing on this machine: {names}; the fix stands above.")
    if not as_json:
        click.echo("\nEverything required is here.")


def _print(findings: list[Finding]) -> None:
    group = ""
    for finding in findings:
        if finding.group != group:
            group = finding.group
            click.echo(f"\n{group}" if finding is not findings[0] else group)
        if finding.ok:
            mark = click.style("ok     ", fg="green")
        elif finding.required:
            mark = click.style("MISSING", fg="red", bold=True)
        else:
            mark = click.style("absent ", dim=True)
        click.echo(f"  {mark}  {finding.name:<26} {finding.detail}")
        if finding.fix and not finding.ok:
            click.echo(f"           {'':<26} fix: {finding.fix}")
