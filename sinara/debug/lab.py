"""JupyterLab on a failed substep: a copy of the notebook as it ran, in its surroundings.

::

    <scratch>/lab/train.ipynb      the copy; it goes with the session
    <scratch>/lab/<step's folder>  a link, so that the step's own files can be read and changed

The copy's kernel works in the step's folder. Git sees nothing of it.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sinara.debug.restore import Restored
from sinara.errors import InterruptedRunError, MissingExtraError, RunError, UsageError
from sinara.kernels import processes
from sinara.kernels.writer import notebook_bytes
from sinara.runner.signals import as_errors

START_SECONDS = 90.0
KERNEL = "sinara-debug"
# The kernel's own program, started in the folder that the notebook had.
_ENTER = "import os, sys; os.chdir(sys.argv[1]); os.execvp(sys.argv[2], sys.argv[2:])"


def open_lab(restored: Restored, opened: Callable[[str], None]) -> int:
    """Serve the notebook in JupyterLab on 127.0.0.1 until Ctrl-C.

    Args:
        restored: The substep.
        opened: Is given the address, with its token, once the server answers.

    Returns:
        0.

    Raises:
        MissingExtraError: If JupyterLab is not installed.
        UsageError: If the substep is no notebook.
        RunError: If the server does not start, or ends by itself.
        InterruptedRunError: If a signal other than Ctrl-C ends the session.
    """
    name = restored.failed.substep.name
    if not restored.failed.is_notebook:
        raise UsageError(f"{name} is a module, and JupyterLab opens notebooks. Leave out --lab.")
    if importlib.util.find_spec("jupyterlab") is None:
        raise MissingExtraError.for_extra("JupyterLab", "lab")
    folder = _lay_out(restored)
    env = _environment(restored)
    process = None
    with as_errors() as seen:
        try:
            process = processes.start(_command(restored, folder), env=env, cwd=folder)
            runtime = Path(env["JUPYTER_RUNTIME_DIR"])
            opened(f"{_address(process, runtime)}lab/tree/{name}?token={env['JUPYTER_TOKEN']}")
            while process.poll() is None:
                time.sleep(0.2)
            raise RunError(f"JupyterLab has ended: {_last_words(process)}")
        except InterruptedRunError:
            if seen != ["SIGINT"]:
                raise
        finally:
            if process is not None:
                process.close()
    return 0


def _lay_out(restored: Restored) -> Path:
    """Write the copy, the link and the kernel, and return the folder that the server shows."""
    failed, scratch = restored.failed, restored.scratch
    folder = scratch / "lab"
    folder.mkdir(mode=0o700)
    (folder / failed.folder.name).symlink_to(failed.folder, target_is_directory=True)
    (folder / failed.substep.name).write_bytes(notebook_bytes(_notebook(restored)))
    kernel = scratch / "jupyter" / "kernels" / KERNEL
    kernel.mkdir(parents=True)
    spec = restored.kernel
    program = spec.command(Path("connection.json"))[0]
    described = {
        "argv": [sys.executable, "-c", _ENTER, str(failed.folder), program, *spec.argv[1:]],
        "display_name": f"{spec.name} in {failed.folder.name}",
        "language": spec.language,
        "interrupt_mode": spec.interrupt_mode,
        "env": dict(spec.env),
    }
    (kernel / "kernel.json").write_text(json.dumps(described), encoding="utf-8")
    return folder


def _notebook(restored: Restored) -> dict[str, Any]:
    """Return the executed notebook, its outputs kept, with a cell on top that says what it is."""
    failed = restored.failed
    notebook = copy.deepcopy(failed.notebook)
    notebook["metadata"]["kernelspec"] = {
        "name": KERNEL,
        "display_name": f"{restored.kernel.name} in {failed.folder.name}",
        "language": "python",
    }
    where = "" if failed.failed is None else f" It failed in cell {failed.failed + 1} below this."
    text = (
        f"**A copy for debugging** of `{failed.substep.name}` as it ran in "
        f"`{failed.record.run_id}`.{where} It is removed at the end of the session: change the "
        f"notebook itself, in the folder `{failed.folder.name}` on the left.\n\n"
        + "\n".join(f"* {line}" for line in restored.told)
    )
    top = {"cell_type": "markdown", "id": "sinara-debug", "metadata": {}, "source": text}
    notebook["cells"].insert(0, top)
    return notebook


def _environment(restored: Restored) -> dict[str, str]:
    others = restored.env.get("JUPYTER_PATH", "")
    path = os.pathsep.join([str(restored.scratch / "jupyter"), *([others] if others else [])])
    return {**restored.env, "JUPYTER_PATH": path, "JUPYTER_TOKEN": secrets.token_hex(24)}


def _command(restored: Restored, folder: Path) -> list[str]:
    root = [] if not hasattr(os, "geteuid") or os.geteuid() else ["--allow-root"]
    return [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", *root),
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={folder}"),
        "--ServerApp.default_url=/lab",
        f"--LabApp.workspaces_dir={restored.scratch / 'workspaces'}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--NotebookNotary.db_file=:memory:",
        "--FileContentsManager.delete_to_trash=False",
    ]


def _address(process: processes.Process, runtime: Path) -> str:
    """Wait for the server and return its address; it writes it down when it answers."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            try:
                return str(json.loads(file.read_text(encoding="utf-8"))["url"])
            except (OSError, ValueError, KeyError):  # it is being written
                continue
        time.sleep(0.1)
    raise RunError(f"JupyterLab does not start: {_last_words(process)}")


def _last_words(process: processes.Process) -> str:
    how = process.poll()
    said = [line.strip() for line in how.log.splitlines() if line.strip()] if how else []
    return said[-1][:300] if said else "it said nothing."
