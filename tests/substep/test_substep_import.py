"""What `import sinara.substep` costs, and what it gives."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from sinara import substep


def imported_by(code: str) -> set[str]:
    script = f"{code}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{script}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def test_nothing_but_the_standard_library_is_imported():
    others = imported_by("import sinara.substep") - set(sys.stdlib_module_names)

    assert others == {"__main__", "sinara"} - set(sys.stdlib_module_names)


@pytest.mark.parametrize("name", ["NotebookSubstep", "get_pipeline_params", "ENV_NAME"])
def test_what_the_original_gave_is_there(name):
    assert name in substep.__all__


def test_every_public_name_exists():
    assert [name for name in substep.__all__ if not hasattr(substep, name)] == []
    assert substep.ENTITY_PATH == "ENTITY_PATH"
    assert substep.get_sinara_version().count(".") == 2
    assert substep.get_user()


def test_a_stopped_notebook_shows_one_line_and_no_traceback():
    assert substep.StopExecution()._render_traceback_() == [
        "Stopped after the interface: design mode."
    ]
