"""Run a Python file as ``__main__`` and say how it ended; started by its own path.

``python -P module_runner.py RESULT FIRST SCRIPT [ARGUMENT...]``: RESULT gets one JSON object if
the script raised. FIRST is a file of ours that runs before it. ``StopExecution`` ends
with 254, as it ends a whole step.
Only the standard library is imported, and only before the script.
"""

from __future__ import annotations

import io
import json
import runpy
import sys
import traceback
from pathlib import Path

STOPPED = 254


def main() -> None:
    """Run the script; leave by ``SystemExit``."""
    result, first, script, *arguments = sys.argv[1:]
    exec(compile(Path(first).read_text(encoding="utf-8"), first, "exec"), {})
    sys.argv = [script, *arguments]
    sys.path.insert(0, str(Path(script).parent))
    for stream in (sys.stdout, sys.stderr):  # whole lines, as they come
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, write_through=False)
    try:
        runpy.run_path(script, run_name="__main__")
    except Exception as error:
        if type(error).__name__ == "StopExecution":
            sys.exit(STOPPED)
        _report(error, Path(result), script)
        sys.exit(1)


def _report(error: Exception, result: Path, script: str) -> None:
    """Print the traceback without our own frames, and keep it for the driver."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename != script:
        frames = frames.tb_next
    text = "".join(traceback.format_exception(type(error), error, frames))
    own = [frame for frame in traceback.extract_tb(frames) if frame.filename == script]
    line = own[0].lineno if own else getattr(error, "lineno", None)
    said = {"ename": type(error).__name__, "evalue": str(error), "line": line, "traceback": text}
    result.write_text(json.dumps(said), encoding="utf-8")
    sys.stderr.write(text)


if __name__ == "__main__":
    main()
