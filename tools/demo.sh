#!/usr/bin/env bash
# Run an example: install sinara, make the pipeline from its manifest (a Git repository for
# each step), run it, draw its graph, and say where the results are.
#
#     bash tools/demo.sh [--example NAME] [FOLDER]
#
# NAME: digits (by default) or wine. FOLDER: where to work, ./demo by default.
# Run it again whenever you like: a demo that is there already, with what you changed in it,
# is used as it is. Delete the folder to start afresh.
set -euo pipefail

TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=tools/env.sh
. "$TOOLS/env.sh"

# Make the pipeline in $DEMO from the example's manifest; run again, it changes nothing.
create_pipeline() {
    if [ -e "$DEMO" ] && [ ! -f "$DEMO/sinara.toml" ] && [ -n "$(ls -A "$DEMO" 2>/dev/null)" ]; then
        fail "$DEMO holds other files. Name a folder that does not exist yet: bash $0 FOLDER"
    fi
    [ ! -f "$DEMO/sinara.toml" ] || say "Using the demo in $DEMO as it is"
    mkdir -p "$DEMO" 2>/dev/null || fail "$DEMO cannot be made. Name a folder that can be written: bash $0 FOLDER"
    say "Making the pipeline in $DEMO: sinara pipeline create --manifest examples/$EXAMPLE/pipeline.yaml"
    "$PY" -P -m sinara pipeline create --manifest "$CHECKOUT/examples/$EXAMPLE/pipeline.yaml" \
        --folder "$DEMO" --host local --organization "$DEMO/repositories" </dev/null >&2 || exit $?
}

draw_graph() {
    "$PY" -P -m sinara pipeline graph -C "$DEMO" -o "$DEMO/graph.html" </dev/null >/dev/null ||
        fail "the graph could not be drawn; the lines above say why"
}

# What did not change since the last time is not run again.
run_pipeline() {
    say ""
    say "── sinara pipeline run"
    "$PY" -P -m sinara pipeline run -C "$DEMO" </dev/null >/dev/null || {
        say "error: the pipeline did not succeed; the lines above say why. Repeat it with: cd $(q "$DEMO") && $PY -m sinara pipeline run"
        exit 1
    }
}

# The page of the pipeline's last run.
run_page() {
    (cd "$DEMO" && "$PY" -P -m sinara run open --print </dev/null)
}

newest_run() {
    find "$DEMO/sinara_data/user/$EXAMPLE/zone/$1/_runs" -mindepth 1 -maxdepth 1 -name 'run-*' | LC_ALL=C sort | tail -n 1
}

# Quote a path, so that it can be copied into a shell.
q() { printf '%q' "$1"; }

finish() {
    local evidence enter page bin=${PY%/*}
    evidence=$(newest_run "${LAST[0]}")
    page=$(run_page) || fail "the run has no page"
    enter="export PATH=$(q "$bin"):\$PATH"
    [ ! -f "$bin/activate" ] || enter=". $(q "$bin/activate")"
    cat <<EOF

OK  demo finished: $STEPS steps in $SECONDS s$(accuracy "$evidence")

    run          $(q "$page")
                 <- open this in a browser
    graph        $(q "$DEMO/graph.html")
    a report     $(q "$evidence/index.html")
    for readers  $(q "$evidence/${LAST[1]}/business_report.html")
    data         $(q "$DEMO/sinara_data/user/$EXAMPLE/zone")

Try next

    cd $(q "$DEMO") && $enter

    what there is   sinara entity list
    look inside     sinara entity head ${LAST[2]}
    change it       edit ${LAST[3]}/params/step_params.json, then
                    sinara pipeline plan && sinara pipeline run
    see what it did sinara run show && sinara run open
    made of what    sinara why ${LAST[2]}$SERVE
    by hand         pip install jupyterlab && sinara lab
    your own        sinara pipeline create --name mine --steps load,train
    read more       $(q "$CHECKOUT/docs/tutorial.md")
EOF
}

accuracy() {
    "$PY" - "$1/${LAST[1]}/metrics.json" <<'EOF'
import json, sys
metrics = json.load(open(sys.argv[1], encoding="utf-8"))
accuracy = metrics.get("accuracy", metrics.get("best_accuracy"))
if isinstance(accuracy, float):  # the notebook may have been changed
    print(f", accuracy {accuracy:.3f}")
EOF
}

EXAMPLE=digits
if [ "${1:-}" = --example ]; then
    [ $# -ge 2 ] || fail "--example needs a name: digits or wine"
    EXAMPLE=$2
    shift 2
fi
[ $# -le 1 ] || fail "one folder at most. Use: bash $0 [--example NAME] [FOLDER]"
case ${1:-} in
-h | --help)
    sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
    ;;
-*) fail "unknown option $1. Use: bash $0 [--example NAME] [FOLDER]" ;;
esac
# How many steps; then of the last one: its name, its report, an entity; and one to change.
case $EXAMPLE in
digits)
    STEPS=5
    LAST=(model_eval reports_evaluate_ipynb predictions digits-model_train)
    SERVE=$'\n    serve it        sinara model serve bento_service'
    ;;
wine)
    STEPS=6
    LAST=(compare reports_compare_ipynb comparison wine-train_forest)
    SERVE=""
    ;;
*) fail "there is no example $EXAMPLE. There is: digits wine" ;;
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
create_pipeline
run_pipeline
draw_graph
finish
