"""What a substep touches and does not declare: real steps, real kernels."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sinara.audit.digest import CHANGED, NOT_THERE, is_unchanged
from sinara.record import from_json, to_json
from tests.audit.conftest import World, paths, touched

RAW = {"outputs": [{"ENTITY_NAME": "raw"}]}
WRITE_RAW = """\
import os
os.makedirs(substep.outputs().raw)
open(f"{substep.outputs().raw}/a.csv", "w").write("x")
"""


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_files_that_python_opens_are_told_and_those_of_the_step_have_a_digest(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)  # its caches are not told
    (world.data / "in.csv").write_text("a\n1\n")
    code = (
        "open('extra.csv').read()\nimport pandas as pd\npd.read_csv('DATA/in.csv')\nimport helper"
    )
    substep = world.run(code, WRITE_RAW, files={"extra.csv": "e", "helper.py": "x = 1\n"}, **RAW)

    files = touched(substep)
    read = {file.path: file for file in files.read}
    assert set(read) == {"extra.csv", "helper.py", f"{world.data}/in.csv"}
    assert {file.seen for file in files.read} == {"python"}
    assert (read["extra.csv"].sha256, read["extra.csv"].bytes) == (sha("e"), 1)
    assert read["helper.py"].sha256 == sha("x = 1\n")
    assert read[f"{world.data}/in.csv"].sha256 is None
    assert (files.written, files.commands, files.addresses) == ((), (), ())
    assert files.complete, files.watched
    assert is_unchanged(world.step, read["extra.csv"])
    (world.step / "extra.csv").write_text("f")
    assert not is_unchanged(world.step, read["extra.csv"])
    assert from_json(to_json(world.record)) == world.record


def test_native_code_is_seen_in_the_step_and_in_places_that_the_notebook_names(world: World):
    table = pa.table({"a": [1, 2]})
    pq.write_table(table, world.data / "named.parquet")
    code = """\
import pyarrow.parquet as pq, polars as pl, pandas as pd, duckdb
table = pq.read_table("mine.parquet")
pl.read_parquet("DATA/named.parquet")
pd.read_parquet("folder/inner.parquet")
pq.write_table(table, "DATA/made.parquet")
pd.DataFrame({"a": [1]}).to_parquet("left.parquet")
"""

    def add() -> None:
        (world.step / "folder").mkdir()
        for name in ("mine.parquet", "folder/inner.parquet"):
            pq.write_table(table, world.step / name)

    substep = world.run(code, before=add)

    files = touched(substep)
    assert substep.status == "succeeded", substep.failure
    assert paths(files.read) == [
        f"{world.data}/named.parquet", "folder/inner.parquet", "mine.parquet",
    ]  # fmt: skip
    assert {file.seen for file in files.read} == {"system"}
    digest = hashlib.sha256((world.step / "mine.parquet").read_bytes()).hexdigest()
    assert {f.path: f.sha256 for f in files.read}["mine.parquet"] == digest
    assert paths(files.written) == [f"{world.data}/made.parquet", "left.parquet"]


def test_a_file_that_is_written_and_then_read_is_only_written(world: World):
    code = "open('mine.txt', 'w').write('x')\nopen('mine.txt').read()\nopen('DATA/b', 'w').close()"

    files = touched(world.run(code))

    assert files.read == ()
    assert paths(files.written) == [f"{world.data}/b", "mine.txt"]
    (told,) = world.warnings()
    assert f"{world.data}/b" in told
    assert "custom_outputs" in told
    assert "mine.txt" not in told


def test_a_file_that_comes_and_goes_is_nobodys_business_and_one_that_was_there_is(world: World):
    (world.data / "old").write_text("x")
    code = """\
