"""A model saved as a service, served, and asked; against a copy, and against plain BentoML.

Run: python tools/bench/bench_serving.py [--megabytes 100] [--rounds 5] [--seconds 5]

Goals: save of a model of 100 MB at most 1.3 x (copy + SHA-256); first answer of `sinara model
serve` at most 1.1 x `bentoml serve` of the same bento; requests per second and p99 within 5 % of
plain BentoML. Sides take turns, and a ratio is the median of the turns' ratios.

Plain BentoML is the same bento started by BentoML itself, and a service written by hand with the
same model and the same checks of its input.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CLIENTS = 8
PARAMS = {
    "pipeline_params": {"env_name": "user", "pipeline_name": "bench", "zone_name": "zone"},
    "step_params": {"step_name": "pack"},
    "substeps_params": [{"substep_name": "pack.ipynb", "substep_params": {}}],
}
BY_HAND = """
import json, pickle
from pathlib import Path
import bentoml, pandas as pd
from pydantic import BaseModel, ConfigDict, Field

HERE = Path(__file__).parent

class Row(BaseModel):
    model_config = ConfigDict(extra="forbid")
    a: float = Field(alias="sepal length (cm)")
    b: float = Field(alias="sepal width (cm)")
    c: float = Field(alias="petal length (cm)")
    d: float = Field(alias="petal width (cm)")

@bentoml.service(name="byhand", workers=1, traffic={"timeout": 60})
class ByHand:
    def __init__(self):
        self.model = pickle.loads((HERE / "model/model.pkl").read_bytes())

    @bentoml.api(batchable=True, max_batch_size=100, max_latency_ms=60000)
    def predict(self, rows: list[Row]) -> list[int]:
        frame = pd.DataFrame([row.model_dump(by_alias=True) for row in rows])
        return self.model.predict(frame).tolist()
"""


def seconds(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def told(what: str, ours: str, ratio: float, goal: float) -> None:
    """Print one line."""
    mark = "" if ratio <= goal else "   MISSED"
    print(f"{what:<44} {ours:<22} ratio {ratio:5.2f}   goal {goal}{mark}", flush=True)


@contextmanager
def step(folder: Path) -> Iterator[Any]:
    """A step's folder, and the substep of a notebook that is run by hand in it."""
    (folder / "params").mkdir(parents=True)
    (folder / "params/step_params.json").write_text(json.dumps(PARAMS))
    os.chdir(folder)
    from sinara.substep import ENTITY_NAME, NotebookSubstep

    substep = NotebookSubstep()
    substep.interface(outputs=[{ENTITY_NAME: "service"}])
    yield substep
    os.chdir("/")


# -- saving --------------------------------------------------------------------------------


