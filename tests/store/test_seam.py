"""One module of the store touches the disk, and importing the store costs next to nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sinara.store

PACKAGE = Path(sinara.store.__file__).parent
MODULES = sorted(PACKAGE.glob("*.py"))
OURS = {"disk.py", "tar.py"}  # the seam itself; archives, which lie in a user's own folders
CHANGES = {
    *("rename", "renames", "replace", "remove", "unlink", "rmdir", "removedirs", "link", "symlink"),
    *("mkdir", "makedirs", "chmod", "chown", "utime", "truncate", "mkfifo", "sendfile"),
    *("write_text", "write_bytes", "touch", "hardlink_to", "symlink_to", "fsync", "write"),
}


@pytest.mark.parametrize("module", [m for m in MODULES if m.name not in OURS], ids=lambda m: m.name)
def test_no_other_module_of_the_store_changes_the_disk(module):
    found = [line for node in ast.walk(ast.parse(module.read_text())) for line in _changes(node)]
    if module.name == "paths.py":  # opens files for reading, and to lock them
        found = [line for line in found if not line.endswith("open()")]

    assert found == []


def test_the_module_that_looks_opens_nothing_for_writing():
    source = (PACKAGE / "paths.py").read_text()

    assert not {flag for flag in ("O_WRONLY", "O_CREAT", "O_TRUNC", "O_APPEND") if flag in source}
    assert 'open(path, "rb")' in source
    assert '"wb"' not in source


def _changes(node: ast.AST) -> list[str]:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
        return [f"imports {name}" for name in names if name.split(".")[0] in ("shutil", "tempfile")]
    if not isinstance(node, ast.Call):
        return []
    called = node.func
    if isinstance(called, ast.Name) and called.id == "open":
        return [f"line {node.lineno}: open()"]
    of_os = isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name)
    if of_os and called.value.id == "os" and called.attr in {*CHANGES, "open"}:
        return [f"line {node.lineno}: os.{called.attr}()"]
    methods = {"write_text", "write_bytes", "touch", "symlink_to", "hardlink_to"}
    if isinstance(called, ast.Attribute) and called.attr in methods:
        return [f"line {node.lineno}: .{called.attr}()"]
    return []


def test_the_lint_sees_what_it_is_for():
    source = "import shutil\nimport os\nos.rename(a, b)\nopen('x', 'w')\nos.open('x')"

    found = [line for node in ast.walk(ast.parse(source)) for line in _changes(node)]

    assert len(found) == 4


def test_importing_the_store_imports_no_heavy_package():
    code = (
        "import sys, sinara.store.api, sinara.store.writer, sinara.store.draft\n"
        "print(*(set(sys.modules) & {'pyarrow', 'fsspec', 'pandas', 'numpy', 's3fs', 'pydantic'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""


def test_every_public_name_can_be_imported():
    for name in sinara.store.__all__:
        assert getattr(sinara.store, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sinara.store.nothing  # noqa: B018
