#!/usr/bin/env bash
# Make an image of a saved model: asks, or takes arguments.
# All the work is done by `sinara model containerize`; see its --help.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
for python in "${PYTHON:-}" ${VIRTUAL_ENV:+"$VIRTUAL_ENV/bin/python"} "${VENV:-$HERE/.venv}/bin/python" python3 python; do
    # -P: the folder that the caller stands in is no place to import from
    if [ -n "$python" ] && "$python" -P -c 'import sinara.cli.containerize' 2>/dev/null; then
        exec "$python" -P -m sinara model containerize "$@"
    fi
done
if command -v sinara >/dev/null; then  # installed by pipx, uv tool, …: in an environment of its own
    exec sinara model containerize "$@"
fi
printf '%s\n' "error: sinara is not installed. Install it: pip install $(printf '%q' "${HERE}[bento]")" >&2
exit 2
