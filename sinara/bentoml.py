"""A model as a service, in a notebook: saved as an entity, loaded, served while you try it.

::

    from sinara.bentoml import make_service, save_bentoservice

    service = make_service(model, sample=train_set.drop(columns="label").head())
    save_bentoservice(service, path=outputs.bento_service, substep=substep)

Names and arguments are those of 4-DS Sinara; the services are those of BentoML 1.4 and later.
``pip install 'sinara[bento]'`` brings it. Nothing of it is imported before it is used.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sinara.serving.plain import PlainService, make_service

if TYPE_CHECKING:
    from sinara.serving.load import LoadedService
    from sinara.serving.values import ServiceInfo
    from sinara.substep import NotebookSubstep

__all__ = [
    "PlainService",
    "extract_artifacts_from_bentoservice",
    "load_bentoservice",
    "make_service",
    "save_bentoservice",
    "start_dev_bentoservice",
    "stop_dev_bentoservice",
]

_Path = str | os.PathLike[str]


def save_bentoservice(
    service: Any,
    *,
    substep: NotebookSubstep | None = None,
    path: _Path,
    service_version: str | None = None,
    models: Mapping[str, Any] | None = None,
    samples: Iterable[Any] = (),
) -> ServiceInfo:
    """Save a service as an entity.

    Args:
        service: What :func:`make_service` returned; a class with ``@bentoml.service``, imported
            from a ``.py`` file of the step; or a built bento (``bentoml.Bento``).
        substep: The substep that saves it; the newest by default.
        path: ``outputs.bento_service``: the URL of an output of the substep.
        service_version: What ``save_info.txt`` calls it;
            ``<env>.<pipeline>.<zone>.<service>.<run_id>`` by default.
        models: Of a service class: name -> a file, a folder, or an object to pickle. They will be
            in the folder ``models`` beside the class's module:
            ``Path(__file__).parent / "models" / "model.pkl"``.
        samples: Of a class or a bento: ``(route, request)``, or ``(route, request, answer)``.
            Answers that are not given are asked of the service, which is started for that. Tests of
            the service, and of its image, ask them again.

    Returns:
        What the entity says of the service.

    Raises:
        MissingExtraError: If BentoML is not installed.
        UsageError: If it cannot be served elsewhere; the line says why.
        ServiceError: If BentoML refuses it, or it does not answer a sample.
    """
    from sinara.serving.save import save

    info = save(
        service,
        path=path,
        substep=substep,
        service_version=service_version,
        models=models,
        samples=samples,
    )
    _say(f"Saved {info.version}")
    return info


def load_bentoservice(path: _Path) -> LoadedService:
    """Return a saved service: checked against its digests, unpacked, and not imported yet.

    Args:
        path: The URL of the entity: ``inputs.bento_service``. One that lies in an env has to be
            published there, or be an output of this run.

    Returns:
        The service; its methods can be called: ``load_bentoservice(path).predict(rows)``.

    Raises:
        ServiceError: If it holds no service, one of an old BentoML, or was never published.
        CorruptError: If a byte of it is not what was saved.
        ArchiveError: If its archive would write outside of its folder.
    """
    from sinara.serving.notebook import load

    return load(os.fspath(path))


def start_dev_bentoservice(
    service: Any, use_popen: bool = False, debug: bool = False, port: int = 5000
) -> str:
    """Serve a service from the notebook, and return its address when it is ready to answer.

    It ends with :func:`stop_dev_bentoservice`, or with the kernel, however that ends.

    Args:
        service: A loaded service, or one that could be saved.
        use_popen: Has no effect: a process of its own serves in any case.
        debug: Show what the service writes.
        port: On 127.0.0.1; another one is taken if it is not free.

    Raises:
        ServiceError: If it does not become ready; with its last lines.
    """
    del use_popen
    from sinara.serving import dev

    url = dev.start(service, debug=debug, port=port).url
    _say(f"Serving on {url}")
    return url


def stop_dev_bentoservice(service: Any) -> None:
    """End what :func:`start_dev_bentoservice` started; nothing happens if nothing runs."""
    from sinara.serving import dev

    dev.stop(service)


def extract_artifacts_from_bentoservice(path: _Path, dest_folder: _Path | None = None) -> str:
    """Unpack the files of a saved service, and return the folder; nothing is imported.

    Args:
        path: The URL of the entity; one that 4-DS Sinara wrote will do.
        dest_folder: A folder that is empty or not there; by default one of this run's.

    Raises:
        ServiceError: If it holds no service.
        CorruptError: If a byte of it is not what was saved.
        ArchiveError: If an archive would write outside of its folder.
    """
    from sinara.serving.notebook import extract

    return str(extract(os.fspath(path), dest_folder))


def _say(line: str) -> None:
    from sinara.substep.show import say

    say(line)
