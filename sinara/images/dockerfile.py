"""The one Dockerfile, the same for every image, and the words that a builder is called with.

No value of a user is ever written into it. What differs from image to image comes as a build
argument, as a file of the context, or as a secret of the build, which no layer and no history
keeps. The layers, the one that changes most often last::

    base            as it is; whatever user it names, root lays out what follows
    requirements    one small file: with the base, what decides whether the next one is made again
    packages        the only command that is run: :mod:`sinara.images.inside`
    code
    model

The names of two arguments are ours alone: builders keep steps by their words, and would take one
of somebody else's image, with its date, for ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from sinara.images.inside import BUILD, CACHE, REQUIREMENTS
from sinara.images.runtime import CMD, ENTRYPOINT, EXPOSED, WORKING_FOLDER, environment
from sinara.images.values import BENTO, PACKAGES, USER

SECRETS = ("settings", "uv", "ca")
_PROBE = (
    "import os, urllib.request as r; r.build_opener(r.ProxyHandler({}))"
    ".open('http://127.0.0.1:' + os.environ['PORT'] + '/readyz', timeout=4)"
)
HEALTH_COMMAND = ("python3", "-c", _PROBE)
HEALTH_SECONDS = {"interval": 10, "timeout": 5, "start-period": 60}
HEALTH_RETRIES = 3


def text() -> str:
    """Return the Dockerfile."""
    secrets = " ".join(f"--mount=type=secret,id={name}" for name in SECRETS)
    every = " ".join(f"--{name}={seconds}s" for name, seconds in HEALTH_SECONDS.items())
    variables = " ".join(f"{name}={json.dumps(value)}" for name, value in environment().items())
    return f"""\
ARG BASE
FROM ${{BASE}}
USER 0:0
ARG SINARA_PYTHON
ARG SINARA_INPUTS
COPY requirements.txt {REQUIREMENTS}
RUN --mount=type=bind,source=build,target={BUILD} {secrets} \
--mount=type=cache,id=sinara-packages,target={CACHE} \
command -v python3 >/dev/null || {{ echo "sinara: the base image has no python3." >&2; exit 1; }}; \
exec python3 {BUILD}/inside.py
COPY code {BENTO}/
COPY model {BENTO}/
ENV {variables}
WORKDIR {WORKING_FOLDER}
EXPOSE {EXPOSED}
USER {USER}
HEALTHCHECK {every} --retries={HEALTH_RETRIES} CMD {_words(HEALTH_COMMAND)}
ENTRYPOINT {_words(ENTRYPOINT)}
CMD {_words(CMD)}
"""


def volume_in_the_way(volumes: Iterable[str]) -> str:
    """Return which volume of a base would swallow what is laid out in the build; empty if none.

    What a command of a build writes into a volume, builders throw away.
    """
    return next((one for one in volumes if f"{PACKAGES}/".startswith(f"{one.rstrip('/')}/")), "")


def arguments(base: str, python: str, inputs: str) -> list[str]:
    """Return the build arguments, as words of a command line.

    Args:
        base: Reference of the base image.
        python: ``3.11``.
        inputs: A digest of what the command mounts, which no builder looks at otherwise.
    """
    values: Mapping[str, str] = {"BASE": base, "SINARA_PYTHON": python, "SINARA_INPUTS": inputs}
    return [w for name, value in values.items() for w in ("--build-arg", f"{name}={value}")]


def _words(words: Sequence[str]) -> str:
    return json.dumps(list(words))
