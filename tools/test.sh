#!/usr/bin/env bash
# Set up, then run the tests.
#
#     bash tools/test.sh [PYTEST OPTIONS]      for example: bash tools/test.sh -k names
#
# Makes .venv and installs what the tests need. As root on Debian it also installs Chromium
# and shellcheck by apt-get if they are missing (NO_APT=1 prevents that). Without them the
# tests that need them are skipped, and say so.
set -euo pipefail

TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=tools/env.sh
. "$TOOLS/env.sh"

install_system_packages() {
    local missing=()
    command -v chromium >/dev/null 2>&1 || missing+=(chromium)
    command -v shellcheck >/dev/null 2>&1 || missing+=(shellcheck)
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ -n "${NO_APT:-}" ] || [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        say "Not installed: ${missing[*]}. Tests that need them are skipped (Debian: apt-get install ${missing[*]})"
        return 0
    fi
    say "Installing ${missing[*]} with apt-get"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null 2>&1 </dev/null ||
        say "apt-get could not install ${missing[*]}: tests that need them are skipped"
}

make_environment dev
install_system_packages
cd "$CHECKOUT"
exec "$PY" -m pytest -n 2 "$@"