import os, tempfile, shutil
with tempfile.NamedTemporaryFile() as file: file.write(b"x")
os.mkdir("DATA/new"); open("DATA/new/a", "w").close(); shutil.rmtree("DATA/new")
os.remove("DATA/old")
"""

    files = touched(world.run(code))

    assert [(file.path, file.note) for file in files.written] == [(f"{world.data}/old", "removed")]


def test_what_is_unpacked_elsewhere_is_no_file_of_the_step_of_the_same_name(world: World):
    substep = world.run(
        """
        import io, tarfile
        from sinara.extract import extract_tar
        with tarfile.open("DATA/all.tar", "w") as tar:
            for name in ("own.txt", "folder/own.txt"):
                tar.addfile(tarfile.TarInfo(name), io.BytesIO())
        extract_tar("DATA/all.tar", "DATA/unpacked")
        """.replace("\n        ", "\n"),
        files={"own.txt": "mine", "folder/own.txt": "mine"},
    )

    assert [file.path for file in substep.files.written if file.of_step] == []


def test_what_is_declared_is_not_told(world: World):
    (world.data / "in.csv").write_text("x")
    declared = {
        "outputs": [{"ENTITY_NAME": "raw"}],
        "tmp_entities": [{"ENTITY_NAME": "scratch"}],
        "custom_inputs": [{"ENTITY_NAME": "in", "ENTITY_PATH": f"{world.data}/in.csv"}],
        "custom_outputs": [{"ENTITY_NAME": "out", "ENTITY_PATH": f"{world.data}/out"}],
    }
    code = """\
open("DATA/in.csv").read()
os.makedirs("DATA/out"); open("DATA/out/a", "w").close()
open(f"{substep.tmp_entities().scratch}/b", "w").close()
"""

    substep = world.run(WRITE_RAW, code, **declared)

    assert substep.status == "succeeded", substep.failure
    assert (touched(substep).read, touched(substep).written) == ((), ())
    assert world.warnings() == []


def test_a_link_out_of_the_step_says_where_it_leads(world: World):
    (world.data / "in.csv").write_text("x")
    code = "import os; os.symlink('DATA/in.csv', 'later.csv'); open('link.csv').read()"

    def link() -> None:
        (world.step / "link.csv").symlink_to(world.data / "in.csv")

    files = touched(world.run(code, before=link))

    (read,) = files.read
    assert (read.path, read.sha256) == ("link.csv", sha("x"))
    assert read.note == f"link to {world.data}/in.csv"
    assert paths(files.written) == ["later.csv"]


def test_programs_are_told_without_their_arguments(world: World):
    code = """\
import subprocess, os
subprocess.run(["cat", "read.txt", "--"], check=True, capture_output=True)
os.system("TOKEN=hidden true hidden-too")
"""

    files = touched(world.run(code, "!ls hidden*", files={"read.txt": "x"}))

    assert "cat" in files.commands
    assert "sh: true" in files.commands
    assert any(command.endswith(": ls") for command in files.commands)
    assert "hidden" not in to_json(world.record)
    assert [(file.path, file.seen) for file in files.read] == [("read.txt", "system")]


def test_children_are_seen_and_connections_are_told(world: World):
    code = """\
import multiprocessing, socket
def read(name): return open(name).read()
with multiprocessing.get_context("fork").Pool(1) as pool: pool.map(read, ["a.txt"])
with socket.create_server(("127.0.0.1", 0)) as server:
    port = server.getsockname()[1]
    socket.create_connection(("127.0.0.1", port)).close()
"""

    files = touched(world.run(code, files={"a.txt": "x"}))

    assert [(file.path, file.seen) for file in files.read] == [("a.txt", "python")]
    assert len(files.addresses) == 1
    assert files.addresses[0].startswith("127.0.0.1:")


def test_a_folder_that_is_listed_counts_with_its_names_and_a_missing_file_with_its_absence(world):
    code = """\
from pathlib import Path
sorted(Path("parts").glob("*.csv"))
Path("mine").mkdir()
try: open("override.json")
except FileNotFoundError: pass
"""

    files = touched(world.run(code, files={"parts/a.csv": "x"}))

    read = {file.path: file for file in files.read}
    assert set(read) == {"parts/", "override.json"}
    assert read["override.json"].note == NOT_THERE
    assert all(is_unchanged(world.step, file) for file in read.values())
    (world.step / "parts" / "b.csv").write_text("")
    (world.step / "override.json").write_text("{}")
    assert not any(is_unchanged(world.step, file) for file in read.values())


def test_a_file_that_changes_after_it_was_read_has_no_digest(world: World):
    code = "open('a.txt').read()\nopen('a.txt', 'a').write('more')"

    files = touched(world.run(code, files={"a.txt": "x"}))

    (read,) = files.read
    assert (read.path, read.sha256, read.note) == ("a.txt", None, CHANGED)
    assert not is_unchanged(world.step, read)
    assert paths(files.written) == ["a.txt"]


@pytest.mark.parametrize("end", ["raise ValueError('no')", "import os; os._exit(3)",
                                 "import os; os.kill(os.getpid(), 9)"])  # fmt: skip
def test_what_was_touched_is_known_however_the_kernel_ends(world: World, end: str):
    code = "open('DATA/b', 'w').close(); open('a.txt').read()"

    substep = world.run(code, end, files={"a.txt": "x"})

    assert substep.status == "failed"
    files = touched(substep)
    assert [(file.path, file.seen) for file in files.read] == [("a.txt", "python")]
    assert [(file.path, file.seen) for file in files.written] == [(f"{world.data}/b", "python")]


def test_thousands_of_opens_are_cut_and_the_record_says_so(world: World):
    code = """\
