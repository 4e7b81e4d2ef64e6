"""What a kernel sees of the machine, and what it leaves on it."""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
from pathlib import Path

import pytest

from sinara.errors import NotebookError
from sinara.execute import end_kernels, execute_notebook, find_kernel, start_ahead
from tests.kernels.kernel_runs import eventually, notebook, statuses, texts


def install(folder: Path, name: str, **spec) -> None:
    (folder / "kernels" / name).mkdir(parents=True)
    whole = {
        "argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "language": "python",
        **spec,
    }
    (folder / "kernels" / name / "kernel.json").write_text(json.dumps(whole))


def test_the_environment_is_the_one_given_and_ours_is_untouched(run):
    before = dict(os.environ)

    done = run(
        "import os\nprint(os.environ.get('ONLY_HERE'), 'PATH' in os.environ)",
        env={"ONLY_HERE": "yes"},
    )

    assert texts(done, 0) == "yes False\n"
    assert dict(os.environ) == before


def test_the_working_directory_is_the_one_given_and_ours_is_untouched(run, tmp_path):
    folder = tmp_path / "données ✓ {a} $x"
    folder.mkdir()
    (folder / "beside.py").write_text("value = 7")
    before = Path.cwd()

    done = run("import beside, os\nprint(beside.value, os.getcwd())", cwd=folder)

    assert texts(done, 0) == f"7 {folder}\n"
    assert Path.cwd() == before


def test_a_missing_working_directory_is_said(run, tmp_path):
    done = run("1", cwd=tmp_path / "no")

    assert done.failure.kind == "kernel died"
    assert str(tmp_path / "no") in done.failure.message


def test_no_configuration_of_the_user_or_the_folder_is_read(run, tmp_path, private_machine):
    trap = f"open({str(tmp_path / 'trapped')!r}, 'w').close()"
    profile = private_machine / ".ipython" / "profile_default"
    (profile / "startup").mkdir(parents=True)
    (profile / "startup" / "00.py").write_text(trap)
    (profile / "ipython_kernel_config.py").write_text(trap)
    (private_machine / ".jupyter").mkdir()
    (private_machine / ".jupyter" / "jupyter_config.py").write_text(trap)
    for name in (
        "ipython_config",
        "ipython_kernel_config",
        "jupyter_config",
        "ipykernel_launcher",
        "pkgutil",
        "runpy",
    ):
        (tmp_path / f"{name}.py").write_text(trap)

    done = run("print('clean')")

    assert texts(done, 0) == "clean\n"
    assert not (tmp_path / "trapped").exists()


def test_history_is_kept_in_memory_only(run, private_machine):
    done = run("print(1)", "print(In[1])")

    assert texts(done, 1) == "print(1)\n"
    assert list(private_machine.rglob("*.sqlite")) == []


@pytest.mark.parametrize("home", ["/nonexistent", None, "/proc"])
def test_it_works_without_a_home(run, home):
    env = {key: value for key, value in run.env.items() if key != "HOME"} | (
        {"HOME": home} if home else {}
    )

    assert run("print('here')", env=env).status == "succeeded"


@pytest.mark.parametrize("warm", [True, False])
def test_the_folder_of_a_kernel_is_private_and_gone_afterwards(run, warm):
    done = run(
        "import os, pathlib\nfolder = pathlib.Path(os.environ['IPYTHONDIR']).parent\n"
        "print(oct(folder.stat().st_mode & 0o777), (folder / 'connection.json').exists(), len(list(folder.glob('s-*'))))",
        "print(folder)",
        warm=warm,
    )

    assert texts(done, 0) == "0o700 True 6\n"
    assert not Path(texts(done, 1).strip()).exists()
    assert run.leftovers == []


@pytest.mark.parametrize("warm", [True, False])
def test_a_long_path_for_temporary_files_is_no_obstacle(run, tmp_path, monkeypatch, warm):
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    end_kernels()

    done = run("import os; print(os.environ['IPYTHONDIR'])", warm=warm)
    end_kernels()

    base = Path(texts(done, 0).strip()).parents[1]
    assert base.parent == Path("/tmp")
    assert not base.exists()
    assert list(deep.iterdir()) == []


