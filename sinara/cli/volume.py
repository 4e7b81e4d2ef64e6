"""``sinara volume``: the original's name for cleaning up data."""

from __future__ import annotations

import click

from sinara.cli.clean import volume_command


@click.group("volume")
def command() -> None:
    """Clean up the data of old runs."""


command.add_command(volume_command)
