"""A Spark session on this machine, set up for entities.

::

    spark = SinaraSpark.run_session()
    spark.read.parquet(inputs.train_set)         an entity's URL is all that Spark needs
    table.write.parquet(outputs.model_input)     published with the run, as any other output
    SinaraSpark.stop_session()

Needs the ``spark`` extra and Java.
"""

from __future__ import annotations

import atexit
import contextlib
import html
import logging
import math
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinara.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

_LOG = logging.getLogger(__name__)
_LOCALHOST = "127.0.0.1"
_GIB = 1 << 30
_CORES, _MEMORY = "SINARA_SERVER_CORES", "SINARA_SERVER_MEMORY_LIMIT"  # as the original sets them
_NO_JAVA = (
    "Java is not installed, and Spark runs on it. Install Java 17: "
    "'apt install openjdk-17-jre-headless' (Debian, Ubuntu), 'brew install openjdk@17' (macOS) or "
    "'conda install openjdk=17'; or set JAVA_HOME to the one you have."
)
_LOGGING = """\
rootLogger.level = {level}
rootLogger.appenderRef.stderr.ref = stderr
logger.shell.name = org.apache.spark.api.python.PythonGatewayServer
logger.shell.level = {level}
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{{HH:mm:ss}} %p %c{{1}}: %m%n%ex
"""


class SinaraSpark:
    """The one Spark session of this process."""

    _session: SparkSession | None = None
    _asked: tuple[object, ...] = ()

    @staticmethod
    def run_session(
        clusterSize: float = 0,  # noqa: N803 (the original's name)
        app: str = "SinaraML Spark App",
        conf: SparkConf | Mapping[str, str] | None = None,
        reuse_session: bool = True,
        debug: bool = False,
    ) -> SparkSession:
        """Start a Spark session, or return the one that runs.

        Args:
            clusterSize: 0 uses all cores of this process; a fraction below 1 that part of them.
            app: Its name.
            conf: Settings of Spark; they win over those made here.
            reuse_session: Return the running session if it was asked for in the same words. In
                any other case it is stopped and a new one is started.
            debug: Log everything.

        Raises:
            UsageError: If a cluster is asked for, or Spark does not start.
            MissingExtraError: If pyspark or Java is not installed.
        """
        master = _master(clusterSize)
        given = _pairs(conf)
        asked = (master, app, tuple(sorted(given.items())), debug)
        running = None if SinaraSpark.session_is_stopped() else SinaraSpark._session
        if running is not None and reuse_session and asked == SinaraSpark._asked:
            return running
        SinaraSpark.stop_session()
        _check_installed()
        session = _start(master, app, {**_defaults(debug), **given})
        session.sparkContext.setLogLevel("DEBUG" if debug else "ERROR")
        atexit.register(SinaraSpark.stop_session)
        SinaraSpark._session, SinaraSpark._asked = session, asked
        _LOG.info("Spark session %r runs on %s, %s", app, master, session.sparkContext.uiWebUrl)
        return session

    @staticmethod
    def session_is_stopped() -> bool:
        """Return whether no session runs that was started here."""
        session = SinaraSpark._session
        context = session.sparkContext._jsc if session is not None else None
        return context is None or bool(context.sc().isStopped())

    @staticmethod
    def stop_session() -> None:
        """Stop the session, if one runs."""
        session, SinaraSpark._session = SinaraSpark._session, None
        atexit.unregister(SinaraSpark.stop_session)
        if session is None:
            return
        from py4j.protocol import Py4JError  # type: ignore[import-not-found,unused-ignore]

        # At exit Java may be gone already, and then there is nothing to stop.
        with contextlib.suppress(Py4JError, OSError):
            session.stop()

    @staticmethod
    def ui_url() -> str:
        """Return the address of Spark's own pages; in a notebook, show it as a link, too.

        Raises:
            UsageError: If no session runs.
        """
        session = SinaraSpark._session
        if session is None or SinaraSpark.session_is_stopped():
            raise UsageError("No Spark session runs. Start one: SinaraSpark.run_session().")
        url = session.sparkContext.uiWebUrl
        if not url:
            raise UsageError("This Spark session has no pages: spark.ui.enabled is false.")
        _show_link(url)
        return str(url)