def test_a_kernel_that_is_not_installed_is_an_error_before_anything_starts(run, tmp_path):
    nb = notebook("1", kernelspec={"name": "pyhton3", "display_name": "?"})

    with pytest.raises(NotebookError) as raised:
        execute_notebook(nb, run.output, run.options())

    assert "Kernel 'pyhton3' (named by the notebook's metadata) is not installed" in str(
        raised.value
    )
    assert "python3" in str(raised.value)
    assert "Did you mean 'python3'?" in str(raised.value)
    assert not run.runtime.exists()
    assert not run.output.exists()


def test_the_kernel_asked_for_counts_more_than_the_notebooks_own():
    metadata = {"kernelspec": {"name": "nowhere"}}

    assert find_kernel("python3", metadata).name == "python3"
    with pytest.raises(NotebookError, match="asked for by kernel_name"):
        find_kernel("other", metadata)


def test_python3_is_our_own_interpreter(run):
    assert texts(run("import sys; print(sys.executable)"), 0) == f"{sys.executable}\n"


def test_a_kernel_of_the_user_is_found_and_its_environment_kept(run, private_machine, monkeypatch):
    data = private_machine / ".local" / "share" / "jupyter"
    install(data, "Mine", env={"FROM_SPEC": "${HOME}/x"})

    done = run("import os; print(os.environ['FROM_SPEC'])", kernel_name="mine")

    assert texts(done, 0) == f"{run.env['HOME']}/x\n"
    assert done.kernel_name == "Mine"


def test_a_kernel_that_wants_messages_is_interrupted_by_them(run, private_machine):
    install(private_machine / ".local" / "share" / "jupyter", "asks", interrupt_mode="message")

    done = run("import time; time.sleep(60)", kernel_name="asks", cell_timeout=0.5)

    assert done.failure.kind == "timeout"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"argv": []}',
        '{"argv": ["x"], "metadata": {"kernel_provisioner": {"provisioner_name": "far"}}}',
    ],
)
def test_a_broken_kernel_spec_is_named(private_machine, text):
    install(private_machine / ".local" / "share" / "jupyter", "bad")
    file = private_machine / ".local" / "share" / "jupyter" / "kernels" / "bad" / "kernel.json"
    file.write_text(text)

    with pytest.raises(NotebookError, match="bad"):
        find_kernel("bad")


def test_a_kernel_whose_program_is_missing_is_said_to_be_so(run, private_machine):
    install(
        private_machine / ".local" / "share" / "jupyter",
        "gone",
        argv=["/no/such/program", "{connection_file}"],
    )

    done = run("1", kernel_name="gone")

    assert (done.failure.kind, statuses(done)) == ("kernel died", ["not run"])
    assert "/no/such/program" in done.failure.message


def test_nothing_is_executed_in_a_shell(run, tmp_path):
    folder = tmp_path / "a; touch hacked; $(touch hacked) `touch hacked`"
    folder.mkdir()

    assert run("print(1)", cwd=folder).status == "succeeded"
    assert list(tmp_path.rglob("hacked")) == []


@pytest.mark.parametrize("warm", [True, False])
def test_the_connection_file_is_for_its_owner_only(run, warm):
    kernel = start_ahead(run.options(warm=warm))
    try:
        assert eventually(lambda: kernel.connection() is not None, 30)
        assert stat.S_IMODE(kernel.file.stat().st_mode) == 0o600
        assert json.loads(kernel.file.read_text())["transport"] == "ipc"
    finally:
        kernel.close()


def test_the_secret_environment_is_not_in_any_argument_list(run):
    code = "import psutil\nprint([p.cmdline() for p in [psutil.Process(), *psutil.Process().parents()[:2]]])"

    done = run(code, env={**run.env, "TOKEN": "s3cret-value"})

    assert "s3cret-value" not in texts(done, 0)
