"""Warm kernels: forked ones are as new, know nothing of each other, and behave as ordinary ones."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile

import psutil
import pytest

from sinara.errors import KernelDiedError
from sinara.execute import end_kernels
from sinara.kernels.pool import pool
from tests.kernels.kernel_runs import eventually, statuses, texts

COMM = "print(open('/proc/self/comm').read().strip())"


def kernel_events(run) -> list[str]:
    return [event.text for event in run.events if event.kind == "kernel"]


def test_a_kernel_is_forked_from_the_supervisor(run):
    done = run(COMM)

    assert texts(done, 0) == "sinara-kernel\n"
    assert kernel_events(run) == ["python3, warm"]
    assert done.warnings == ()


def test_a_kernel_is_never_used_twice(run):
    pids = [texts(run("import os; print(os.getpid())"), 0) for _ in range(3)]

    assert len(set(pids)) == 3


# What one notebook does, and how another one would see it.
LEAKS = {
    "variables": ("leak = 1", "'leak' in globals()"),
    "builtins": ("import builtins; builtins.print = builtins.len = 1", "callable(len)"),
    "modules": ("import colorsys", "'colorsys' in sys.modules"),
    "attributes of modules": ("import pandas; pandas.leak = 1; pandas.DataFrame.leak = 1", "hasattr(pandas, 'leak')"),
    "options of pandas": ("import pandas; pandas.set_option('display.max_rows', 7)", "pandas.get_option('display.max_rows')"),
    "import paths": ("sys.path.insert(0, '/leak'); sys.meta_path.append(1)", "('/leak' in sys.path, len(sys.meta_path))"),
    "environment": ("os.environ['LEAK'] = '1'; os.environ.pop('PATH')", "('LEAK' in os.environ, 'PATH' in os.environ)"),
    "working directory": ("os.chdir('/')", "os.getcwd() == '/'"),
    "umask": ("os.umask(0o007)", "(os.umask(0o22), os.umask(0o22))[0]"),
    "open files": ("f = open('/dev/zero'); import socket; s = socket.socket()", "any(os.path.exists(f'/proc/self/fd/{n}') and os.readlink(f'/proc/self/fd/{n}') == '/dev/zero' for n in range(200))"),
    "random state": ("import random, numpy; random.seed(1); numpy.random.seed(1)", "None"),
    "threads": ("import threading, time; threading.Thread(target=time.sleep, args=(30,), daemon=True, name='leak').start()", "[t.name for t in threading.enumerate() if t.name == 'leak']"),
    "signal handlers": ("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGUSR1, signal.SIG_IGN)", "(signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGUSR1))"),
    "blocked signals": ("import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])", "signal.pthread_sigmask(signal.SIG_BLOCK, [])"),
    "memory": ("import numpy; block = numpy.ones(40_000_000)", "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 320_000"),
    "limits": ("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))", "resource.getrlimit(resource.RLIMIT_NOFILE)"),
    "warnings": ("import warnings; warnings.simplefilter('error')", "[f for f in warnings.filters if f[0] == 'error']"),
    "logging": ("import logging; logging.basicConfig(level=1); logging.disable(50)", "(logging.root.level, logging.root.manager.disable)"),
    "recursion limit": ("sys.setrecursionlimit(123_456)", "sys.getrecursionlimit() == 123_456"),
    "locale": ("import locale; locale.setlocale(locale.LC_ALL, 'C')", "locale.setlocale(locale.LC_ALL)"),
    "time zone": ("import time; os.environ['TZ'] = 'Asia/Tokyo'; time.tzset()", "time.timezone"),
    "hooks": ("sys.excepthook = sys.displayhook = sys.settrace = None", "sys.excepthook is None or sys.displayhook is None"),
    "atexit": ("import atexit, pathlib; atexit.register(pathlib.Path('left').touch)", "None"),
    "history": ("x = 41 + 1", "(len(In), len(Out))"),
    "collector": ("import gc; gc.disable(); gc.set_threshold(1, 1, 1)", "(gc.isenabled(), gc.get_threshold())"),
    "arrow pools": ("import pyarrow; pyarrow.set_cpu_count(7)", "pyarrow.cpu_count() == 7"),
}  # fmt: skip
PROBE = "import os, sys, signal, resource, threading, warnings, logging, locale, time, gc, pandas, pyarrow\nprint({probe})"


@pytest.mark.parametrize("leak", LEAKS)
def test_nothing_goes_from_one_notebook_to_the_next(run, leak):
    act, probe = LEAKS[leak]
    probe = PROBE.replace("{probe}", probe)
    before = texts(run(probe), 0)

    acted = run("import os, sys\n" + act, "1")
    after = texts(run(probe), 0)

    assert statuses(acted) == ["done", "done"] or leak == "builtins"
    assert kernel_events(run) == ["python3, warm"] * 3
    assert before
    assert after == before


def test_kernels_draw_different_random_numbers(run):
    code = (
        "import random, numpy, uuid, secrets, tempfile\n"
        "print(random.random(), numpy.random.random(), numpy.random.default_rng().random(), uuid.uuid4())"
    )

    first, second = (texts(run(code), 0).split() for _ in range(2))

    assert all(one != other for one, other in zip(first, second, strict=True))


# What a notebook can see of its kernel, and what has to be the same in a cold one.
SEEN = """
import gc, json, locale, os, signal, sys, threading, time
handlers = {n: str(signal.getsignal(n)) for n in (2, 1, 10, 12, 13, 15, 17)}
json.dumps({
    "path": sys.path, "flags": str(sys.flags), "argv": os.path.basename(sys.argv[0]), "executable": sys.executable,
    "prefix": sys.prefix, "cwd": os.getcwd(), "umask": (os.umask(0o22), os.umask(0o22))[0],
    "handlers": handlers, "blocked": str(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "environment": sorted(k for k in os.environ), "names": sorted(n for n in dir() if not n.startswith("_i")),
    "threads": sorted(t.name for t in threading.enumerate()), "main": threading.current_thread().name,
    "collector": [gc.isenabled(), gc.get_threshold()], "locale": locale.setlocale(locale.LC_ALL), "zone": time.timezone,
    "module": [__name__, "__file__" in globals()], "backend": os.environ.get("MPLBACKEND"), "in": [len(In), len(Out)],
    "session": os.getsid(0) == os.getpid(), "streams": [type(sys.stdout).__name__, sys.stdin is None, sys.stdout.encoding],
    "descriptors": [os.readlink(f"/proc/self/fd/{n}").partition(":")[0] for n in range(3)], "home": str(_dh[0]),
    "recursion": sys.getrecursionlimit(), "debugpy": "debugpy" in sys.modules, "hooks": [h.__name__ for h in (sys.breakpointhook,)],
    "title": __import__("asyncio").get_running_loop().is_running(), "nice": os.nice(0), "affinity": len(os.sched_getaffinity(0)),
})
"""


def seen(run, **options):
    done = run(SEEN, **options)
    assert done.status == "succeeded", done.failure
    return json.loads(eval(done.notebook.cells[0].outputs[0].data["text/plain"]))


def test_a_notebook_cannot_tell_a_warm_kernel_from_a_cold_one(run, monkeypatch):
    end_kernels()
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # ipykernel watches fewer descriptors then
    run.env.pop("PYTEST_CURRENT_TEST", None)

    warm, cold = seen(run), seen(run, warm=False)

    assert kernel_events(run) == ["python3, warm", "python3, cold: the settings say so"]
    assert warm == cold


def test_a_pipe_that_nobody_reads_is_an_error_and_no_death(run):
    done = run(
        "import os\nr, w = os.pipe(); os.close(r)\ntry:\n    os.write(w, b'x')\nexcept BrokenPipeError:\n    print('told')"
    )

    assert texts(done, 0) == "told\n"


def test_a_large_and_strange_environment_arrives(run):
    env = {
        **run.env,
        **{f"LARGE{n}": "x" * 100_000 for n in range(10)},
        "ODD": os.fsdecode(b"\xff"),
        "LINES": "a\nb",
    }
    code = "import os; print(len(os.environ['LARGE9']), os.fsencode(os.environ['ODD']), os.environ['LINES'] == 'a\\nb')"

    told = [texts(run(code, env=env, warm=warm), 0) for warm in (True, False)]

    assert told == ["100000 b'\\xff' True\n"] * 2


def test_a_supervisor_that_cannot_be_started_is_one_error_and_leaves_nothing(
    run, tmp_path, monkeypatch
):
    end_kernels()
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    own = psutil.Process()
    before = own.num_fds()

    with pytest.raises(KernelDiedError, match=r"No kernel can be started: .*/no/such/python"):
        run("1")

    assert own.num_fds() == before
    assert list(tmp_path.glob("sinara-k-*")) == []


def test_a_kernel_that_waited_and_died_is_replaced(run):
    run("1")
    assert eventually(
        lambda: any(
            p.name() == "sinara-spare" for p in psutil.Process(pool().pid).children(recursive=True)
        ),
        30,
    )
    for process in psutil.Process(pool().pid).children(recursive=True):
        if process.name() == "sinara-spare":
            process.kill()

    done = run("print('well')")

    assert texts(done, 0) == "well\n"
    assert done.warnings == ()


def test_a_kernel_that_dies_right_after_its_last_cell_is_no_success(run):
    class Between:
        def instead(self, index, aside):
            return None

        def after(self, index, aside, cells):
            assert not aside("import os; os.kill(os.getpid(), 9)", 10)

    done = run("1", between=Between())

    assert (done.status, done.failure.kind) == ("failed", "kernel died")


def test_what_the_driver_has_changed_since_is_heard(run, tmp_path):
    run("1")
    before = os.umask(0o027)
    try:
        done = run(
            "import os; print(oct(os.umask(0)), os.environ['NEW'])", env={**run.env, "NEW": "yes"}
        )
    finally:
        os.umask(before)

    assert texts(done, 0) == "0o27 yes\n"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"warm": False}, "the settings say so"),
        ({"env": {"OMP_NUM_THREADS": "1"}}, "OMP_NUM_THREADS differs"),
        ({"env": {"PYTHONHASHSEED": "7"}}, "PYTHONHASHSEED differs"),
    ],
)
def test_a_kernel_that_cannot_be_forked_is_started(run, more, why):
    options = {**more, "env": {**run.env, **more.get("env", {})}}

    done = run(
        "import os, sys\nprint(os.environ.get('OMP_NUM_THREADS'), sys.flags.hash_randomization, hash('x') == hash('x'))",
        COMM,
        **options,
    )

    assert done.status == "succeeded"
    assert texts(done, 1) != "sinara-kernel\n"
    assert kernel_events(run)[0].startswith("python3, cold: ")
    assert why in kernel_events(run)[0]


def test_a_surprise_is_told_once_and_a_wish_never(run, monkeypatch):
    monkeypatch.setattr("sinara.kernels.launch._told", set())
    env = {**run.env, "MKL_NUM_THREADS": "3"}

    told = [run("1", env=env).warnings, run("1", env=env).warnings, run("1", warm=False).warnings]

    assert len(told[0]) == 1
    assert "MKL_NUM_THREADS" in told[0][0]
    assert told[1:] == [(), ()]


def test_a_kernel_of_another_interpreter_or_language_is_started(run, private_machine):
    folder = private_machine / ".local" / "share" / "jupyter" / "kernels"
    for name, argv, language in (
        ("own", [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "python"),
        ("flag", ["python", "-B", "-m", "ipykernel_launcher", "-f", "{connection_file}"], "python"),
        ("other", ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"], "R"),
    ):
        (folder / name).mkdir(parents=True)
        spec = {"argv": argv, "language": language, "display_name": name}
        (folder / name / "kernel.json").write_text(json.dumps(spec))

    how = [
        run("1", kernel_name=name) and kernel_events(run)[-1] for name in ("own", "flag", "other")
    ]

    assert how == [
        "own, warm",
        "flag, cold: it has an interpreter of its own",
        "other, cold: its language is R",
    ]


@pytest.mark.parametrize("warm", [True, False])
def test_a_kernel_listens_on_no_port(run, warm):
    done = run(
        "import os\nfrom pathlib import Path\n"
        "def listening():\n"
        "    mine = {os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{n}')}\n"
        "    lines = [l.split() for p in ('tcp', 'tcp6', 'udp') for l in Path(f'/proc/net/{p}').read_text().splitlines()[1:]]\n"
        "    return [l for l in lines if f'socket:[{l[9]}]' in mine]\n"
        "import socket; probe = socket.create_server(('127.0.0.1', 0)); seen = len(listening()); probe.close()\n"
        "print(seen, listening())",
        warm=warm,
    )

    assert texts(done, 0) == "1 []\n"


@pytest.mark.parametrize("warm", [True, False])
def test_what_a_forked_child_prints_is_seen(run, warm):
    done = run(
        "import os, sys\npid = os.fork()\nif pid == 0:\n    print('from the child'); sys.stdout.flush(); os._exit(0)\n"
        "os.waitpid(pid, 0)\nimport time; time.sleep(0.5)",
        warm=warm,
    )

    assert "from the child" in texts(done, 0)


@pytest.mark.parametrize("warm", [True, False])
def test_what_ends_with_a_notebook_ends_in_order(run, tmp_path, warm):
    run(
        "import atexit, threading, time, pathlib\n"
        "atexit.register(pathlib.Path('atexit').touch)\n"
        "class Made:\n    def __del__(self): self.done.touch()\n"
        "made = Made(); made.done = pathlib.Path('del')\n"
        "never_closed = open('text', 'w'); _ = never_closed.write('last words')\n"
        "import json; json.kept = open('kept', 'wb', buffering=100_000); _ = json.kept.write(b'x' * 70_000)\n"
        "threading.Thread(target=lambda: (time.sleep(0.3), pathlib.Path('thread').touch())).start()",
        warm=warm,
    )

    assert {path.name for path in tmp_path.iterdir()} >= {"atexit", "del", "thread"}
    assert (tmp_path / "text").read_text() == "last words"
    assert (tmp_path / "kept").stat().st_size == 70_000


PARALLEL = {
    "processes by fork and spawn": (
        "import multiprocessing, math\n"
        "for way in ('fork', 'spawn', 'forkserver'):\n"
        "    with multiprocessing.get_context(way).Pool(2) as pool: print(pool.map(math.factorial, range(5)))"
    ),
    "executors": (
        "from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor\nimport math\n"
        "for kind in (ProcessPoolExecutor, ThreadPoolExecutor):\n"
        "    with kind(2) as pool: print(list(pool.map(math.sqrt, range(4))))"
    ),
    "joblib": "import joblib, math\nprint(joblib.Parallel(n_jobs=2)(joblib.delayed(math.sqrt)(n) for n in range(6)))",
    "asyncio": (
        "import asyncio\nasync def one(n):\n    await asyncio.sleep(0.01); return n * n\n"
        "print(await asyncio.gather(*(one(n) for n in range(5))))\n"
        "process = await asyncio.create_subprocess_exec('echo', 'said', stdout=-1)\nprint((await process.communicate())[0])"
    ),
    "BLAS": (
        "import numpy\nm = numpy.arange(250_000.0).reshape(500, 500) % 7\n"
        "print((m @ m).sum(), numpy.linalg.svd(m[:50, :50])[1][:3].round(6))"
    ),
    "Arrow": (
        "import pyarrow as pa, pyarrow.compute as pc, pyarrow.parquet as pq, pyarrow.csv as csv\n"
        "t = pa.table({'a': list(range(200_000)), 'b': [str(n % 9) for n in range(200_000)]})\n"
        "pq.write_table(t, 'x.parquet'); csv.write_csv(t, 'x.csv')\n"
        "print(pq.read_table('x.parquet', use_threads=True).group_by('b').aggregate([('a', 'sum')]).sort_by('b').to_pydict())\n"
        "print(csv.read_csv('x.csv').num_rows)"
    ),
    "scikit-learn": (
        "from sklearn.ensemble import RandomForestClassifier, HistGradientBoostingClassifier\n"
        "from sklearn.cluster import KMeans\nfrom sklearn.datasets import load_iris\nx, y = load_iris(return_X_y=True)\n"
        "print(RandomForestClassifier(20, n_jobs=2, random_state=0).fit(x, y).score(x, y))\n"
        "print(HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(x, y).score(x, y))\n"
        "print(KMeans(3, n_init=2, random_state=0).fit(x).inertia_)"
    ),
    "polars": "import polars\nd = polars.DataFrame({'a': range(1000), 'b': [n % 3 for n in range(1000)]})\nprint(d.lazy().group_by('b').agg(polars.col('a').sum()).sort('b').collect().rows())",
    "duckdb": "import duckdb, pandas\nd = pandas.DataFrame({'a': range(1000)})\nprint(duckdb.sql('select sum(a), count(*) from d').fetchall())",
    "plots": "%matplotlib inline\nimport matplotlib.pyplot as plt, matplotlib\nplt.plot([1, 2]); plt.show(); print(matplotlib.get_backend())",
    "shell": "!echo from the shell\n%system echo and from a magic",
}  # fmt: skip


@pytest.mark.parametrize("what", PARALLEL)
def test_libraries_give_the_same_as_in_an_ordinary_kernel(run, what):
    if what == "plots":
        pytest.importorskip("matplotlib", reason="pip install 'sinara[examples]'")

    warm = run(PARALLEL[what], run_timeout=120)
    cold = run(PARALLEL[what], run_timeout=120, warm=False)

    assert (warm.status, cold.status) == ("succeeded", "succeeded"), warm.failure
    assert kernel_events(run)[0] == "python3, warm"
    assert warm.notebook.cells[0].outputs == cold.notebook.cells[0].outputs


def test_a_notebook_cannot_look_into_the_process_that_forks_kernels(run):
    done = run(
        "import os\nguard = os.getppid()\nsupervisor = int(open(f'/proc/{guard}/stat').read().rpartition(')')[2].split()[1])\n"
        "for pid in (guard, supervisor):\n    print(os.stat(f'/proc/{pid}/mem').st_uid == 0)\n"
        "print([n for n in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{n}') and 'sinara' in os.readlink(f'/proc/self/fd/{n}') and 'k-' not in os.readlink(f'/proc/self/fd/{n}')])"
    )

    assert texts(done, 0) == "True\nTrue\n[]\n"


@pytest.mark.parametrize(
    "act",
    [
        "os.kill(supervisor, 9)",
        "os.kill(guard, 9)",
        "os.kill(guard, 9); os.kill(supervisor, 9)",
        "[os.kill(p.pid, 9) for p in psutil.Process(supervisor).children(recursive=True) if p.pid != os.getpid()]",
        "os.kill(supervisor, 19)",
        "os.kill(guard, 15)",
    ],
)
def test_a_notebook_that_attacks_the_processes_above_it_harms_itself_only(run, marked, act):
    run("1")
    attack = run(
        "import os, psutil, subprocess, time\nsubprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        f"guard = os.getppid()\nsupervisor = psutil.Process(guard).ppid()\n{act}\ntime.sleep(5)",
        cell_timeout=3,
    )

    next_one = run("print('well')")
    if "19" in act:
        os.kill(pool().pid, signal.SIGCONT)

    assert attack.status == "failed"
    assert texts(next_one, 0) == "well\n"
    assert eventually(lambda: marked() == [], 3)


def test_a_fork_of_the_driver_has_kernels_of_its_own(run, tmp_path):
    run("1")
    supervisor = pool().pid
    pid = os.fork()
    if pid == 0:
        try:
            done = run("print('in the fork')")
            ok = texts(done, 0) == "in the fork\n" and pool().pid != supervisor
            from sinara.kernels.pool import end_all

            end_all()
            os._exit(0 if ok else 3)
        except BaseException:
            os._exit(4)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert texts(run("print('still')"), 0) == "still\n"
    assert pool().pid == supervisor


def test_what_waits_ahead_is_gone_with_the_end_of_all(run):
    from sinara.kernels.pool import end_all

    run("1")
    base = pool().base
    supervisor = psutil.Process(pool().pid)
    below = supervisor.children(recursive=True)

    end_all()

    assert not base.exists()
    assert not any(process.is_running() for process in (supervisor, *below))
    assert texts(run("print('again')"), 0) == "again\n"
