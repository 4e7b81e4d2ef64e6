"""The published schema and the checker agree on manifests that a machine thought up."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinara.errors import ManifestError
from sinara.manifest import schema
from sinara.manifest.read import _Reading
from tests.manifest.test_manifest import GOOD

VALIDATOR = jsonschema.Draft202012Validator(json.loads(schema()))
# Values that go to a place where something else stood.
VALUES = st.sampled_from(
    [None, True, 0, 7, 1.5, "", "a", "a b", "../x", "x.ipynb", "x.py", "a/b", "a.b", "a..b", ".a", "a-", "_a",
     "é", "run-25-01-01-000000", "run-25-01-01", "local", "gitlub", "a" * 100, "a" * 101, "x ", " x", "a//b", "/a", "a/", "n b/c d", "é/ü", "a/.b", "a /b", "con", "x;y", "a\\b", "-x", "x..y", "a\nb", "a\n",
     [], {}, [[]], [None], ["a"], ["a", {}], {"a": 1}, {"step_name": "s"}, {"entity_name": "e"},
     [{"step_name": "load", "entity_name": "raw"}], [{"entity_name": "e", "entity_path": "/p"}]]
)  # fmt: skip
KEYS = st.sampled_from(
    ["pipeline_name", "zone_name", "host", "organization", "git_provider", "git_organization", "steps",
     "step_name", "substeps", "step_params", "substep_name", "substep_params", "inputs", "outputs",
     "custom_inputs", "tmp_outputs", "entity_name", "entity_path", "run_id", "env_name", "other"]
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return every place in a document, by its path."""
    inside = (
        list(value.items())
        if isinstance(value, dict)
        else list(enumerate(value))
        if isinstance(value, list)
        else []
    )
    return [path, *(place for key, each in inside for place in places(each, (*path, key)))]


@st.composite
def edited(draw: st.DrawFn) -> dict[str, Any]:
    """Return the good manifest with a few places changed, added or gone."""
    document = copy.deepcopy(GOOD)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(document)))
        place: Any = document
        for part in path[:-1]:
            place = place[part]
        what = draw(st.sampled_from(["replace", "remove", "add"]))
        if what == "add" or not path:
            place = place[path[-1]] if path else document
            if isinstance(place, dict):
                place[draw(KEYS)] = copy.deepcopy(draw(VALUES))
        elif what == "replace":
            place[path[-1]] = copy.deepcopy(draw(VALUES))
        else:
            del place[path[-1]]
    return document


# Rules that a JSON schema cannot say, or not without repeating the grammar of names.
BEYOND = ("Windows keeps it", "only notebooks are made", "is declared", "would share", "is given twice",
          "keeps its reports", "bytes", "spaces", "longer than")  # fmt: skip


def findings(document: dict[str, Any]) -> list[str]:
    reading = _Reading("m", Path("/"))
    try:
        reading.manifest(copy.deepcopy(document))
    except ManifestError as error:
        return list(error.lines)
    return reading.lines


@given(edited())
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_schema_and_the_checker_agree_on_every_form(document):
    told = findings(document)

    if not told:
        VALIDATOR.validate(document)
    elif not all(any(word in line for word in BEYOND) for line in told):
        assert not VALIDATOR.is_valid(document), told
