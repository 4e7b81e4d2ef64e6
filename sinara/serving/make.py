"""A service of any kind made into the files of a bento, with its samples and needs.

::

    plain model ──┐
    service class ─┼──► Made(bento files, needs, samples) ──► save: an entity
    built bento ──┘                                       └─► dev: served as it is
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sinara.errors import UsageError
from sinara.names import shown
from sinara.record import plain
from sinara.serving import bento as bentos
from sinara.serving import classes, formats
from sinara.serving import plain as plains
from sinara.serving.bento import BentoFiles
from sinara.serving.formats import ask_model
from sinara.serving.needs import Needs, needs_of
from sinara.serving.plain import PlainService
from sinara.serving.shipped.sinara_served import ServedModel
from sinara.serving.values import Origin, Sample, Samples

_OLD = (
    "{name} is a service of an older BentoML. Write it as a class with @bentoml.service (BentoML "
    "1.4), or give the model itself: save_bentoservice(make_service(model, sample), …). "
    "See docs/serving.md."
)


@dataclass(frozen=True)
class Maker:
    """Who makes a service.

    Attributes:
        origin: The run.
        step_folder: Where modules of the step's own are.
        started: When the run began, in UTC.
    """

    origin: Origin
    step_folder: Path
    started: datetime


@dataclass(frozen=True)
class Made:
    """A service as files.

    Attributes:
        bento: The files of the bento.
        needs: The packages.
        samples: Requests and predictions.
        bentoml: The version of BentoML.
    """

    bento: BentoFiles
    needs: Needs
    samples: Samples
    bentoml: str


def of_nobody() -> Maker:
    """Return the maker of a service that is served from a notebook and never saved."""
    now = datetime.now(UTC).replace(microsecond=0)
    return Maker(Origin("", "run-unsaved"), Path.cwd(), now)


def make_bento(
    service: Any,
    maker: Maker,
    folder: Path,
    models: Mapping[str, Any] | None = None,
    samples: Iterable[Any] = (),
) -> Made:
    """Return a service as the files of a bento.

    Args:
        service: A plain model's, a class with ``@bentoml.service``, or a built bento.
        maker: The run that makes it.
        folder: For temporary files, which have to stay while the result is used.
        models: Of a service class: name -> file, folder or object.
        samples: Of a class or a bento: (route, request) or (route, request, answer).

    Raises:
        UsageError: If it is none of these, or cannot be served elsewhere.
        ServiceError: If BentoML refuses it, or it does not answer a sample.
    """
    version = classes.require_bentoml()
    given = [_sample(one) for one in samples]
    if classes.is_old(service):
        raise UsageError(_OLD.format(name=type(service).__name__))
    if isinstance(service, PlainService):
        if models or given:
            raise UsageError("models and samples are for service classes, not plain models.")
        return _of_model(service, maker, version, folder)
    if classes.is_class(service):
        tag = maker.origin.run_id.lower()
        bento, needs = classes.class_bento(service, tag, models or {}, maker.step_folder, folder)
    elif classes.is_bento(service):
        if models:
            raise UsageError("A built bento holds its models already: leave models out.")
        bento, needs = classes.built_bento(service, folder)
    else:
        raise UsageError(
            f"{shown(service)} cannot be served. Give a class with @bentoml.service, a bento, "
            "or make_service(model, sample)."
        )
    return Made(bento, needs, Samples(_answered(bento, given, folder)), version)


def write_folder(files: Mapping[str, Path | bytes], folder: Path) -> None:
    """Write the files of a bento into a new folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            shutil.copyfile(content, path)


def _of_model(service: PlainService, maker: Maker, version: str, folder: Path) -> Made:
    model = formats.write_model(service.model, service.method, service.given, folder)
    first = next(iter(model.files))
    told = {**model.told, "version": _version_told(maker, version)}
    description = plains.describe(service, model.format, f"model/{first}", told)
    answers = _predicted(service, description, model.files[first])
    description["answer"] = plains.answer_type(answers)
    needs = needs_of({*model.modules, *service.sample.modules}, maker.step_folder)
    sample = Sample("predict", {"rows": list(service.sample.rows)}, answers)
    samples = Samples((sample,), formats.tolerance_of(model.format))
    name = plains.bento_name(service.name)
    manifest = bentos.manifest_of(
        name, service.name, maker.origin.run_id.lower(), version, maker.started.isoformat()
    )
    bento = bentos.plain_bento(
        manifest, description, plain(samples), model.files, needs.modules, needs.requirements
    )
    return Made(bento, needs, samples, version)


def _predicted(service: PlainService, description: Mapping[str, Any], file: Path) -> list[Any]:
    """Return what the notebook's own model predicts for the sample."""
    rows = service.sample.rows
    if description["format"] == "pickle":
        return ask_model(lambda: ServedModel(description, service.model), rows)
    if service.answers is not None and plains.state_of(Path(service.model)) == service.state:
        return list(service.answers)
    return ask_model(lambda: ServedModel.of_file(description, file), rows)


def _version_told(maker: Maker, bentoml: str) -> dict[str, Any]:
    """Return what the endpoint ``version`` answers."""
    origin = maker.origin
    return {
        "entity": origin.entity,
        "run_id": origin.run_id,
        "commit": origin.commit,
        "sinara": origin.sinara,
        "bentoml": bentoml,
    }


def _sample(given: Any) -> tuple[Sample, bool]:
    """Return one sample, and whether its answer is known."""
    if isinstance(given, Sample):
        return given, True
    parts = list(given) if isinstance(given, list | tuple) else []
    if len(parts) not in (2, 3) or not isinstance(parts[0], str) or not isinstance(parts[1], dict):
        raise UsageError(
            f"samples: {shown(str(given))} is no sample. Write (route, request), or (route, "
            "request, answer): ('predict', {'rows': [[1.0, 2.0]]})."
        )
    answer = plain(parts[2]) if len(parts) == 3 else None
    return Sample(parts[0].strip("/"), plain(parts[1]), answer), len(parts) == 3


def _answered(
    bento: BentoFiles, samples: list[tuple[Sample, bool]], folder: Path
) -> tuple[Sample, ...]:
    """Return samples with their answers; those without one are asked of the bento itself."""
    from sinara.serving import ask, server

    if all(known for _, known in samples):
        return tuple(sample for sample, _ in samples)
    place = folder / "asked"
    write_folder(bento.files, place)
    with server.start(place) as running:
        return tuple(ask.answered(running.url, samples))
