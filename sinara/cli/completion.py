"""``sinara completion``: the script that a shell needs for completion."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    bash:  eval "$(sinara completion bash)"
    zsh:   eval "$(sinara completion zsh)"
    fish:  sinara completion fish | source
    """  # noqa: D301 -- click reads the backspace
    from sinara.cli.app import root

    found = get_completion_class(shell)
    if found is not None:
        click.echo(found(root, {}, "sinara", "_SINARA_COMPLETE").source())
