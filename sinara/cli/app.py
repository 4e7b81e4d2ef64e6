"""The root of the command line: groups that are imported only when they are used."""

from __future__ import annotations

import errno
import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from sinara import __version__
from sinara.cli.output import say
from sinara.errors import SinaraError, suggest
from sinara.streams import hold_streams, let_go_of_streams

_GROUPS = {
    "pipeline": (
        "sinara.cli.pipeline",
        "Make, draw, check and run a pipeline; Git over its steps.",
    ),
    "step": ("sinara.cli.step", "Make, check and run a step."),
    "run": ("sinara.cli.run", "List runs, show, follow, open and stop them."),
    "entity": ("sinara.cli.entity", "List entities, show them, look into them, verify them."),
    "model": ("sinara.cli.model", "Serve a saved model, test it, make an image of it."),
    "why": ("sinara.cli.why", "Tell what an entity or an image was made from."),
    "volume": ("sinara.cli.volume", "Clean up the data of old runs."),
    "lab": ("sinara.cli.lab", "Start JupyterLab in the pipeline's folder."),
    "server": ("sinara.cli.server", "Keep named JupyterLab servers on this machine."),
    "doctor": ("sinara.cli.doctor", "Say what this machine has and lacks."),
    "completion": ("sinara.cli.completion", "Print the completion script of a shell."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order of the table."""
        del ctx
        return list(_GROUPS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        del ctx
        if cmd_name not in _GROUPS:
            return None
        module = importlib.import_module(_GROUPS[cmd_name][0])
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _GROUPS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Answer an unknown command with the nearest known one."""
        if args and args[0] not in _GROUPS and not args[0].startswith("-"):
            hint = suggest(args[0], list(_GROUPS)) or f"Known are {', '.join(_GROUPS)}."
            ctx.fail(f"No such command '{args[0]}'. {hint}")
        return super().resolve_command(ctx, args)


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sinara")
def root() -> None:
    """Notebooks as pipelines that can be trusted.

    \b
    First steps:
      sinara pipeline create                  make a pipeline: steps that run as they are
      sinara pipeline graph -o graph.html     draw it
      sinara step check                       look for mistakes, run nothing
      sinara step run                         run the step in this folder
      sinara run show                         what the last run did
      sinara entity list                      what was published
    """  # noqa: D301 -- click reads the backspace


def run(arguments: Sequence[str] | None) -> int:
    """Run one command and return its exit code."""
    hold_streams()
    code = _run(arguments)
    let_go_of_streams()
    return code


def _run(arguments: Sequence[str] | None) -> int:
    given: Any = None if arguments is None else list(arguments)
    try:
        code = root.main(args=given, prog_name="sinara", standalone_mode=False)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.exceptions.Abort:
        click.echo("sinara: interrupted", err=True)
        return 130
    except KeyboardInterrupt:
        click.echo("sinara: interrupted", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SinaraError as error:
        for line in error.lines:
            for number, part in enumerate(line.split("\n")):
                say(part if number else f"sinara: {part}", err=True)
        return error.exit_code
    except SystemExit:
        if not type(sys.stdout).__name__.endswith("PacifyFlushWrapper"):
            raise
        return 0  # click met a closed pipe: the reader has seen enough, as in: run list | head -1
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        click.echo("sinara: the answer cannot be written: the disk is full.", err=True)
        return 2
    return code if isinstance(code, int) else 0
