"""``sinara server``: named JupyterLab servers on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sinara.cli.output import print_json, print_table

if TYPE_CHECKING:
    from sinara.lab.servers import Server


@click.group("server")
def command() -> None:
    """Keep named JupyterLab servers, each with its data, work and tmp folders."""


_name = click.argument("name", default="default")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _place(kind: str, what: str) -> Callable[[Any], Any]:
    return click.option(
        f"--{kind}", type=click.Path(path_type=Path, file_okay=False),
        help=f"{what} [default: ~/sinara/NAME/{kind}]",
    )  # fmt: skip


@command.command("create")
@_name
@_place("data", "Where the entities live, a folder for each env.")
@_place("work", "What JupyterLab shows: make pipelines there.")
@_place("tmp", "Where temporary entities live.")
@_json
def create(
    name: str, data: Path | None, work: Path | None, tmp: Path | None, as_json: bool
) -> None:
    """Make the server NAME and its folders; it is not started."""
    from sinara.lab.servers import create_server

    _show([create_server(name, data=data, work=work, tmp=tmp)], as_json=as_json)
    click.echo(f"Start it: sinara server start {name}", err=True)


@command.command("start")
@_name
@click.option("--port", type=int, default=0, help="Where to listen. [default: any free port]")
@_json
def start(name: str, port: int, as_json: bool) -> None:
    """Start the server NAME in the background; prints its address, which holds a token."""
    from sinara.lab.servers import start_server

    server = start_server(name, port=port)
    if as_json:
        print_json("servers", [asdict(server)])
    else:
        click.echo(server.url)


@command.command("stop")
@_name
def stop(name: str) -> None:
    """End the server NAME and its kernels."""
    from sinara.lab.servers import stop_server

    ran = stop_server(name)
    click.echo(f"The server '{name}' has ended." if ran else f"The server '{name}' does not run.")


@command.command("list")
@_json
def list_all(as_json: bool) -> None:
    """List the servers, and whether each runs."""
    from sinara.lab.servers import list_servers

    _show(list_servers(), as_json=as_json)


@command.command("remove")
@_name
@click.option("--with-data", is_flag=True, help="Delete its data, work and tmp folders as well.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(name: str, with_data: bool, yes: bool) -> None:
    """Forget the server NAME; its folders stay, unless --with-data."""
    from sinara.lab.servers import get_server, remove_server

    server = get_server(name)
    if with_data and not yes:
        click.echo("\n".join((server.data, server.work, server.tmp)), err=True)
        click.confirm("Delete these folders with everything in them?", abort=True, err=True)
    remove_server(name, with_data=with_data)
    click.echo(f"The server '{name}' is removed.")


def _show(servers: list[Server] | tuple[Server, ...], *, as_json: bool) -> None:
    if as_json:
        print_json("servers", [{**asdict(server), "running": server.running} for server in servers])
        return
    rows = [(s.name, "running" if s.running else "stopped", s.work, s.data, s.tmp) for s in servers]
    print_table(("server", "", "work", "data", "tmp"), rows)
