"""Install the packages of an image: a program that the base image's Python runs in the build.

It is mounted, with what it needs, and never stays in the image. Nothing of sinara is there, and
the Python may be an old one: it has to come as far as to say so.

What it reads::

    $SINARA_PYTHON                   the version that the base has to have
    /app/requirements.txt            pins, complete
    /run/build/uv                    uv of the machine that builds, if it has one
    /run/build/wheels/               if it is there: the one place to take packages from
    /run/secrets/{settings,uv,ca}    variables (JSON), uv.toml and certificates, if given
    /run/cache                       kept between builds, never in an image
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

BUILD = Path("/run/build")
CACHE = Path("/run/cache")
SECRETS = Path("/run/secrets")
REQUIREMENTS = Path("/app/requirements.txt")
SITE = Path("/app/site")
# Of every file in our layers: 1980-01-01, the first that a zip archive can hold. Not the entity's,
# or the packages of two runs would be two layers with the same content.
LAYER_TIME = 315532800
OF_BUILD = ("uv_cache.json", "direct_url.json")  # when and where a wheel of a folder was found


def main() -> None:
    """Check the Python, then install with the uv of the machine, of the base, or with pip."""
    asked, found = os.environ["SINARA_PYTHON"], f"{sys.version_info[0]}.{sys.version_info[1]}"
    if found != asked:
        stop(
            f"the base image has Python {found}, the model was made with {asked}. "
            f"Use a base image with Python {asked}."
        )
    if SITE.is_dir() and any(SITE.iterdir()):
        stop(
            f"the base image has packages in {SITE} already: it is an image of another model. "
            "Use the base image of that one."
        )
    SITE.mkdir(parents=True, exist_ok=True)
    given = environment()
    uv = find_uv()
    commands = with_uv(uv) if uv else with_pip()
    for command in commands:
        if subprocess.call(command, env=given) != 0:
            stop("the packages could not be installed; the lines above say why.")
    tidy()


def environment() -> dict[str, str]:
    """Return the variables for the installer: of the machine that builds, and ours."""
    given = dict(os.environ)
    settings, ca, uv = (SECRETS / name for name in ("settings", "ca", "uv"))
    if settings.exists():
        given.update(json.loads(settings.read_text()))
    if ca.exists():
        given.update(dict.fromkeys(("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"), str(ca)))
    given.update({"UV_CONFIG_FILE": str(uv)} if uv.exists() else {"UV_NO_CONFIG": "1"})
    given.update(
        {
            "UV_CACHE_DIR": str(CACHE),
            "UV_LINK_MODE": "copy",
            "UV_NO_PROGRESS": "1",
            "UV_PYTHON_DOWNLOADS": "never",
            "PYC_INVALIDATION_MODE": "CHECKED_HASH",  # time stamps would make each build differ
            "PIP_NO_CACHE_DIR": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
        }
    )
    return given


def find_uv() -> str | None:
    """Return a uv that runs here."""
    for candidate in (str(BUILD / "uv"), shutil.which("uv")):
        try:
            if candidate and subprocess.call([candidate, "--version"], stdout=sys.stderr) == 0:
                return candidate
        except OSError:  # made for another system
            continue
    return None


def with_uv(uv: str) -> list[list[str]]:
    """Return the commands that install with uv."""
    install = [uv, "pip", "install", "--python", sys.executable, "--target", str(SITE)]
    install += ["--no-deps", "--compile-bytecode", *source(), "-r", str(REQUIREMENTS)]
    return [install]


def with_pip() -> list[list[str]]:
    """Return the commands that install with pip."""
    if subprocess.call([sys.executable, "-c", "import pip"], stderr=subprocess.DEVNULL) != 0:
        stop(
            "neither uv nor pip runs in the base image. Install uv on this machine "
            "(pip install uv), or use a base image that has one of them."
        )
    install = [sys.executable, "-m", "pip", "install", "--target", str(SITE)]
    install += ["--no-deps", "--no-compile", *source(), "-r", str(REQUIREMENTS)]
    compile_ = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash"]
    return [install, [*compile_, str(SITE)]]


def source() -> list[str]:
    """Return where packages come from, if that is not an index."""
    wheels = BUILD / "wheels"
    return ["--no-index", "--find-links", str(wheels)] if wheels.is_dir() else []


def tidy() -> None:
    """Remove what no import needs and what tells of this build; give everything one time stamp."""
    shutil.rmtree(str(SITE / "bin"), ignore_errors=True)  # scripts; they are not on the path
    if (SITE / ".lock").exists():
        (SITE / ".lock").unlink()
    for record in SITE.glob("*.dist-info/RECORD"):
        lines = record.read_text("utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not line.partition(",")[0].endswith(OF_BUILD)]
        record.write_text("".join(kept), "utf-8")
        for name in OF_BUILD:
            if record.with_name(name).exists():
                record.with_name(name).unlink()
    for path in (SITE, *SITE.rglob("*")):
        os.utime(str(path), (LAYER_TIME, LAYER_TIME), follow_symlinks=False)


def stop(reason: str) -> NoReturn:
    """End the build; the line is looked for in its log."""
    sys.exit(f"sinara: {reason}")


if __name__ == "__main__":
    main()
