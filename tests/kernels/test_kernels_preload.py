"""What may be imported ahead, and what is refused by its name."""

from __future__ import annotations

import subprocess
import sys

from tests.kernels.kernel_runs import eventually

BREAKS_THE_RULE = {
    "threaded": ("import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True, name='ticker').start()", "it leaves a thread running (ticker)"),
    "native": ("import ctypes\nlib = ctypes.CDLL(None)\nkept = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(lambda a: lib.sleep(60))\nlib.pthread_create(ctypes.byref(ctypes.c_ulong()), None, ctypes.cast(lib.pause, ctypes.c_void_p), None)", "it leaves 1 thread of its own running"),
    "opened": ("file = open(__file__)", "opened.py (descriptor"),
    "connected": ("import socket\nends = socket.socketpair()", "it leaves a connection"),
    "watching": ("import select\nwatch = select.epoll()", "it leaves a watch of the system"),
    "parental": ("import subprocess\nchild = subprocess.Popen(['sleep', '60'])", "it leaves a child process running"),
    "broken": ("1 / 0", "it cannot be imported: ZeroDivisionError: division by zero"),
    "crashing": ("import ctypes; ctypes.string_at(0)", "the process that imports it dies"),
    "leaving": ("import sys; sys.exit(3)", "it cannot be imported: SystemExit: 3"),
    "needing": ("import no_such_module_anywhere", "it cannot be imported: No module named 'no_such_module_anywhere'"),
}  # fmt: skip
DRIVER = """\
import json, os, sys, time
from pathlib import Path
import nbformat
from sinara.execute import ExecuteOptions, execute_notebook
folder = Path(sys.argv[1])
nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(
    "import sys\\nprint(open('/proc/self/comm').read().strip(), [m for m in %r if m in sys.modules], 'pandas' in sys.modules)" % (sys.argv[3:],))])
told, end = [], time.monotonic() + 200
while time.monotonic() < end and not (told and told[-1][1].endswith(sys.argv[2])):
    options = ExecuteOptions(folder / "rt", folder, dict(os.environ), preload=tuple(sys.argv[3:]))
    done = execute_notebook(nb, folder / "out.ipynb", options)
    told.append([done.status, done.notebook.cells[0].outputs[0].text, list(done.warnings)])
    time.sleep(0.5)
print(json.dumps(told))
"""


def drive(folder, expected, *modules, **files):
    """Run a notebook again and again, with modules to be imported ahead, until it prints that."""
    import json
    import os

    (folder / "lib").mkdir()
    for name, source in files.items():
        (folder / "lib" / f"{name}.py").write_text(source)
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(folder), f"{expected} True\n", *modules], capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": str(folder / "lib")}, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_a_module_of_the_settings_is_there_before_the_notebook_imports_it(tmp_path):
    told = drive(tmp_path, "['quiet']", "quiet", quiet="value = 1")

    assert told[-1] == ["succeeded", "sinara-kernel ['quiet'] True\n", []]


def test_modules_that_leave_more_than_memory_are_refused_by_their_names(tmp_path):
    told = drive(
        tmp_path,
        "['quiet']",
        *BREAKS_THE_RULE,
        "no_such_module_anywhere",
        "quiet",
        quiet="value = 1",
        **{name: source for name, (source, _) in BREAKS_THE_RULE.items()},
    )

    assert told[-1][:2] == ["succeeded", "sinara-kernel ['quiet'] True\n"]
    warnings = [text for _, _, texts in told for text in texts]
    for name, (_, why) in BREAKS_THE_RULE.items():
        [warning] = [text for text in warnings if f"Module '{name}' is" in text]
        assert warning.startswith(f"Module '{name}' is not imported ahead: ")
        assert why in warning
    missing = "Module 'no_such_module_anywhere' is not imported ahead: it is not installed here."
    assert missing in warnings
    assert len(warnings) == len(BREAKS_THE_RULE) + 1


def test_pandas_and_arrow_are_there_and_fit_for_a_fork(run):
    code = "import sys\nprint([m in sys.modules for m in ('pandas', 'pyarrow', 'IPython')])"
    told: list[str] = []

    def there() -> bool:
        told.extend(run(code).warnings)
        return "".join(run.streamed()).endswith("[True, True, True]\n")

    assert eventually(there, 60)
    assert told == []
