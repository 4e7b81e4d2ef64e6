"""Work on steps in JupyterLab: badges, "Run step" and the graph; and JupyterLab started for it.

::

    labextension  what runs in the browser: written by hand, nothing is built
    handlers      what the browser asks: inside Jupyter's server, with its authentication
    jobs          the runs that were started from there
    worker        one of them: a step run in a process of its own
    places        which folders and files may be asked for
    start         JupyterLab on this machine, for a folder
    servers       named ones, with their data, work and tmp folders
"""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell Jupyter's server where its extension is."""
    return [{"module": "sinara.lab"}]


def _load_jupyter_server_extension(server_app: Any) -> None:
    """Add what the browser asks to Jupyter's server."""
    from sinara.lab.handlers import add_handlers

    add_handlers(server_app)
