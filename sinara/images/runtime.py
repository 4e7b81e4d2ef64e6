"""How an image starts: one set of words for every backend, so that all images behave alike."""

from __future__ import annotations

from sinara.images.values import BENTO, HOME, PACKAGES, PORT

ENTRYPOINT = ("python3", "-m", "bentoml")
CMD = ("serve", BENTO, "--host", "0.0.0.0")
WORKING_FOLDER = BENTO
EXPOSED = f"{PORT}/tcp"


def environment() -> dict[str, str]:
    """Return the variables that an image sets, in the order in which it sets them.

    ``PATH`` is the base's own. Bytecode comes with the image, and whoever runs it may have no
    right to write beside it.
    """
    return {
        "PYTHONPATH": PACKAGES,
        "HOME": HOME,
        "USER": "bentoml",  # the uid has no entry in /etc/passwd of every base
        "LOGNAME": "bentoml",
        "BENTOML_HOME": "/tmp/bentoml",  # the one place that may be written to
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTO_PATH": BENTO,
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PORT": str(PORT),
    }
