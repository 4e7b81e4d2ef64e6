"""Something to make an image of: a service of a few lines, in the place of BentoML."""

from __future__ import annotations

from pathlib import Path

from sinara.images.values import Recipe
from tests.containers import BASE, PYTHON, wheel

EPOCH = 1_795_237_800  # 2026-11-21T05:10:00Z
SERVICE = """
import http.server, json, os, pathlib, sys

words = dict(zip(sys.argv[1:], sys.argv[2:]))
folder = pathlib.Path(sys.argv[2])

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status = dict(line.split(":", 1) for line in open("/proc/self/status"))
        try:
            (folder / "written").touch()
            writes = True
        except OSError:
            writes = False
        body = json.dumps({
            "path": self.path, "uid": os.getuid(), "gid": os.getgid(), "writes": writes,
            "caps": int(status["CapEff"], 16), "model": (folder / "m.bin").read_text(),
        }).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

sys.stdout.write("serving\\n")
address = words["--host"], int(words.get("--port", os.environ["PORT"]))
http.server.HTTPServer(address, Handler).serve_forever()
"""


def recipe(
    folder: Path, *, model: str = "weights", pins: str = "bentoml==0.0.1", **more: object
) -> Recipe:
    """Return a recipe whose only package is in a wheelhouse beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    wheels = folder / "wheels"
    wheel(wheels, "bentoml", "0.0.1", {"bentoml/__init__.py": "", "bentoml/__main__.py": SERVICE})
    for name, text in (("code/a.py", "x = 1\n"), ("model/m.bin", model)):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "requirements.txt").write_text(f"{pins}\n")
    given = {
        "base": BASE,
        "python": PYTHON,
        "requirements": folder / "requirements.txt",
        "code": folder / "code",
        "model": folder / "model",
        "epoch": EPOCH,
        "wheelhouse": wheels,
        **more,
    }
    return Recipe(**given)  # type: ignore[arg-type]
