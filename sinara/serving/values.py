"""The values of this room: what a saved service is, its samples, and how it answered."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 1
ARCHIVE = "bento.tar"  # the names of an entity's files
SAVE_INFO = "save_info.txt"
SERVICE = "service.json"
SAMPLES = "samples.json"
REQUIREMENTS = "requirements.txt"
LINEAGE = "lineage.json"
FILES = (SAVE_INFO, ARCHIVE, REQUIREMENTS, SAMPLES, LINEAGE, SERVICE)


@dataclass(frozen=True)
class Sample:
    """One request, and what the notebook predicted for it.

    Attributes:
        route: The last part of the URL: ``predict``.
        request: The body, as JSON.
        answer: The answer, as JSON.
    """

    route: str
    request: dict[str, Any]
    answer: Any


@dataclass(frozen=True)
class Samples:
    """``samples.json``.

    Attributes:
        samples: One at least, if the service can be tested.
        tolerance: How far a number may be off, as a share of it.
    """

    samples: tuple[Sample, ...] = ()
    tolerance: float = 1e-6


@dataclass(frozen=True)
class InputRun:
    """An entity that the run read.

    Attributes:
        entity: Full name.
        run_id: Its run.
        manifest: SHA-256 of its sealed manifest; empty where there is none.
    """

    entity: str
    run_id: str
    manifest: str = ""


@dataclass(frozen=True)
class Origin:
    """``lineage.json``: where a service came from, for whoever has no access to the store.

    Attributes:
        entity: Full name of the entity.
        run_id: The run that saved it.
        substep: The notebook.
        commit: Git commit of the step.
        branch: The branch that was checked out.
        remote: Address of the step's remote, with no user name or token.
        dirty: Files that differed from the commit.
        user: Who ran it.
        sinara: Version of this package.
        inputs: What the substep read.
    """

    entity: str
    run_id: str
    substep: str = ""
    commit: str | None = None
    branch: str | None = None
    remote: str | None = None
    dirty: tuple[str, ...] = ()
    user: str = ""
    sinara: str = ""
    inputs: tuple[InputRun, ...] = ()


@dataclass(frozen=True)
class StoredFile:
    """One file of the entity: its size in bytes and its SHA-256."""

    size: int
    sha256: str

    @classmethod
    def of(cls, content: bytes) -> StoredFile:
        """Return what is stored of a file with this content."""
        return cls(len(content), hashlib.sha256(content).hexdigest())


@dataclass(frozen=True, repr=False)
class ServiceInfo:
    """What an entity says of the service that it holds: ``service.json``.

    Attributes:
        name: Of the service.
        version: ``<env>.<pipeline>.<zone>.<name>.<run_id>``, as in ``save_info.txt``.
        entity: The entity's full name.
        run_id: The run that saved it.
        kind: ``model`` for one that sinara made from a plain model, ``class`` for a class of the
            step's, ``bento`` for one that BentoML had built.
        format: Of a plain model: ``pickle``, ``onnx``, ``torch``; else empty.
        python: The Python that it was saved with, ``3.11``.
        bentoml: The version of BentoML that it was saved with.
        epoch: When its run began, in seconds since 1970.
        weights: Paths inside the bento that change with every run; the rest is code.
        files: The entity's other files.
    """

    name: str
    version: str
    entity: str
    run_id: str
    kind: str
    format: str
    python: str
    bentoml: str
    epoch: int
    weights: tuple[str, ...] = ()
    files: dict[str, StoredFile] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def __repr__(self) -> str:
        """Say it in one line: it is what a cell shows that saves or loads a service."""
        kind = self.format or self.kind
        return f"ServiceInfo({self.version}, {kind}, Python {self.python}, BentoML {self.bentoml})"


@dataclass(frozen=True)
class SavedService:
    """A service that lies in an entity, looked at and not unpacked.

    Attributes:
        url: The entity's.
        folder: Where its small files are on this machine.
        archive: Its archive on this machine.
        info: What ``service.json`` says.
        manifest: SHA-256 of the sealed manifest of a published entity; empty if there is none.
    """

    url: str
    folder: Path
    archive: Path
    info: ServiceInfo
    manifest: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a service answered one sample.

    Attributes:
        route: Which was asked.
        differs: What is not as it was predicted; empty if nothing is.
        seconds: How long the answer took.
    """

    route: str
    differs: str = ""
    seconds: float = 0.0
