"""``sinara lab``: JupyterLab in the pipeline's folder."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("lab")
@click.argument(
    "folder", type=click.Path(path_type=Path, file_okay=False, exists=True), default="."
)
@click.option("--port", type=int, default=0, help="Where to listen. [default: any free port]")
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
def command(folder: Path, port: int, no_browser: bool) -> int:
    """Start JupyterLab on 127.0.0.1 in the pipeline's folder; Ctrl-C ends it.

    FOLDER is the folder that holds the steps, or one of the steps. [default: this one]
    """
    from sinara.graph import pipeline_folder
    from sinara.lab.start import serve

    def opened(url: str, page: Path) -> None:
        click.echo(url)
        click.echo(
            "JupyterLab runs at this address, which lets in whoever has it. End: Ctrl-C", err=True
        )
        if not no_browser:
            import webbrowser

            webbrowser.open(page.as_uri())  # no token on its command line

    serve(pipeline_folder(folder.resolve()), port=port, opened=opened)
    return 0  # fmt: skip
