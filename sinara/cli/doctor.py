"""``sinara doctor``: what this machine has, what it lacks, and how to get it."""

from __future__ import annotations

import click

from sinara.cli.output import print_json


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> int:
    """Say what this machine has and lacks. Ends with 3 if something that is needed is missing."""
    from dataclasses import asdict

    from sinara.doctor import examine

    findings = examine()
    if as_json:
        print_json("checks", [asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark = "ok     " if finding.ok else "missing" if finding.needed else "without"
            click.echo(
                f"{mark}  {finding.what}: {finding.found}"
                + (f" -- {finding.advice}" if finding.advice and not finding.ok else "")
            )
    return 3 if any(finding.needed and not finding.ok for finding in findings) else 0
