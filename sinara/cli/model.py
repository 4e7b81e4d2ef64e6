"""``sinara model``: serve a saved model, test it, make an image of it, get its files out."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sinara.cli.containerize import containerize
from sinara.cli.output import counted, print_json, say
from sinara.cli.scope import Scope, find_scope, scope_options
from sinara.cli.signals import ended_by_signals
from sinara.errors import EntityNotFoundError, UsageError

if TYPE_CHECKING:
    from sinara.lineage import Key
    from sinara.serving.values import Samples, SavedService

_run = click.option("--run", "run_id", help="Of this run, or the beginning of its id. [newest]")


@click.group("model")
@click.pass_context
def command(context: click.Context) -> None:
    """Serve a saved model, test it, make an image of it, get its files out."""
    context.with_resource(ended_by_signals())


command.add_command(containerize)


@command.command("serve")
@click.argument("entity")
@scope_options
@_run
@click.option(
    "-p",
    "--port",
    type=click.IntRange(0, 65535),
    default=3000,
    show_default=True,
    help="0: any free one.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
def serve(entity: str, run_id: str | None, port: int, host: str, **chosen: str | None) -> int:
    """Serve the model in ENTITY on this machine until Ctrl-C.

    ENTITY is a name, step.entity, a full name, or the path of its folder. Its bytes are verified
    first. The page / shows what can be asked, /readyz the health, /metrics the metrics.
    """
    from sinara.serving import server as servers
    from sinara.serving.entity import unpack

    with tempfile.TemporaryDirectory(prefix="sinara-bento-", ignore_cleanup_errors=True) as folder:
        with _saved(entity, run_id, chosen) as saved:
            _warn_of_packages(saved)
            bento = unpack(saved, Path(folder))
            version = saved.info.version
        out = sys.stderr.fileno()
        with servers.start(bento, port=port, host=host, out=out, gone=(bento,)) as server:
            return _wait(server, version)


@command.command("test")
@click.argument("target", metavar="ENTITY_OR_URL")
@scope_options
@_run
@click.option("--samples", "samples_of", metavar="ENTITY", help="With a URL: whose samples.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    help="How far a number may be off, as a share of it. [default: the samples' own]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def test(
    target: str,
    run_id: str | None,
    samples_of: str | None,
    tolerance: float | None,
    as_json: bool,
    **chosen: str | None,
) -> int:
    """Ask the samples that were saved with a model again, and compare the answers.

    Of an ENTITY the service is started for that. At a URL the samples are those that the service
    holds itself, or those of the entity that --samples names. Ends with 1 if an answer differs from
    what the notebook predicted, or there are no samples.
    """
    from sinara.serving import ask
    from sinara.serving import server as servers
    from sinara.serving.entity import samples_of as read_samples
    from sinara.serving.entity import unpack

    if "://" in target and target.startswith(("http://", "https://")):
        url = target.rstrip("/")
        if samples_of is None:
            return _tell(ask.samples_from(url), url, tolerance, as_json)
        with _saved(samples_of, run_id, chosen) as saved:
            return _tell(read_samples(saved), url, tolerance, as_json)
    if samples_of is not None:
        raise UsageError("--samples is for a URL: an entity has its own.")
    with _saved(target, run_id, chosen) as saved, tempfile.TemporaryDirectory() as folder:
        samples = read_samples(saved)
        if not samples.samples:
            return _tell(samples, saved.url, tolerance, as_json)
        _warn_of_packages(saved)
        with servers.start(unpack(saved, Path(folder, "bento"))) as server:
            return _tell(samples, server.url, tolerance, as_json)


@command.command("samples")
@click.argument("entity")
@scope_options
@_run
@click.option("--json", "as_json", is_flag=True, help="Print all, with the predictions, as JSON.")
def samples(entity: str, run_id: str | None, as_json: bool, **chosen: str | None) -> int:
    """Print the first request that was saved with a model, to send it:

    \b
      sinara model samples ENTITY | curl -H 'content-type: application/json' -d @- URL/predict
    """  # noqa: D301, D415 -- click reads the backspace
    from sinara.record import plain
    from sinara.serving.entity import samples_of as read_samples

    with _saved(entity, run_id, chosen) as saved:
        found = read_samples(saved).samples
    if as_json:
        print_json("samples", plain(found))
    elif found:
        click.echo(json.dumps(found[0].request))
    else:
        click.echo("There are no samples: save_bentoservice(…, samples=[…]) keeps some.", err=True)
    return 0 if found else 1


@command.command("requirements")
@click.argument("entity")
@scope_options
@_run
def requirements(entity: str, run_id: str | None, **chosen: str | None) -> None:
    """Print the packages that the model in ENTITY needs, as pip reads them.

    Fill a wheelhouse with them where there is a network:

    \b
      sinara model requirements ENTITY > requirements.txt
      pip download --only-binary :all: --no-deps -d wheels -r requirements.txt
    """  # noqa: D301 -- click reads the backspace
    from sinara.serving.values import REQUIREMENTS

    with _saved(entity, run_id, chosen) as saved:
        click.echo((saved.folder / REQUIREMENTS).read_text(encoding="utf-8"), nl=False)


@command.command("extract-artifacts")
@click.argument("source", metavar="ENTITY_OR_IMAGE")
@click.argument("folder", type=click.Path(path_type=Path))
@scope_options
@_run
@click.option("--insecure", multiple=True, metavar="HOST", help="Ask this registry over HTTP.")
def extract_artifacts(
    source: str, folder: Path, run_id: str | None, insecure: tuple[str, ...], **chosen: str | None
) -> None:
    """Unpack the files of a model into FOLDER, which has to be empty or new.

    The source is an entity, or an image: by its name, here or in its registry, or oci:FOLDER,
    oci-archive:FILE, docker-archive:FILE. Nothing of it is executed or imported.
    """
    from sinara.containerize.origin import extract_image, is_image
    from sinara.serving.artifacts import extract_artifacts as extract

    scope = find_scope(**chosen)
    if is_image(source):
        if run_id is not None:
            raise UsageError("--run is for an entity: an image's name says its run.")
        count = extract_image(source, folder, (*insecure, *scope.settings.images.insecure))
        click.echo(f"{counted(count, 'file')} of the image.", err=True)
    else:
        with tempfile.TemporaryDirectory() as copies:
            url = _url(scope, _key(scope, source, run_id, chosen["step"]))
            extract(scope.settings, url, folder, Path(copies))
    say(str(folder))


command.add_command(
    click.Command(
        "extract_artifacts",
        callback=extract_artifacts.callback,
        params=extract_artifacts.params,
        help=extract_artifacts.help,
        hidden=True,
    )
)


# -- finding -------------------------------------------------------------------------------


@contextmanager
def _saved(
    entity: str, run_id: str | None, chosen: dict[str, str | None]
) -> Iterator[SavedService]:
    """Give a published service, verified; copies of it are gone afterwards."""
    from sinara.names import parse_full_name
    from sinara.serving.find import published_service
    from sinara.store import open_store

    scope = find_scope(**chosen)
    full, run = _key(scope, entity, run_id, chosen["step"])
    step, name = parse_full_name(full)
    env = scope.settings.env(step.env)
    store = open_store(env.root, storage_options=env.storage_options).step(step)
    with tempfile.TemporaryDirectory(prefix="sinara-model-") as copies:
        yield published_service(store, run, name, Path(copies))


def _key(scope: Scope, entity: str, run_id: str | None, step: str | None) -> Key:
    """Return full name and run of an entity: of this step, else of this pipeline."""
    from sinara.lineage import find_entity

    try:
        return find_entity(scope.settings, scope.steps(), entity, run_id)
    except EntityNotFoundError:
        if scope.step is None or step:
            raise
        wider = replace(scope, step=None)
        return find_entity(scope.settings, wider.steps(), entity, run_id)


def _url(scope: Scope, key: Key) -> str:
    from sinara.names import entity_url, parse_full_name

    step, name = parse_full_name(key[0])
    return entity_url(scope.settings.env(step.env).root, step, key[1], name)


# -- telling -------------------------------------------------------------------------------


def _tell(samples: Samples, url: str, tolerance: float | None, as_json: bool) -> int:
    from sinara.serving import ask

    outcomes = list(ask.replay(url, samples, tolerance=tolerance))
    wrong = [outcome for outcome in outcomes if outcome.differs]
    if as_json:
        told: list[dict[str, Any]] = [
            {"route": o.route, "ok": not o.differs, "differs": o.differs, "seconds": o.seconds}
            for o in outcomes
        ]
        print_json("samples", told)
    for outcome in [] if as_json else outcomes:
        say(f"/{outcome.route}: {outcome.differs or 'as predicted'} ({outcome.seconds:.3f} s)")
    if not outcomes:
        say("There are no samples: save_bentoservice(…, samples=[…]) keeps some.", err=True)
        return 1
    click.echo(
        f"{counted(len(outcomes) - len(wrong), 'sample')} of {len(outcomes)} as predicted.",
        err=True,
    )
    return 1 if wrong else 0


def _warn_of_packages(saved: SavedService) -> None:
    """Say which packages are others here than where the model was made."""
    from sinara.packages import installed
    from sinara.serving.bento import python_version
    from sinara.serving.load import missing_packages
    from sinara.serving.values import REQUIREMENTS

    if python_version() != saved.info.python:
        say(
            f"warning: made with Python {saved.info.python}, served with {python_version()}",
            err=True,
        )
    wanted = (saved.folder / REQUIREMENTS).read_text(encoding="utf-8")
    for line in missing_packages(wanted, installed(sys.executable).versions):
        say(f"warning: made with {line}", err=True)


def _wait(server: Any, version: str) -> int:
    """Tell the address, wait for its end or for whoever ends us; return the exit code."""
    try:  # whoever reads the address may end us at once
        say(server.url)
        say(f"Serving {version}. End it with Ctrl-C.", err=True)
        sys.stdout.flush()
        while server.alive():
            time.sleep(0.2)
    except KeyboardInterrupt:
        click.echo("Ended.", err=True)
        return 0
    return 1