def bench_save(megabytes: int, rounds: int) -> None:
    """A model file of so many MB, saved; against a copy of it and its digest."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from sinara.bentoml import make_service
    from sinara.serving.save import save

    with tempfile.TemporaryDirectory() as scratch, step(Path(scratch, "steps/b-pack")) as substep:
        weights = np.random.default_rng(0).random((100, megabytes * 2500), dtype="float32")
        graph = helper.make_graph(
            [
                helper.make_node("MatMul", ["x", "w"], ["z"]),
                helper.make_node("ReduceMean", ["z"], ["y"], axes=[1], keepdims=0),
            ],
            "mean",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 100])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
            [numpy_helper.from_array(weights, "w")],
        )
        file, copy = Path(scratch, "model.onnx"), Path(scratch, "copy.onnx")
        opset = [helper.make_opsetid("", 13)]
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(file))
        service = make_service(file, np.ones((2, 100), dtype="float32"))
        url = substep.outputs().service

        def by_us() -> None:
            save(service, path=url, substep=substep)

        def by_hand() -> None:
            shutil.copyfile(file, copy)
            with copy.open("rb") as stream:
                hashlib.file_digest(stream, "sha256").hexdigest()

        first = seconds(by_us)
        ours, theirs = [], []
        for _ in range(rounds):
            copy.unlink(missing_ok=True)
            theirs.append(seconds(by_hand))
            shutil.rmtree(url)
            ours.append(seconds(by_us))
        ratio = statistics.median(o / t for o, t in zip(ours, theirs, strict=True))
        told(f"save {megabytes} MB", f"{statistics.median(ours):.3f} s", ratio, 1.3)
        print(f"  the first save of a process, which looks at its packages: {first:.2f} s")


# -- serving -------------------------------------------------------------------------------


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def first_answer(command: list[str], port: int, body: bytes, expected: Any) -> float:
    """Return how long it takes from the start of a command to its first answer; then end it."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        while True:
            try:
                answer = post(port, body)
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit(f"{command} ended") from None
                time.sleep(0.02)
        took = time.perf_counter() - began
        assert answer == expected, answer
        return took
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server and what it started."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def post(port: int, body: bytes) -> Any:
    """Ask a service on this machine."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/predict", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def load(port: int, body: bytes, during: float) -> tuple[float, float]:
    """Return requests per second, and the 99th percentile of their seconds, of some clients."""
    import http.client

    taken: list[list[float]] = [[] for _ in range(CLIENTS)]
    until = time.perf_counter() + during

    def ask(mine: list[float]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while (begun := time.perf_counter()) < until:
            connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            mine.append(time.perf_counter() - begun)

    threads = [threading.Thread(target=ask, args=(mine,)) for mine in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = sorted(one for mine in taken for one in mine)
    return len(every) / during, every[int(len(every) * 0.99)]


def bench_serve(rounds: int, during: float) -> None:
    """A model of scikit-learn: started, and asked by several clients."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    from sinara.bentoml import load_bentoservice, make_service
    from sinara.serving.save import save

    rows, kinds = load_iris(return_X_y=True, as_frame=True)
    model = LogisticRegression(max_iter=500).fit(rows, kinds)
    with tempfile.TemporaryDirectory() as scratch, step(Path(scratch, "steps/b-pack")) as substep:
        save(make_service(model, rows.head(3), name="iris"), path=substep.outputs().service)
        substep.publish()
        bento = load_bentoservice(substep.outputs().service).folder
        hand = Path(scratch, "byhand")
        shutil.copytree(bento, hand)
        (hand / "src/byhand.py").write_text(BY_HAND)
        manifest = (hand / "bento.yaml").read_text()
        manifest = manifest.replace("sinara_service:SinaraService", "byhand:ByHand")
        (hand / "bento.yaml").write_text(manifest.replace("iris", "byhand"))
        body = json.dumps({"rows": rows.head(3).to_dict("records")}).encode()
        expected = model.predict(rows.head(3)).tolist()

        def plain(folder: Path, port: int) -> list[str]:
            serve = ["-m", "bentoml", "serve", str(folder), "--host", "127.0.0.1"]
            return [sys.executable, *serve, "--port", str(port)]

        def ours(port: int) -> list[str]:
            return [
                *(sys.executable, "-m", "sinara", "model", "serve", "service"),
                *("--port", str(port)),
            ]

        starts = []
        for _ in range(rounds):
            port = free_port()
            theirs = first_answer(plain(bento, port), port, body, expected)
            port = free_port()
            starts.append((first_answer(ours(port), port, body, expected), theirs))
        mine = statistics.median(one for one, _ in starts)
        ratio = statistics.median(one / other for one, other in starts)
        told("first answer / bentoml serve, same bento", f"{mine:.2f} s", ratio, 1.1)
        compare("same bento, by BentoML", ours, lambda p: plain(bento, p), body, rounds, during)
        compare("a service by hand", ours, lambda p: plain(hand, p), body, rounds, during)


def compare(
    peer: str,
    ours: Callable[[int], list[str]],
    theirs: Callable[[int], list[str]],
    body: bytes,
    rounds: int,
    during: float,
) -> None:
    """Ask two servers that both run, in turns."""
    ports = free_port(), free_port()
    sides = [
        subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        for command in (ours(ports[0]), theirs(ports[1]))
    ]
    try:
        for port in ports:
            while True:
                try:
                    post(port, body)
                    break
                except OSError:
                    time.sleep(0.1)
        for port in ports:  # both are up: BentoML learns from its first requests how to batch
            load(port, body, 2.0)
        turns = [[load(port, body, during) for port in ports] for _ in range(rounds)]
    finally:
        for process in sides:
            end(process)
    rate = statistics.median(mine[0] for mine, _ in turns)
    late = statistics.median(mine[1] for mine, _ in turns)
    told(
        f"time per request / {peer}",
        f"{rate:.0f} requests/s",
        statistics.median(other[0] / mine[0] for mine, other in turns),
        1.05,
    )
    told(
        f"p99 / {peer}",
        f"{late * 1000:.1f} ms",
        statistics.median(mine[1] / other[1] for mine, other in turns),
        1.05,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of load, per side and round")
    asked = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors, {CLIENTS} clients")
    bench_save(asked.megabytes, asked.rounds)
    bench_serve(asked.rounds, asked.seconds)


if __name__ == "__main__":
    main()
