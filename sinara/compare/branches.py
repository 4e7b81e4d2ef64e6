"""The last tagged runs of two branches compared: ``SinaraDiffReport.save`` of the original.

Nothing is fetched, checked out or tagged. The page lies with the evidence of the current run.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sinara.compare.commits import Git
from sinara.compare.compare import compare
from sinara.compare.page import page
from sinara.compare.runs import run_side
from sinara.compare.text import as_json
from sinara.compare.values import Diff
from sinara.errors import BadNameError, RunNotFoundError, SinaraError
from sinara.names import StepName, check_run_id
from sinara.record import RunRecord
from sinara.runner import RunRequest, step_params
from sinara.runner.inputs import step_store
from sinara.settings import Settings, load_settings
from sinara.store import StepStore

_COMMITS = 1000  # of a branch that are looked through for a tag, newest first


def save_report(
    folder: Path, curr_branch: str, target_branch: str, say: Callable[[str], None]
) -> str | None:
    """Compare the last tagged runs of two branches.

    Args:
        folder: The step's folder.
        curr_branch: The branch with what is new.
        target_branch: The branch to compare with.
        say: Is given the lines for a person.

    Returns:
        Where the page lies; ``None`` if a branch has no tagged run, or its run is not here.

    Raises:
        RepositoryError: If the step is in no repository.
        UsageError: If there is no such branch.
    """
    git = Git(folder)
    settings = load_settings(folder)
    found = []
    for branch in (target_branch, curr_branch):
        run_id = last_tagged(git, branch)
        if run_id is None:
            say(
                f"sinara: no difference was reported: no commit of branch '{branch}' is tagged "
                "by a run. Fetch the tags (git fetch --tags), or run step.prod.py there."
            )
            return None
        try:
            found.append(_run(folder, settings, run_id))
        except SinaraError as error:
            say(f"sinara: no difference was reported: branch '{branch}': {error.lines[0]}")
            return None
    (old_store, old), (store, new) = found
    diff = compare(run_side(old_store, old), run_side(store, new))
    branches = {"curr_branch": curr_branch, "target_branch": target_branch}
    where = _keep(store, diff, old.run_id, new.run_id, branches)
    say(f"difference  {where}")
    return where


def _keep(store: StepStore, diff: Diff, old: str, new: str, branches: dict[str, str]) -> str:
    """Write page and JSON to the evidence of the new run; return where the page lies."""
    name = f"diff.{new}.{old}"
    text = json.dumps({"schema_version": 1, "diff": as_json(diff)}, indent=1, default=str)
    store.put_file(new, f"{name}/diff.json", text.encode("utf-8", "replace"))
    store.put_file(new, f"{name}/index.html", page(diff).encode("utf-8", "replace"))
    store.add_note(new, "diff", {**branches, "target_run": old, "folder": name})
    evidence = store.record_folder(new)
    return f"{evidence or f'{store.url}/_runs/{new}'}/{name}/index.html"


def last_tagged(git: Git, branch: str) -> str | None:
    """Return the newest run that tagged the newest tagged commit of a branch; None if none did."""
    commit = git.commit(branch)
    tags: dict[str, list[str]] = {}
    form = "%(refname:strip=2) %(objectname) %(*objectname)"
    listed = git.run("for-each-ref", f"--merged={commit}", f"--format={form}", "refs/tags/run-*")
    for line in listed.splitlines():
        name, target, annotated = (*line.split(" "), "", "")[:3]
        if _is_run_id(name):
            tags.setdefault(annotated or target, []).append(name)
    for one in git.run("rev-list", f"--max-count={_COMMITS}", commit).splitlines():
        if one in tags:
            return max(tags[one])
    return None


def _is_run_id(name: str) -> bool:
    try:
        return bool(check_run_id(name))
    except BadNameError:
        return False


def _run(folder: Path, settings: Settings, run_id: str) -> tuple[StepStore, RunRecord]:
    """Return a run of this step, in whichever env it is."""
    step = step_params(RunRequest(folder), settings)
    own = StepName(step.env_name, step.pipeline_name, step.zone_name, step.step_name)
    for env in dict.fromkeys(("prod", own.env, *settings.envs)):
        store = step_store(settings, replace(own, env=env))
        try:
            return store, store.read_record(run_id)
        except RunNotFoundError:
            continue
    raise RunNotFoundError(f"run {run_id} of step '{own.step}' is in no env of this machine.")
