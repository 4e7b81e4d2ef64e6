#!/usr/bin/env bash
# Set up, then run the tests.
#
#     bash tools/test.sh [PYTEST OPTIONS]      for example: bash tools/test.sh -k names
#
# Makes .venv and installs what the tests need. As root on Debian it also installs Chromium,
# Graphviz, shellcheck, and what makes, serves and runs container images (tools/base_image.py says which
# packages the base image is made of) by apt-get if they are missing (NO_APT=1 prevents that).
# Without them the tests that need them are skipped, and say so. The oldest JupyterLab that is supported gets an
# environment of its own, .venv-oldest-lab (SKIP_OLDEST_LAB=1 prevents that).
set -euo pipefail

TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=tools/env.sh
. "$TOOLS/env.sh"

install_system_packages() {
    local missing=() package
    command -v chromium >/dev/null 2>&1 || missing+=(chromium)
    command -v shellcheck >/dev/null 2>&1 || missing+=(shellcheck)
    command -v dot >/dev/null 2>&1 || missing+=(graphviz)
    for package in buildah podman runc docker-registry skopeo; do
        command -v "$package" >/dev/null 2>&1 || missing+=("$package")
    done
    while read -r package; do missing+=("$package"); done < <(base_image_packages)
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ -n "${NO_APT:-}" ] || [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        say "Not installed: ${missing[*]}. Tests that need them are skipped (Debian: apt-get install ${missing[*]})"
        return 0
    fi
    say "Installing ${missing[*]} with apt-get"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >/dev/null 2>&1 </dev/null || true
    install_packages "${missing[@]}" && return
    # one that the system has not, such as Debian's Python of another version, stops no other
    for package in "${missing[@]}"; do
        install_packages "$package" || say "apt-get could not install $package: tests that need it are skipped"
    done
}

install_packages() {
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 </dev/null
}

# Print what the base image for the tests is made of and this machine has not, where that is Debian.
base_image_packages() {
    command -v dpkg-query >/dev/null 2>&1 || return 0
    "$PY" "$TOOLS/base_image.py" --missing
}

# The oldest JupyterLab that pyproject.toml names, in an environment of its own.
make_oldest_lab() {
    local place=$CHECKOUT/.venv-oldest-lab print
    [ -z "${SKIP_OLDEST_LAB:-}" ] || return 0
    print=$(fingerprint)
    [ "$(cat "$place/.sinara" 2>/dev/null)" != "$print" ] || return 0
    say "Making $place with JupyterLab 4.1"
    if { [ -x "$place/bin/python" ] || "$PY" -m venv "$place"; } >/dev/null 2>&1 &&
        install_oldest_lab "$place" >/dev/null 2>&1; then
        printf '%s\n' "$print" >"$place/.sinara"
    else
        say "The oldest JupyterLab could not be installed: tests that need it are skipped"
    fi
}

# By uv where it can be had, else by pip.
install_oldest_lab() {
    if "$PY" -m pip install --quiet --disable-pip-version-check uv &&
        "$PY" -m uv pip install --quiet --python "$1/bin/python" --editable "$CHECKOUT" 'jupyterlab==4.1.*'; then
        return
    fi
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check --editable "$CHECKOUT" 'jupyterlab==4.1.*'
}

# Thousands of interpreters start here: none of them shall compile what another one compiled.
unset PYTHONDONTWRITEBYTECODE

make_environment dev
install_system_packages
make_oldest_lab
cd "$CHECKOUT"
exec "$PY" -m pytest -n 2 --dist worksteal "$@"
