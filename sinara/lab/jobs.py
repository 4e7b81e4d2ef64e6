"""The runs that were started from the browser: one at a time for each step."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sinara.errors import UsageError

_KEPT = 50  # runs that are over and can still be asked for
_LAST = 2000  # characters of what a process said that broke off


@dataclass
class Job:
    """One run and what it said last."""

    id: str
    folder: Path
    step: str
    process: subprocess.Popen[bytes]
    began: float
    ended: float | None = None
    last: dict[str, Any] = field(default_factory=dict)  # substep, cell, …
    end: dict[str, Any] = field(default_factory=dict)
    cells: int | None = None

    @property
    def running(self) -> bool:
        """Whether its process lives, or its last words are not read yet."""
        return self.ended is None

    @property
    def evidence(self) -> Path | None:
        """Where its record and reports lie."""
        place = self.end.get("evidence")
        return Path(place) if place else None

    def state(self) -> dict[str, Any]:
        """Return what the browser shows."""
        seconds = (self.ended or time.monotonic()) - self.began
        return {
            "id": self.id,
            "step": self.step,
            "state": "running" if self.running else self.end.get("status", "lost"),
            "seconds": round(seconds, 1),
            "substep": self.last.get("substep", ""),
            "number": self.last.get("number"),
            "of": self.last.get("of"),
            "cell": self.last.get("cell"),
            "cells": self.cells,
            "message": self.end.get("message", ""),
            "note": self.end.get("note", ""),
            "failure": self.end.get("failure"),
        }


class Jobs:
    """All runs of one server."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def start(self, folder: Path, step: str) -> Job:
        """Start a run of the step in ``folder``.

        Raises:
            UsageError: If one was started here that still goes on.
        """
        with self._lock:
            for job in self._jobs.values():
                if job.folder == folder and job.running:
                    raise UsageError(f"The step {job.step} is running already. Stop it first.")
            # -P: the step's folder, where it works, is no place to import the worker from.
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "sinara.lab.worker", str(folder)],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, start_new_session=True, env=_environment(),
            )  # fmt: skip
            job = Job(secrets.token_hex(16), folder, step, process, time.monotonic())
            over = [each.id for each in self._jobs.values() if not each.running]
            for old in over[: max(0, len(over) - _KEPT)]:
                del self._jobs[old]
            self._jobs[job.id] = job
        threading.Thread(target=_follow, args=(job,), daemon=True, name="sinara-run").start()
        return job

    def get(self, id_: str) -> Job:
        """Return a run.

        Raises:
            UsageError: If there is none.
        """
        try:
            return self._jobs[id_]
        except KeyError:
            raise UsageError("That run is not known here: the server was restarted.") from None

    def stop(self, id_: str) -> None:
        """End a run as Ctrl-C does: it writes its record and goes."""
        job = self.get(id_)
        if job.running and job.process.poll() is None:
            os.kill(job.process.pid, signal.SIGINT)

    def end_all(self) -> None:
        """End every run, when the server ends."""
        for job in list(self._jobs.values()):
            if job.running and job.process.poll() is None:
                os.kill(job.process.pid, signal.SIGINT)


def _environment() -> dict[str, str]:
    """Return the server's environment without what belongs to Jupyter's own processes."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("JPY_", "JUPYTER_TOKEN"))}


def _follow(job: Job) -> None:
    """Read what a run says until it ends; whatever happens, the run is then over."""
    said: list[bytes] = []
    words = job.process.stderr
    assert words is not None
    reader = threading.Thread(target=lambda: said.append(words.read()), daemon=True)
    reader.start()
    try:
        assert job.process.stdout is not None
        for line in job.process.stdout:
            try:
                told = json.loads(line)
            except ValueError:
                continue
            _note(job, told)
        job.process.wait()
        reader.join()
        if not job.end:
            text = b"".join(said).decode("utf-8", "replace").strip()[-_LAST:]
            last = text.splitlines()[-1] if text else f"exit code {job.process.returncode}"
            job.end = {"status": "lost", "message": f"The run broke off: {last}"}
    finally:
        job.ended = time.monotonic()
        for stream in (job.process.stdout, job.process.stderr):
            if stream is not None:
                stream.close()


def _note(job: Job, told: dict[str, Any]) -> None:
    kind = told.get("kind")
    if kind == "end":
        job.end = told
    elif kind == "substep_start":
        job.last, job.cells = {**told, "cell": None}, None
    elif kind == "kernel":
        job.cells = told.get("of")
    elif kind == "cell_start":
        job.last = {**job.last, "cell": told.get("cell")}
        job.cells = told.get("of") or job.cells
