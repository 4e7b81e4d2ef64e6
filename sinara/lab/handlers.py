"""What the browser asks of the extension: inside Jupyter's server, behind its authentication.

::

    GET    sinara/api/step?path=NOTEBOOK   which step a notebook belongs to
    POST   sinara/api/run {"path": …}      run that step
    GET    sinara/api/run/ID               how it goes
    DELETE sinara/api/run/ID               stop it
    GET    sinara/graph?path=…             the page of the graph
    GET    sinara/report/ID/FILE           a file of a run's evidence

Pages made from notebooks are served with a policy that takes their origin away: whatever is in
them, it can do nothing in the name of the person who looks at them.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import mimetypes
import secrets
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web

from sinara.errors import SinaraError
from sinara.lab.graph import graph_page
from sinara.lab.jobs import Jobs
from sinara.lab.places import pipeline_of, step_of

_POLICY = "sandbox allow-scripts allow-popups; frame-ancestors 'self'"
_SHOWN = (".html", ".ipynb", ".json", ".log", ".txt", ".png", ".svg", ".css")


def add_handlers(server_app: Any) -> None:
    """Add the handlers to a Jupyter server."""
    application = server_app.web_app
    root = Path(server_app.root_dir).expanduser()
    shared = _Shared(root, application.settings["base_url"])
    base = partial(url_path_join, shared.base_url, "sinara")
    given = {"shared": shared}
    atexit.register(shared.jobs.end_all)  # a run ends with the server that it was started from
    application.add_handlers(
        ".*$",
        [
            (base("api/step"), StepHandler, given),
            (base("api/run"), RunHandler, given),
            (base(r"api/run/([0-9a-f]{32})"), OneRunHandler, given),
            (base("graph"), GraphHandler, given),
            (base(r"report/([0-9a-f]{32})/(.+)"), ReportHandler, given),
        ],
    )


class _Shared:
    """What all handlers of a server know."""

    def __init__(self, root: Path, base_url: str) -> None:
        self.root, self.base_url = root, base_url
        self.jobs = Jobs()
        self._folders: dict[str, Path] = {}
        self._ids: dict[Path, str] = {}

    def report(self, path: str | Path) -> str:
        """Return the address of a page in a run's evidence folder, by an id that says nothing."""
        page = Path(path)
        folder = next((p for p in page.parents if p.parent.name == "_runs"), page.parent)
        if folder not in self._ids:
            self._ids[folder] = secrets.token_hex(16)
            self._folders[self._ids[folder]] = folder
        inside = quote(page.relative_to(folder).as_posix())
        return url_path_join(self.base_url, "sinara/report", self._ids[folder], inside)

    def folder(self, id_: str) -> Path | None:
        """Return the evidence folder of an id."""
        return self._folders.get(id_)


class _Told:
    """A handler that answers an error of ours with its line."""

    def initialize(self, shared: _Shared) -> None:
        """Take what all handlers know."""
        self.shared = shared

    def refuse(self, error: SinaraError, status: int = 400) -> None:
        """Answer with the line of an error."""
        self.set_status(status)  # type: ignore[attr-defined]
        self.finish(json.dumps({"message": " ".join(error.lines)}))  # type: ignore[attr-defined]


class StepHandler(_Told, APIHandler):
    """Which step a notebook belongs to."""

    @web.authenticated
    def get(self) -> None:
        """Answer with the step's name; an empty one outside of every step."""
        try:
            folder = step_of(self.shared.root, self.get_query_argument("path", ""))
        except SinaraError:
            folder = None
        self.finish(json.dumps({"step": folder.name if folder else ""}))


class RunHandler(_Told, APIHandler):
    """Runs are started here."""

    @web.authenticated
    def post(self) -> None:
        """Start the step of a notebook; answer with the run's id."""
        body = self.get_json_body()
        path = body.get("path") if isinstance(body, dict) else None
        if not isinstance(path, str):
            raise web.HTTPError(400, "path is missing")
        try:
            folder = step_of(self.shared.root, path)
            if folder is None:
                raise web.HTTPError(404, "That notebook belongs to no step.")
            job = self.shared.jobs.start(folder, folder.name)
        except SinaraError as error:
            self.refuse(error, 409)
            return
        self.set_status(201)
        self.finish(json.dumps({"id": job.id}))


class OneRunHandler(_Told, APIHandler):
    """One run."""

    @web.authenticated
    def get(self, id_: str) -> None:
        """Answer with how it goes, and where its report is once it is over."""
        try:
            job = self.shared.jobs.get(id_)
        except SinaraError as error:
            self.refuse(error, 404)
            return
        state = job.state()
        page = job.evidence / "index.html" if job.evidence and not job.running else None
        if page is not None and page.is_file():
            state["report"] = self.shared.report(page).removeprefix(
                url_path_join(self.shared.base_url, "sinara/")
            )
        self.finish(json.dumps(state))

    @web.authenticated
    def delete(self, id_: str) -> None:
        """Stop it."""
        try:
            self.shared.jobs.stop(id_)
        except SinaraError as error:
            self.refuse(error, 404)
            return
        self.set_status(204)


class _PageHandler(_Told, JupyterHandler):
    """A page that anybody's text may be in."""

    @property
    def content_security_policy(self) -> str:
        """No origin, and nobody else's frame."""
        return _POLICY

    def page(self, body: bytes, kind: str) -> None:
        """Answer with a file."""
        self.set_header("Content-Type", kind)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")
        self.finish(body)


class GraphHandler(_PageHandler):
    """The graph around a notebook or folder."""

    @web.authenticated
    async def get(self) -> None:
        """Answer with its page, or with the line that says why there is none."""
        try:
            folder = pipeline_of(self.shared.root, self.get_query_argument("path", ""))
            made = await asyncio.to_thread(graph_page, folder, self.shared.report)
        except SinaraError as error:
            self.set_status(404)
            self.page(" ".join(error.lines).encode("utf-8", "replace"), "text/plain; charset=utf-8")
            return
        self.page(made.encode("utf-8", "backslashreplace"), "text/html; charset=utf-8")


class ReportHandler(_PageHandler):
    """Files of a run's evidence."""

    @web.authenticated
    async def get(self, id_: str, name: str) -> None:
        """Answer with a file; nothing outside of the run's own folder."""
        folder = self.shared.folder(id_)
        if folder is None:
            raise web.HTTPError(404)
        path = (folder / name).resolve()
        good = path.is_relative_to(folder.resolve()) and path.suffix in _SHOWN
        if not good or not path.is_file():
            raise web.HTTPError(404)
        body = await asyncio.to_thread(path.read_bytes)
        kind = mimetypes.guess_type(path.name)[0] or "text/plain"
        text = path.suffix in (".log", ".ipynb", ".json", ".txt")
        self.page(body, "text/plain; charset=utf-8" if text else f"{kind}; charset=utf-8")
