#!/usr/bin/env bash
# Make the step repositories of a pipeline: asks, or takes arguments or a manifest.
# All the work is done by `sinara pipeline create`; see its --help.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
for python in "${PYTHON:-}" ${VIRTUAL_ENV:+"$VIRTUAL_ENV/bin/python"} "${VENV:-$HERE/.venv}/bin/python" python3 python; do
    # -P: the folder that the caller stands in is no place to import from
    if [ -n "$python" ] && "$python" -P -c 'import sinara.cli.create' 2>/dev/null; then
        exec "$python" -P -m sinara pipeline create "$@"
    fi
done
if command -v sinara >/dev/null; then  # installed by pipx, uv tool, …: in an environment of its own
    exec sinara pipeline create "$@"
fi
printf '%s\n' "error: sinara is not installed. Install it: pip install $(printf '%q' "$HERE")" >&2
exit 2