def _master(cluster_size: float) -> str:
    if not 0 <= cluster_size < 1:
        raise UsageError(
            f"clusterSize={cluster_size}: Spark runs on this machine only. "
            "Leave it out, or give 0 for all cores or a fraction below 1 for a part of them."
        )
    cores = _cores()
    return f"local[{max(1, int(cores * cluster_size)) if cluster_size else cores}]"


def _cores() -> int:
    given = os.environ.get(_CORES, "")
    if given.isdigit() and int(given):
        return int(given)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> int:
    """Return the GiB that Java may take: three quarters of a server's limit, else half of all."""
    given = os.environ.get(_MEMORY, "")
    if given.isdigit():
        return max(1, int(given) * 3 // 4 // _GIB)
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 4
    with contextlib.suppress(OSError, ValueError):  # a container's limit; "max" is none
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    return max(1, total // 2 // _GIB)


def _pairs(conf: SparkConf | Mapping[str, str] | None) -> dict[str, str]:
    if conf is None:
        return {}
    pairs: Iterable[tuple[str, Any]] = conf.items() if isinstance(conf, Mapping) else conf.getAll()
    return {str(key): str(value) for key, value in pairs}


def _check_installed() -> None:
    import importlib.util

    if importlib.util.find_spec("pyspark") is None:
        raise MissingExtraError.for_extra("pyspark", "spark")
    home = os.environ.get("JAVA_HOME", "")
    if not shutil.which("java", path=str(Path(home, "bin")) if home else None):
        raise MissingExtraError(_NO_JAVA)


def _defaults(debug: bool) -> dict[str, str]:
    from sinara.archive.work import work_folder

    work = work_folder() / "spark"
    work.mkdir(parents=True, exist_ok=True)
    log = work / "log4j2.properties"
    log.write_text(_LOGGING.format(level="debug" if debug else "error"), encoding="utf-8")
    memory = _memory()
    return {
        "spark.driver.memory": f"{memory}g",
        "spark.driver.maxResultSize": f"{math.ceil(memory / 3)}g",
        "spark.driver.host": _LOCALHOST,
        "spark.driver.bindAddress": _LOCALHOST,
        "spark.driver.extraJavaOptions": f'-Dlog4j2.configurationFile="file:{log}"',
        "spark.local.dir": str(work),
        "spark.sql.warehouse.dir": str(work / "warehouse"),
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.ui.showConsoleProgress": "false",
    }


def _start(master: str, app: str, settings: Mapping[str, str]) -> SparkSession:
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName(app).master(master)
    for key, value in settings.items():
        builder = builder.config(key, value)
    # Workers take PYSPARK_PYTHON, else any python3 of the PATH; Spark's pages listen on
    # SPARK_LOCAL_IP, else on every address of the machine. No setting of Spark does either.
    python = sys.executable
    with _environ(PYSPARK_PYTHON=python, PYSPARK_DRIVER_PYTHON=python, SPARK_LOCAL_IP=_LOCALHOST):
        try:
            return builder.getOrCreate()
        except (PySparkException, OSError, RuntimeError) as error:
            told = " ".join(str(error).split())[:300]
            raise UsageError(f"Spark does not start: {told}. See what Java wrote above.") from error


@contextlib.contextmanager
def _environ(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _show_link(url: str) -> None:
    # sys.modules: outside of a notebook IPython need not be imported to find out.
    if "IPython" not in sys.modules:
        return
    from IPython.core.getipython import get_ipython
    from IPython.display import HTML, display

    if get_ipython() is not None:
        link = f"<a href='{html.escape(url)}' target='_blank'>Open Spark UI</a>"
        display(HTML(link))  # type: ignore[no-untyped-call]
