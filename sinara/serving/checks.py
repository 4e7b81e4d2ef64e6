"""What ``service.json`` and ``requirements.txt`` may say, whoever wrote them.

Their digests are right by then; but what they say goes to command lines, names and labels.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from sinara.errors import BadNameError, CorruptError
from sinara.images.context import PIN
from sinara.names import check_name, shown
from sinara.serving.values import REQUIREMENTS, SERVICE, ServiceInfo

VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,599}")
_PYTHON = re.compile(r"[0-9]{1,2}\.[0-9]{1,3}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,99}")
_LATEST = 1 << 33  # seconds: the year 2242
_LONGEST = 1024  # characters of a path


def check(info: ServiceInfo, requirements: bytes, url: str) -> None:
    """Check what an entity says of its service.

    Args:
        info: ``service.json``.
        requirements: ``requirements.txt``.
        url: The entity's, for messages.

    Raises:
        CorruptError: If something cannot be what sinara saved.
    """
    fine = {
        "name": (info.name, _is_name(info.name)),
        "version": (info.version, VERSION.fullmatch(info.version)),
        "run_id": (info.run_id, _WORD.fullmatch(info.run_id)),
        "python": (info.python, _PYTHON.fullmatch(info.python)),
        "bentoml": (info.bentoml, _WORD.fullmatch(info.bentoml)),
        "epoch": (info.epoch, 0 <= info.epoch < _LATEST),
    }
    for name, (value, is_fine) in fine.items():
        if not is_fine:
            raise CorruptError(f"{url}/{SERVICE}: {name} cannot be {shown(value)}. Restore it.")
    for path in info.weights:
        if not _is_inside(path):
            raise CorruptError(
                f"{url}/{SERVICE} names the file {shown(path)}, which is none of a bento."
            )
    for number, line in enumerate(requirements.split(b"\n"), 1):
        text = line.decode("ascii", "replace").strip(" ")
        if text and not PIN.fullmatch(text):
            raise CorruptError(
                f"{url}/{REQUIREMENTS}, line {number} is no name==version: an option or an "
                "address could bring other packages than those of the run. Restore it."
            )


def _is_name(name: str) -> bool:
    try:
        return bool(check_name("service", name))
    except BadNameError:
        return False


def _is_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    plain = path.isprintable() and len(path) <= _LONGEST and all(len(p) < 256 for p in parts)
    return bool(parts) and plain and not path.startswith("/") and ".." not in parts
