"""An image of a model: built, built again, built with new weights; against BentoML's own.

Run: python tools/bench/bench_image.py [--backends buildah,direct] [--no-peer]

Goals: a build after new weights at most 0.2 x the first one, and at most 15 s; a build of the same
entity again gives the same image; the image at most 1.05 x the smallest that BentoML builds on the
same base. The first build starts with no layer of an earlier one, and the packages that uv keeps
on this machine. The peer is the Dockerfile that BentoML writes, built by buildah.

Needs buildah, podman and root, as the tests of images do.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
PARAMS = {
    "pipeline_params": {"env_name": "user", "pipeline_name": "bench", "zone_name": "zone"},
    "step_params": {"step_name": "pack"},
    "substeps_params": [{"substep_name": "pack.ipynb", "substep_params": {}}],
}
SERVICE = """
import bentoml, numpy as np

image = bentoml.images.Image(base_image="{base}", distro="custom", python_version="{python}")
image = image.python_packages({packages})

@bentoml.service(name="iris", image=image)
class Iris:
    def __init__(self):
        import pickle
        self.model = pickle.load(open("model.pkl", "rb"))

    @bentoml.api
    def predict(self, rows: list[dict]) -> list[int]:
        import pandas as pd
        return self.model.predict(pd.DataFrame(rows)).tolist()
"""


def published(substep: Any, seed: int) -> str:
    """Save a model that others of other seeds differ from, publish it, and return the run."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    from sinara.bentoml import make_service
    from sinara.serving.save import save

    rows, kinds = load_iris(return_X_y=True, as_frame=True)
    model = LogisticRegression(max_iter=500, C=1.0 + seed).fit(rows, kinds)
    save(make_service(model, rows.head(3), name="iris"), path=substep.outputs().service)
    run: str = substep.publish()
    return run


def built(backend: str, base: str, run: str, folder: Path) -> tuple[float, str]:
    """Build an image by the command, and return how long it took and its id."""
    command = [sys.executable, "-m", "sinara", "model", "containerize", "service"]
    command += ["--run", run, "--backend", backend, "--base", base, "--json"]
    command += ["--archive", str(folder / f"{run}.tar")] if backend == "direct" else []
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    took = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(done.stderr)
    return took, json.loads(done.stdout)["image"]["id"]


def size_of(image: str) -> int:
    """Return the bytes of an image's layers, unpacked."""
    asked = ["podman", "image", "inspect", image, "--format", "{{.Size}}"]
    return int(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)


def by_bentoml(base: str, requirements: str, folder: Path) -> tuple[float, str]:
    """Build the same model with the same packages as BentoML does; return seconds and id."""
    import pickle

    import bentoml
    from bentoml._internal.bento.bento import BentoStore
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    context, store, place = (folder / name for name in ("context", "bentos", "exported"))
    context.mkdir()
    store.mkdir()
    rows, kinds = load_iris(return_X_y=True, as_frame=True)
    model = LogisticRegression(max_iter=500).fit(rows, kinds)
    (context / "model.pkl").write_bytes(pickle.dumps(model))
    packages = ", ".join(map(repr, requirements.split()))
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    text = SERVICE.format(base=base, python=python, packages=packages)
    (context / "service.py").write_text(text)
    bento = bentoml.bentos.build(
        "service:Iris",
        build_ctx=str(context),
        python={"lock_packages": False},
        _bento_store=BentoStore(store),
    )
    bento.export(str(place), output_format="folder")
    certificates = "/etc/ssl/certs/ca-certificates.crt"
    command = ["buildah", "build", "--isolation", "chroot", "-v", f"{certificates}:{certificates}"]
    command += ["-v", f"{shutil.which('uv', path=Path(sys.executable).parent)}:/usr/local/bin/uv"]
    command += ["--iidfile", str(folder / "id")]
    # the base has no groupadd: its user is written down instead, which is smaller
    dockerfile = place / "env/docker/Dockerfile"
    text = dockerfile.read_text()
    begin = text.index("RUN if command -v groupadd")
    finish = text.index("fi\n", begin) + 3
    user = (
        "RUN echo 'bentoml:x:1034:1034::/home/bentoml:/bin/sh' >> /etc/passwd"
        " && echo 'bentoml:x:1034:' >> /etc/group && mkdir -p /home/bentoml\n"
    )
    text = text[:begin] + user + text[finish:]
    begin = text.index("RUN { command -v uv")  # uv is there, and the base has no awk to see it
    finish = text.index("\n}\n", begin) + 3
    text = text[:begin] + f"ENV SSL_CERT_FILE={certificates}\n" + text[finish:]
    dockerfile.write_text(text)
    command += ["-f", str(dockerfile), str(place)]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    took = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return took, (folder / "id").read_text().strip()


@contextmanager
def place() -> Iterator[tuple[Path, Any]]:
    """Storage with a base image, a cache of layers, and the substep of a step."""
    from tests.containers import storage

    scratch = Path(tempfile.mkdtemp(prefix="sinara-bench-"))
    try:
        with storage(scratch / "containers") as made:
            os.environ.update({**made.environ, "XDG_CACHE_HOME": str(scratch / "cache")})
            folder = scratch / "steps/b-pack"
            (folder / "params").mkdir(parents=True)
            (folder / "params/step_params.json").write_text(json.dumps(PARAMS))
            os.chdir(folder)
            from sinara.substep import ENTITY_NAME, NotebookSubstep

            substep = NotebookSubstep()
            substep.interface(outputs=[{ENTITY_NAME: "service"}])
            yield scratch, substep
    finally:
        os.chdir("/")
        shutil.rmtree(scratch, ignore_errors=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", default="buildah,direct")
    parser.add_argument("--no-peer", action="store_true")
    asked = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors")
    from tests.containers import BASE

    with place() as (scratch, substep):
        archive = scratch / "base.tar"
        make = [sys.executable, str(ROOT / "tools/base_image.py"), "--oci-archive", str(archive)]
        subprocess.run([*make, "python:3.11"], check=True, capture_output=True)
        runs = published(substep, 0), published(substep, 1)
        ids = {}
        for backend in asked.backends.split(","):
            base = f"oci-archive:{archive}" if backend == "direct" else BASE
            first, one = built(backend, base, runs[0], scratch)
            again, two = built(backend, base, runs[0], scratch)
            later, _ = built(backend, base, runs[1], scratch)
            ids[backend] = one
            same = "the same image" if one == two else "ANOTHER IMAGE"
            print(f"{backend:<8} first build         {first:6.1f} s")
            print(f"{backend:<8} again               {again:6.1f} s   {same}")
            missed = "" if later <= min(0.2 * first, 15) else "   MISSED"
            print(
                f"{backend:<8} new weights         {later:6.1f} s   "
                f"ratio {later / first:.2f}   goal 0.2, 15 s{missed}"
            )
        if "buildah" in ids and not asked.no_peer:
            pins = subprocess.run(
                [sys.executable, "-m", "sinara", "model", "requirements", "service"],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            took, peer = by_bentoml(BASE, pins, scratch)
            ours, theirs = size_of(ids["buildah"].removeprefix("sha256:")), size_of(peer)
            ratio = ours / theirs
            print(f"BentoML  first build         {took:6.1f} s")
            missed = "" if ratio <= 1.05 else "   MISSED"
            print(
                f"image {ours / 1e6:.0f} MB, BentoML's {theirs / 1e6:.0f} MB"
                f"   ratio {ratio:.2f}   goal 1.05{missed}"
            )


if __name__ == "__main__":
    main()
