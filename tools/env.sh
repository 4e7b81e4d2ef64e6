# shellcheck shell=bash
# Find or make the Python environment of this checkout. Sourced by the other scripts, which call
#
#     make_environment examples        # or: make_environment dev docs
#
# and get $PY, the interpreter of an environment in which this checkout is installed with
# those extras. That is $PYTHON or the active environment, if this checkout is installed there;
# else .venv beside this folder (or what $VENV names), made with $PYTHON or the first Python
# that will do. Nothing is installed again while pyproject.toml and the interpreter are the
# ones of the last time.

CHECKOUT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
VENV=${VENV:-$CHECKOUT/.venv}

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "error: $*"
    exit 2
}

# Print the first interpreter that is new enough and can make environments.
find_python() {
    local candidate found old=""
    for candidate in "${PYTHON:-}" python3 python3.12 python3.13 python3.11 python3.14 python; do
        [ -n "$candidate" ] || continue
        found=$(command -v "$candidate" 2>/dev/null) || continue
        if ! "$found" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            continue
        fi
        if "$found" -c 'import ensurepip, venv' 2>/dev/null; then
            printf '%s\n' "$found"
            return
        fi
        old=$found
    done
    [ -z "$old" ] || fail "$old cannot make environments. Install its venv package (Debian: apt-get install python3-venv) and run this again."
    fail "Python 3.11 or newer was not found. Install it, or name it: PYTHON=/path/to/python3.11 bash $0"
}

# Print what decides whether an installation is still good.
fingerprint() {
    "$PY" - "$CHECKOUT" <<'EOF'
import hashlib, pathlib, sys
checkout = pathlib.Path(sys.argv[1])
text = (checkout / "pyproject.toml").read_bytes() + f"{sys.version}{sys.prefix}{checkout}".encode()
print(hashlib.sha256(text).hexdigest())
EOF
}

installed() {
    local extra print
    print=$(fingerprint) || return 1
    for extra in "$@"; do
        [ "$(cat "$VENV/.sinara-$extra" 2>/dev/null)" = "$print" ] || return 1
    done
}

# Install this checkout with the extras given: by uv where it can be had, else by pip. uv leaves
# the compiling to the first import, whose outcome is not kept where PYTHONDONTWRITEBYTECODE is set.
install_checkout() {
    local extras target quick="" compile=${PYTHONDONTWRITEBYTECODE:+--compile-bytecode}
    extras=$(IFS=,; printf '%s' "$*")
    target="${CHECKOUT}[$extras]"
    "$PY" -m pip install --quiet --disable-pip-version-check uv >/dev/null 2>&1 && quick=yes
    # shellcheck disable=SC2086
    if [ -n "$quick" ] && "$PY" -m uv pip install --quiet $compile --python "$PY" --editable "$target" >/dev/null 2>&1; then
        return
    fi
    "$PY" -m pip install --quiet --disable-pip-version-check --editable "$target" >&2 ||
        fail "the packages could not be installed; the lines above say why. Is there a network? Run this again when it is there."
}

# Print the interpreter that is there already, with this checkout and the extras installed:
# $PYTHON, or the environment that is active.
find_ready() {
    local candidate modules extra
    modules=sinara
    for extra in "$@"; do
        case $extra in
        examples) modules="$modules sklearn matplotlib bentoml" ;;
        dev) modules="$modules pytest xdist hypothesis nbval sklearn matplotlib bentoml ruff mypy" ;;
        docs) modules="$modules sphinx myst_nb furo" ;;
        esac
    done
    for candidate in "${PYTHON:-}" ${VIRTUAL_ENV:+"$VIRTUAL_ENV/bin/python"}; do
        [ -n "$candidate" ] || continue
        # shellcheck disable=SC2086
        if "$candidate" -I - "$CHECKOUT" $modules 2>/dev/null <<'EOF'
import importlib.util, os, sys
checkout, *modules = sys.argv[1:]
found = [importlib.util.find_spec(module) for module in modules]
sys.exit(not all(found) or not os.path.samefile(os.path.dirname(found[0].origin), checkout + "/sinara"))
EOF
        then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    return 1
}

make_environment() {
    local python extra print
    unset PYTHONHOME PYTHONPATH
    if PY=$(find_ready "$@"); then
        return
    fi
    mkdir -p "$VENV" 2>/dev/null || fail "$VENV cannot be made. Name a folder that can be written: VENV=/path bash $0"
    PY=$VENV/bin/python
    # Two scripts at once take turns, where the system has flock.
    if command -v flock >/dev/null 2>&1; then
        exec 9>"$VENV/.sinara-lock"
        flock 9
    fi
    if ! "$PY" -m pip --version >/dev/null 2>&1; then
        python=$(find_python) || exit 2
        say "Making $VENV with $python"
        "$python" -m venv "$VENV" >&2 || fail "$python could not make $VENV. Delete that folder and run this again."
    fi
    if ! installed "$@"; then
        say "Installing sinara and its packages [$*] (a minute the first time)"
        install_checkout "$@"
        print=$(fingerprint)
        for extra in "$@"; do
            printf '%s\n' "$print" >"$VENV/.sinara-$extra"
            # dev brings what the examples need
            [ "$extra" != dev ] || printf '%s\n' "$print" >"$VENV/.sinara-examples"
        done
    fi
    exec 9>&-
}
