#!/usr/bin/env bash
# Run the digits example: install sinara, copy the example out of this checkout, make each
# step a Git repository, run the steps in order, and say where the results are.
#
#     bash tools/demo.sh [FOLDER]      FOLDER: where to work, ./demo by default
#
# Run it again whenever you like: a demo that is there already, with what you changed in it,
# is used as it is. Delete the folder to start afresh.
set -euo pipefail

TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=tools/env.sh
. "$TOOLS/env.sh"

STEPS="digits-data_load digits-data_prep digits-model_train digits-model_eval"

# Copy the example to $DEMO: whole or not at all.
copy_example() {
    local part
    if [ -f "$DEMO/sinara.toml" ] && [ -d "$DEMO/digits-model_eval" ]; then
        say "Using the demo in $DEMO as it is"
        return
    fi
    if [ -e "$DEMO" ] && [ -n "$(ls -A "$DEMO" 2>/dev/null)" ]; then
        fail "$DEMO holds other files. Name a folder that does not exist yet: bash $0 FOLDER"
    fi
    part=$DEMO.part-$$
    mkdir -p "$part" 2>/dev/null || fail "$DEMO cannot be made. Name a folder that can be written: bash $0 FOLDER"
    trap 'rm -rf "$DEMO.part-$$"' EXIT
    cp "$CHECKOUT/examples/digits/sinara.toml" "$CHECKOUT/examples/digits/README.md" "$part/"
    for step in $STEPS; do
        (cd "$CHECKOUT/examples/digits" && tar -cf - --exclude=__pycache__ --exclude=.ipynb_checkpoints \
            --exclude=.pytest_cache "$step") | (cd "$part" && tar -xf -)
    done
    [ ! -d "$DEMO" ] || rmdir "$DEMO"
    mv "$part" "$DEMO"
    say "Copied the digits example to $DEMO"
}

# Make the folder $1 a Git repository with one commit, if it is none.
make_repository() {
    if git -C "$1" rev-parse --verify --quiet HEAD >/dev/null 2>&1 &&
        [ "$(git -C "$1" rev-parse --show-prefix)" = "" ]; then
        return
    fi
    local identity=()
    git -C "$1" config user.email >/dev/null 2>&1 ||
        identity=(-c user.name="sinara demo" -c user.email=demo@example.org)
    git -c init.defaultBranch=main init --quiet "$1"
    git -C "$1" add --all
    git -C "$1" ${identity[@]+"${identity[@]}"} -c commit.gpgsign=false \
        commit --quiet --no-verify --message "A step of the digits example"
}

run_step() {
    say ""
    say "── $1: python step.dev.py"
    (cd "$DEMO/$1" && "$PY" step.dev.py </dev/null) ||
        fail_run "$1"
}

fail_run() {
    say "error: step $1 failed; the lines above say where. Repeat it with: cd $DEMO/$1 && $PY step.dev.py"
    exit 1
}

newest_run() {
    find "$DEMO/sinara_data/user/digits/zone/$1/_runs" -mindepth 1 -maxdepth 1 -name 'run-*' | LC_ALL=C sort | tail -n 1
}

# Quote a path, so that it can be copied into a shell.
q() { printf '%q' "$1"; }

finish() {
    local evidence enter bin=${PY%/*}
    evidence=$(newest_run model_eval)
    enter="export PATH=$(q "$bin"):\$PATH"
    [ ! -f "$bin/activate" ] || enter=". $(q "$bin/activate")"
    cat <<EOF

OK  demo finished: 4 steps in $SECONDS s$(accuracy "$evidence")

    report       $(q "$evidence/index.html")
                 <- open this in a browser
    for readers  $(q "$evidence/reports_evaluate_ipynb/business_report.html")
    data         $(q "$DEMO/sinara_data/user/digits/zone")

Try next

    cd $(q "$DEMO") && $enter

    what there is   sinara entity list
    look inside     sinara entity head predictions
    change it       edit digits-model_train/params/step_params.json, then
                    (cd digits-model_train && python step.dev.py)
    by hand         pip install jupyterlab && jupyter lab
    your own step   sinara step new prepare --pipeline mine
    read more       $(q "$CHECKOUT/docs/tutorial.md")
EOF
}

accuracy() {
    "$PY" - "$1/reports_evaluate_ipynb/metrics.json" <<'EOF'
import json, sys
accuracy = json.load(open(sys.argv[1], encoding="utf-8")).get("accuracy")
if isinstance(accuracy, float):  # the notebook may have been changed
    print(f", accuracy {accuracy:.3f}")
EOF
}

[ $# -le 1 ] || fail "one folder at most. Use: bash $0 [FOLDER]"
case ${1:-} in
-h | --help)
    sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
    ;;
-*) fail "unknown option $1. Use: bash $0 [FOLDER]" ;;
esac
command -v git >/dev/null 2>&1 || fail "git was not found. Install it and run this again."

# The demo shows what a new user gets: no setting of the caller moves its data elsewhere.
# Nor does a Git repository that the caller stands in.
# shellcheck disable=SC2046
unset "${!SINARA_@}" "${!DSML_@}" DESIGN_MODE $(git rev-parse --local-env-vars)

DEMO=${1:-demo}
case $DEMO in /*) ;; *) DEMO=$PWD/$DEMO ;; esac
DEMO=${DEMO%/}

make_environment examples
copy_example
for step in $STEPS; do make_repository "$DEMO/$step"; done
for step in $STEPS; do run_step "$step"; done
finish
