#!/usr/bin/env bash
# Everything about the code that can be checked without running the tests:
# lint, format, types, import directions, docstrings, documentation.
#
#     bash tools/check.sh [NAME...]      NAME: lint format types imports docstrings docs
set -uo pipefail

TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=tools/env.sh
. "$TOOLS/env.sh"

lint() { "$PY" -m ruff check .; }
format() { "$PY" -m ruff format --check .; }
types() { "$PY" -m mypy; }
imports() { "$(dirname "$PY")/lint-imports"; }
docstrings() { "$PY" -m interrogate -v --omit-covered-files sinara; }
docs() {
    # every kernel that a page starts warns that it talks over TCP
    "$PY" -m sphinx -q -T -W --keep-going -b html docs docs/_build/html 2>&1 |
        grep -v -e 'Kernel is running over TCP' -e 'traitlets client.py' -e '^$'
    return "${PIPESTATUS[0]}"
}

[ $# -gt 0 ] || set -- lint format types imports docstrings docs
for name in "$@"; do
    case $name in lint | format | types | imports | docstrings | docs) ;; *)
        fail "unknown check $name. Known: lint format types imports docstrings docs" ;;
    esac
done

make_environment dev docs
cd "$CHECKOUT" || exit 2
failed=()
for name in "$@"; do
    say "── $name"
    "$name" || failed+=("$name")
done
if [ ${#failed[@]} -gt 0 ]; then
    say "checks failed: ${failed[*]}"
    exit 1
fi
say "checks passed: $*"
