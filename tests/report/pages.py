"""Records and notebooks for the tests of the pages; one of each with a text in every field."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

from sinara.record import (
    CellRecord,
    CodeRecord,
    EntityRecord,
    Failure,
    RunRecord,
    SubstepRecord,
)

STARTED = "2026-11-21T05:00:00+00:00"
RUN_ID = "run-26-11-21-050000-000001-9f86d081"


def png(side: int = 1) -> str:
    """Return a grey picture, base64."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        whole = kind + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\x00" + b"\x80" * side) * side)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + data).decode()


def run(*substeps: SubstepRecord, status: str = "succeeded", **more: Any) -> RunRecord:
    """Return a run of the step ``digits/zone/train``."""
    given = {"seconds": 3.5, "substeps": substeps, **more}
    return RunRecord(RUN_ID, "user", "digits", "zone", "train", status, STARTED, **given)


def substep(name: str = "train.ipynb", status: str = "succeeded", **more: Any) -> SubstepRecord:
    """Return a substep that took a second."""
    return SubstepRecord(name, status, **{"started": STARTED, "seconds": 1.0, **more})


def code(
    source: str, *outputs: Any, count: int | None = 1, tags: Any = (), **more: Any
) -> dict[str, Any]:
    """Return a code cell as a notebook file holds it."""
    metadata = {"tags": list(tags), **more}
    return {
        "cell_type": "code",
        "source": source,
        "outputs": list(outputs),
        "execution_count": count,
        "metadata": metadata,
    }


def markdown(source: str, **more: Any) -> dict[str, Any]:
    """Return a Markdown cell."""
    return {"cell_type": "markdown", "source": source, "metadata": {}, **more}


def stream(text: Any, name: str = "stdout") -> dict[str, Any]:
    """Return what a cell printed."""
    return {"output_type": "stream", "name": name, "text": text}


def shown(data: Any, metadata: Any = None) -> dict[str, Any]:
    """Return what a cell displayed."""
    return {"output_type": "display_data", "data": data, "metadata": metadata or {}}


def raised(
    ename: str = "ValueError", evalue: str = "no", traceback: Any = ("Traceback", "no")
) -> dict[str, Any]:
    """Return the error of a cell."""
    lines = list(traceback) if isinstance(traceback, tuple) else traceback
    return {"output_type": "error", "ename": ename, "evalue": evalue, "traceback": lines}


def notebook(*cells: Any, **metadata: Any) -> dict[str, Any]:
    """Return a notebook file as JSON gives it."""
    return {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


MIME_TYPES = (
    "text/plain",
    "text/html",
    "text/markdown",
    "text/latex",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "application/json",
    "application/javascript",
    "text/vnd.mermaid",
    "application/vnd.plotly.v1+json",
    "application/vnd.jupyter.widget-view+json",
    "application/pdf",
)


def poisoned_run(text: str) -> tuple[RunRecord, SubstepRecord]:
    """Return a run, and its only substep, with ``text`` in every field that can hold text."""
    entity = EntityRecord(
        text, text, text, text, text, text, 1, 2, 3, ((text, text), ("b", text)), text, text
    )
    cells = (
        CellRecord(0, "done", 0.1, (text,)),
        CellRecord(1, "failed", 0.1),
        CellRecord(2, "not run"),
    )
    failure = Failure(text, text, 1, 1, text, text, (text, text), 9, 1, 1000)
    one = SubstepRecord(
        text,
        "failed",
        text,
        1.0,
        {text: text, "a": [text], "b": {text: text}},
        {text: text, "m": 0.5},
        (entity,),
        (entity, entity),
        cells,
        failure,
        (text,),
        text,
        text,
        text,
        text,
        text,
    )
    names = (text,) * 5
    whole = RunRecord(
        *names,
        text,  # type: ignore[arg-type]
        text,
        text,
        1.0,
        message=text,
        url=text,
        step_folder=text,
        user=text,
        host=text,
        pipeline_params={text: text},
        step_params={text: {text: [text]}},
        substeps=(one, SubstepRecord(text, "pending")),
        code=CodeRecord(text, text, text, (text,)),
        versions={text: text},
        tag=text,
    )
    return whole, one


def poisoned_notebook(text: str) -> dict[str, Any]:
    """Return a notebook with ``text`` in every field: sources, outputs by type, metadata."""
    size = {"width": text, "height": text}
    outputs = [shown({kind: text, text: text}, {kind: size, **size}) for kind in MIME_TYPES]
    pictures = [shown({"image/png": png(), "text/plain": text}, {"image/png": size, "width": text})]
    told = {
        "sinara": {"status": text, "cause": text, "seconds": text},
        "papermill": {"status": text},
    }
    return notebook(
        code(text, *outputs, *pictures, tags=[text, "business_report"], **told),
        code(text, raised(text, text, (text, "\x1b[31m" + text)), tags=["business_report"]),
        code(
            text,
            stream(text),
            stream([text, text], text),
            {"output_type": text, "data": text},
            count=None,
        ),
        markdown(
            text, attachments={text: {"image/png": text}, "x.png": {text: text, "image/png": png()}}
        ),
        {"cell_type": "raw", "source": text, "metadata": {"tags": text}},
        {"cell_type": text, "source": [text, text], "metadata": text},
        kernelspec={"name": text, "display_name": text, "language": text},
        language_info={"name": text, "pygments_lexer": text, "version": text, "mimetype": text},
        title=text,
        widgets={
            "application/vnd.jupyter.widget-state+json": {"state": {text: {"model_name": text}}}
        },
    )