for i in range(1500): open(f"DATA/{i}", "w").close()
for again in range(20):
    for i in range(1500): open(f"DATA/{i}").close()
"""

    files = touched(world.run(code))

    assert (len(files.written), files.read) == (1000, ())
    assert any("More was touched than is listed" in words for words in files.watched)
    (told,) = world.warnings()
    assert "and 997 more" in told


def test_a_module_is_watched_too(world: World):
    substep = world.run_module(
        "import sys, os\nopen('DATA/a', 'w').close(); open('DATA/b', 'w').close()\n"
        "open('DATA/a').read(); assert not any(name.startswith('sinara') for name in sys.modules)"
    )

    assert substep.status == "succeeded", substep.failure
    written = touched(substep).written
    assert paths(written) == [f"{world.data}/a", f"{world.data}/b"]
    assert {file.seen for file in written} == {"python"}


def test_nothing_of_the_watch_is_found_by_a_notebook_and_none_of_its_errors_is(world: World):
    code = """\
import sys, os
assert "_sinara" not in globals() and "sinara_watch" not in sys.modules
os.rename(os.fsencode("a.txt"), b"c.txt")
for wrong in (b"\\xff\\xfe", "nul\\0", "x" * 5000, 10**6):
    try: open(wrong)
    except (OSError, ValueError): pass
import subprocess
try: subprocess.run([])
except (IndexError, ValueError): pass
"""

    substep = world.run(code, files={"a.txt": "x"})

    assert substep.status == "succeeded", substep.failure
    assert paths(touched(substep).written) == ["a.txt", "c.txt"]


def test_a_clean_substep_has_nothing_to_tell_and_its_report_has_no_such_part(world: World):
    substep = world.run(WRITE_RAW, "import json, sqlite3, matplotlib, pandas", **RAW)

    files = touched(substep)
    assert (files.read, files.written, files.commands, files.addresses) == ((), (), (), ())
    assert "does not declare" not in report(world)


def test_the_report_shows_what_was_touched_and_what_was_watched(world: World):
    world.run("open('DATA/<b>', 'w').close(); open('a.txt').read()", files={"a.txt": "x"})

    page = report(world)
    assert "What it touched and does not declare" in page
    assert f"{world.data}/&lt;b&gt;" in page
    assert "Files of the step that it read" in page
    assert "Not watched" in page


def report(world: World) -> str:
    (page,) = Path(world.record.url).parent.glob(f"_runs/{world.record.run_id}/*/report.html")
    return page.read_text()


def test_the_record_of_an_older_version_is_read(world: World):
    world.run("pass")
    old = json.loads(to_json(world.record))
    for substep in old["substeps"]:
        del substep["files"]

    record = from_json(json.dumps(old))

    assert record.substeps[0].files is None


def test_the_watch_needs_the_standard_library_alone(tmp_path: Path):
    code = """\
import importlib.util as util, sys
before = set(sys.modules)
for name in ("watch", "landlock"):
    spec = util.spec_from_file_location("x", f"{sys.argv[1]}/{name}.py")
    spec.loader.exec_module(util.module_from_spec(spec))
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
assert loaded <= sys.stdlib_module_names, loaded
"""
    here = Path(__file__).parents[2] / "sinara" / "audit"

    done = subprocess.run([sys.executable, "-I", "-c", code, str(here)], cwd=tmp_path, check=False)

    assert done.returncode == 0
