"""The interface read off a notebook: equal to what a run declares, or not given at all."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import textwrap
import types
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinara import interface as constants
from sinara.errors import NotebookError
from sinara.interface import CustomRef, InputRef, Interface, make_interface
from sinara.reading import (
    CellSource,
    NotPythonError,
    check_shape,
    parse_cell,
    read_cells,
    read_interface,
)

PIPELINE = {"env_name": "user", "pipeline_name": "digits", "zone_name": "zone", "X": "something"}
STEP = {"step_name": "train", "Y": "something_else", "sets": ["train", "test"]}
SUBSTEP = {
    "lr": 0.5,
    "n": 7,
    "source": "raw",
    "deep": {"list": ["a", {"b": "c"}]},
    "on": True,
    "none": None,
}
HEAD = """
from sinara.substep import get_pipeline_params, get_step_params, NotebookSubstep, get_user
from sinara.substep import ENV_NAME, PIPELINE_NAME, ZONE_NAME, STEP_NAME, RUN_ID, ENTITY_NAME, ENTITY_PATH
pipeline_params = get_pipeline_params(pprint=True)
step_params = get_step_params(pprint=True)
substep = NotebookSubstep(pipeline_params, step_params, substep_params)
"""


def cells(*sources: str, tags: dict[int, tuple[str, ...]] | None = None) -> tuple[CellSource, ...]:
    """Return code cells; the first is the parameters cell if no tags are given."""
    tags = {0: ("parameters",)} if tags is None else tags
    return tuple(
        CellSource(index, "code", textwrap.dedent(source).strip("\n"), tags.get(index, ()))
        for index, source in enumerate(sources)
    )


def read(*sources: str, substep_params: Any = SUBSTEP, tags: Any = None):
    """Read a notebook with the parameters of these tests."""
    return read_interface(
        cells(*sources, tags=tags),
        pipeline_params=PIPELINE,
        step_params=STEP,
        substep_params=substep_params,
    )


def run(*sources: str, given: dict[str, Any] | None = None) -> Interface | None:
    """Run a notebook for real, with stand-ins for what it imports; return what it declared last."""
    declared: list[Interface] = []

    class NotebookSubstep:
        def __init__(self, pipeline_params, step_params, substep_params, **_: Any) -> None:
            self.env_name = pipeline_params["env_name"]
            self.pipeline_name = pipeline_params["pipeline_name"]

        def interface(self, **kinds: Any) -> None:
            declared.append(make_interface(**kinds))

        def __getattr__(self, name: str) -> Any:
            return lambda *args, **kwargs: None

    substep = types.ModuleType("sinara.substep")
    vars(substep).update({name: name for name in vars(constants) if name.isupper()})
    substep.NotebookSubstep = NotebookSubstep
    substep.get_pipeline_params = lambda pprint=False: json.loads(json.dumps(PIPELINE))
    substep.get_step_params = lambda pprint=False: json.loads(json.dumps(STEP))
    substep.get_user = lambda: "ann"
    opaque = types.ModuleType("opaque")
    opaque.touch, opaque.coin, opaque.same = touch, lambda: True, lambda value: value
    names: dict[str, Any] = {"__name__": "__main__"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "sinara.substep", substep)
        patch.setitem(sys.modules, "opaque", opaque)
        for index, source in enumerate(sources):
            exec(compile(textwrap.dedent(source).strip("\n"), f"cell {index}", "exec"), names)
            if index == 0:
                names.update(
                    json.loads(
                        json.dumps(given if given is not None else {"substep_params": SUBSTEP})
                    )
                )
    return declared[-1] if declared else None


def touch(value: Any) -> Any:
    """Change whatever can be changed, as code that nobody can read may do."""
    if isinstance(value, list):
        value.append("touched")
    elif isinstance(value, dict):
        value.update(lr="touched", source="touched", a="touched")
    return value


# -- whole notebooks ---------------------------------------------------------------------------


def test_the_originals_template_is_read(tmp_path):
    document = {
        "cells": [
            {"cell_type": "markdown", "metadata": {}, "source": "substep.interface(inputs=[])"},
            {"cell_type": "code", "metadata": {"tags": []}, "source": ["%load_ext autoreload\n",
            "%autoreload 2"]},
            {"cell_type": "code", "metadata": {"tags": ["parameters"]},
            "source": ["substep_params={}"]},
            {"cell_type": "code", "metadata": {}, "source": HEAD.splitlines(keepends=True)},
            {"cell_type": "code", "metadata": {"tags": ["interface"]}, "source": [
                "substep.interface(\n", "  inputs = [ { STEP_NAME: 'prev', ENTITY_NAME: 'entityA' }, #, ZONE_NAME\n",
                "  ],\n", "  outputs = [{ENTITY_NAME: f'{substep_params[\"source\"]}_out'}])\n",
                "substep.print_interface_info()\n", "substep.exit_in_visualize_mode()"]},
        ],
        "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
    }  # fmt: skip
    path = tmp_path / "do_step.ipynb"
    path.write_text(json.dumps(document))

    reading = read_interface(
        read_cells(path), pipeline_params=PIPELINE, step_params=STEP, substep_params=SUBSTEP
    )

    assert reading.problems == ()
    assert reading.interface == Interface(
        inputs=(InputRef("prev", "entityA"),), outputs=("raw_out",)
    )


def test_the_older_form_takes_all_three_dictionaries_from_the_files():
    reading = read(
        "pipeline_params = {'pipeline_name': 'mine'}\nstep_params = {}\nsubstep_params = {'source': 'own'}",
        """
        from sinara.substep import NotebookSubstep, default_param_values, ENTITY_NAME
        substep = NotebookSubstep(pipeline_params, step_params, substep_params,
                                  **default_param_values("params/step_params.json"))
        substep.interface(outputs=[{ENTITY_NAME: pipeline_params["X"]}, {ENTITY_NAME: substep_params["source"]}])
        """,
    )

    assert reading.interface == Interface(outputs=("something", "raw"))


def test_without_given_values_the_notebooks_own_are_read():
    reading = read(
        "substep_params = {'source': 'own'}",
        HEAD + "substep.interface(outputs=[{ENTITY_NAME: substep_params['source']}])",
        substep_params=None,
    )

    assert reading.interface == Interface(outputs=("own",))


def test_annotated_parameters_are_read_by_name():
    reading = read(
        "source: str = 'own'\nother: str = 'default'\nlr: float = 1\nn: int = 1",
        "from sinara.substep import NotebookSubstep, ENTITY_NAME\n"
        "substep = NotebookSubstep()\n"
        "substep.interface(outputs=[{ENTITY_NAME: source}, {ENTITY_NAME: other}, {ENTITY_NAME: f'n{n}_{lr:.0f}'}])",
    )

    assert reading.interface == Interface(outputs=("raw", "default", "n7_0"))


@pytest.mark.parametrize(
    ("annotation", "value", "readable"),
    [
        ("str", "a", True), ("float", 3, True), ("str | None", "a", True), ("Literal['a', 'b']",
        "a", True),
        ("datetime.date", "2025-01-01", False), ("Path", "/x", False), ("Mode", "fast", False),
        ("tuple[str, ...]", ["a"], False), ("int | float", 3, False), ("Secret", {"$env": "X"},
        False),
    ],
)  # fmt: skip
def test_an_annotated_value_is_read_only_if_its_type_changes_nothing(annotation, value, readable):
    reading = read(
        f"value: {annotation} = None",
        "substep.interface(custom_inputs=[{'ENTITY_NAME': 'a', 'ENTITY_PATH': f'/x/{value}'}])",
        substep_params={"value": value},
    )

    assert (reading.interface is not None) is readable
    assert bool(reading.problems) is not readable
    if annotation == "float":
        assert reading.interface.custom_inputs[0].path == "/x/3.0"


def test_a_secret_is_never_read():
    reading = read(
        "substep_params = {}",
        "substep.interface(custom_inputs=[{'ENTITY_NAME': 'a', 'ENTITY_PATH': f'{substep_params[\"token\"]}'}])",
        substep_params={"token": {"$env": "TOKEN"}},
    )

    assert reading.interface is None
    assert "secret" in reading.problems[0].text


def test_a_notebook_that_declares_nothing_has_no_interface_and_no_problem():
    assert read("substep_params = {}", "x = 1  # substep.interface() comes later") == read()
    assert read("substep_params = {}").interface is None


def test_the_last_declaration_counts():
    declare = "substep.interface(outputs=[{'ENTITY_NAME': %s}])"

    assert read("", declare % "'a'", declare % "'b'").interface == Interface(outputs=("b",))
    assert read("", declare % "unknown", declare % "'b'").interface == Interface(outputs=("b",))
    assert read("", declare % "'a'", declare % "unknown").interface is None


def test_what_an_earlier_run_injected_is_passed_over():
    source = "substep.interface(outputs=[{'ENTITY_NAME': substep_params['source']}])"

    reading = read(
        "substep_params = {}", "substep_params = {'source': 'old'}", source,
        tags={0: ("parameters",), 1: ("injected-parameters",)},
    )  # fmt: skip

    assert reading.interface == Interface(outputs=("raw",))


def test_a_python_substep_is_read(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(
        "import sys\n"
        "from sinara.substep import *\n"
        "substep_params = {}\n"
        "pipeline_params = get_pipeline_params()\n"
        "substep = NotebookSubstep(pipeline_params, get_step_params(), substep_params)\n"
        "if __name__ == '__main__':\n"
        "    substep.interface(outputs=[{ENTITY_NAME: substep.pipeline_name}])\n"
    )

    reading = read_interface(read_cells(path), pipeline_params=PIPELINE, step_params=STEP)

    assert reading.interface == Interface(outputs=("digits",))


# -- single expressions, each against a real run -------------------------------------------------

TEXTS = [
    "'a' + 'b'", "'a' 'b'", "f'x{1 + 1}'",
    "f'{substep_params[\"source\"]}_v{substep_params[\"n\"]:03d}'",
    "f'{substep_params[\"lr\"]:.2f}'", "f'{3!r}{\"a\"!s}'", "f'{3=}'.replace('=', '')",
    "f'{\"a\":>5}'.strip()",
    "f'{2:0{1 + 2}d}'", "'{}_{}'.format('a', 1)", "'{1}{0}{x}'.format('a', 'b', x='c')",
    "'{0[k]}'.format({'k': 'v'})",
    "'%s_%d' % ('a', 3)", "'%(x)s' % {'x': 'y'}", "'A b'.lower().replace(' ', '_')",
    "'ab'.upper().title()",
    "str(12)", "str(1.5).replace('.', '_')", "repr('a').strip(\"'\")", "'_'.join(['a', 'b'])",
    "'_'.join(x for x in ('a', 'b'))", "'_'.join(sorted({'b', 'a'}))", "'a_b'.split('_')[1]",
    "'abc'[-2:]", "'ab' * 2",
    "pipeline_params['X']", "pipeline_params.get('X')", "pipeline_params.get('no', 'default')",
    "step_params['sets'][0]",
    "get_pipeline_params()['X']", "substep_params['deep']['list'][1]['b']",
    "substep_params.get('source', 'x')",
    "'yes' if substep_params['on'] else 'no'", "'yes' if substep_params['n'] > 5 and not False else 'no'",
    "'a' if 'source' in substep_params else 'b'", "'a' if substep_params.get('none') is None else 'b'",
    "substep_params['none'] or 'default'", "'x' if 1 < substep_params['n'] <= 7 != 8 else 'y'",
    "{'k': 'v'}['k']",
    "[*'ab', 'c'][2]", "{**{'a': 'x'}, 'b': 'y'}['a']", "('a', 'b')[0]", "dict(a='x')['a']",
    "dict([('a', 'x')])['a']",
    "list('ab')[0]", "max('a', 'b')", "min(['b', 'a'])", "'n%d' % len(step_params['sets'])",
    "'n' + str(-3 + 4 * 2 // 3)",
    "'n' + str(2 ** 3 % 5)", "'n' + str(int('7') + True)", "next_name",
    "os.path.basename('/a/b')", "join('a', 'b')[:1]",
    "[x for x in ['a', 'b'] if x != 'a'][0]", "[a + b for a, b in zip('ab', 'cd')][1]",
    "{k: v for k, v in [('a', 'x')]}['a']", "[f'{i}{x}' for i, x in enumerate('ab', 1)][0][::-1]",
    "substep.env_name",
    "[x for xs in [['a'], ['b']] for x in xs][1]", "sorted({x for x in 'ba'})[0]",
    "({'a': 'x'} | {'a': 'y'})['a']",
    "list({'a': 1})[0]", "[k for k in {'a': 1}.keys()][0]",
    "[v for k, v in {'a': 'x'}.items()][0]", "list(range(3, 9))[0] and 'a'", "'a'.zfill(3)",
    "'ab'.removeprefix('a')", "str(['a', 1]).strip('[]')[1]",
    "_x", "(lambda: 'a')() if False else 'b'", "'%s' % 'a'", "str(None)", "f'{None}'",
    "f'{True}'", "'a' or unknown()",
]  # fmt: skip
UNREADABLE = [
    "unknown()", "run_id", "f'{run_id}'", "pipeline_params['no']", "os.environ['HOME']",
    "os.getcwd()[1:]", "open('x').read()",
    "substep.run_id", "(lambda: 'a')()", "str({'a', 'b'})", "'{0.real}'.format(1)",
    "'{:{}}'.format('a', 9)", "'a'.encode()",
    "str(get_user)", "[x for x in {'a', 'b'}][0]", "substep_params['lr'] is 0.5 and 'a'",
    "(y := 'a')", "'a' + 1", "'a'[5]",
    "f'{1:d}' + f'{\"a\":d}'", "str(substep)", "get_curr_run_id()", "'%*d' % (5, 1)",
    "__import__('os').sep", "'a' @ 'b'", "-'a'",
    "'x' * 10**9", "'x'.zfill(10**9)", "f'{1:999999999}'", "'{:999999999d}'.format(1)",
    "'%999999999d' % 1", "9**9**9",
    "str(2**99999)", "'a'.replace('', 'x' * 9999).replace('x', 'x' * 9999)",
    "list(range(10**9))[0]", "str([[0] * 9999] * 9999)",
    "'_'.join([str([0] * 9000)] * 9000)", "[i for a in range(9999) for b in range(9999) for i in 'a'][0]",
    "str(" * 70 + "'a'" + ")" * 70, "+".join(["'a'"] * 99),
]  # fmt: skip
SETUP = HEAD + "import os\nfrom os.path import join\nnext_name = 'n' + '1'\n_x = y = 'two'\n"


@pytest.mark.parametrize("text", TEXTS)
def test_an_expression_is_read_as_a_run_would_have_it(text, monkeypatch):
    monkeypatch.setenv("NB_USER", "ann")
    sources = (
        "substep_params = {}",
        SETUP,
        f"substep.interface(tmp_outputs=[{{ENTITY_NAME: {text}}}])",
    )

    reading = read(*sources)

    assert reading.problems == ()
    assert reading.interface == run(*sources)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", UNREADABLE)
def test_what_only_a_run_can_tell_is_said_with_cell_and_line(text):
    reading = read(
        "substep_params = {}",
        SETUP,
        f"substep.interface(\n  outputs=[\n    {{ENTITY_NAME: {text}}}])",
    )

    assert reading.interface is None
    (problem,) = reading.problems
    assert problem.cell == 2
    assert problem.line in (2, 3) if "too much work" not in problem.text else True
    assert len(problem.text) < 300
    assert problem.text.isprintable()


def test_the_users_name_is_read_unless_a_cell_may_change_it(monkeypatch):
    monkeypatch.setenv("NB_USER", "ann")
    declare = (
        HEAD
        + "substep.interface(custom_inputs=[{ENTITY_NAME: 'a', ENTITY_PATH: f'/data/{get_user()}/x'}])"
    )

    plain = read("substep_params = {}", declare)
    changed = read("substep_params = {}", "import os; os.environ['DSML_USER'] = 'bob'", declare)

    assert plain.interface.custom_inputs == (CustomRef("a", "/data/ann/x"),)
    assert changed.problems[0].text.startswith(
        "custom_inputs: get_user() gives what only a run can tell"
    )


# -- statements, each against a real run ---------------------------------------------------------

PROGRAMS = {
    "branch": "name = 'a'\nif substep_params['on']:\n    name = 'b'\nelse:\n    name = unknown()",
    "elif": "if substep_params['n'] == 1:\n    name = 'a'\nelif substep_params['n'] == 7:\n    name = 'b'",
    "loop": "outs = []\nfor s in step_params['sets']:\n    outs.append({ENTITY_NAME: s})\nname = outs[1][ENTITY_NAME]",
    "loop break": "for name in 'abc':\n    if name == 'b':\n        break\nelse:\n    name = 'z'",
    "loop continue": "names = []\nfor i in range(5):\n    if i % 2:\n        continue\n    names += [f'n{i}']\nname = names[-1]",
    "augmented": "name = 'a'\nname += 'b'\nnames = [name]\nalias = names\nnames += ['c']\nname = alias[1]",
    "unpacked": "(a, b), name = ('x', 'y'), 'z'\nname = a + b + name",
    "item set": "d = {}\nd['k'] = ['a']\nd['k'][0] = 'b'\nname = d['k'][0]",
    "alias": "one = {'a': 'x'}\ntwo = one\ntwo['a'] = 'y'\nname = one['a']",
    "dict methods": "d = {'a': 'x'}\nd.update(b='y')\nd.setdefault('c', 'z')\nname = d['b'] + d['c']",
    "list methods": "xs = ['a']\nxs.append('b')\nxs.extend(['c'])\nxs.insert(0, 'd')\nname = ''.join(xs)",
    "fresh params": "get_pipeline_params()['X'] = 'changed'\nname = get_pipeline_params()['X']",
    "own params": "pipeline_params['X'] = 'changed'\nname = pipeline_params['X']",
    "main": "if __name__ == '__main__':\n    name = 'main'\nelse:\n    name = 'other'",
    "assert": "assert substep_params['n'] > 1, 'no'\nname = 'a'",
    "annotation": "name: str = 'a'\nother: int",
    "import as": "import os.path as p\nimport sinara.substep as s\nname = p.join('a')\nname = s.STEP_NAME",
    "harmless calls": "print(substep_params)\nlen(substep_params)\nname = substep_params['source']",
    "unused unknown": "import opaque\nother = opaque.same(1)\nname = 'a'",
    "star": "from sinara.substep import *\nname = ENTITY_NAME",
    "docstring": "'''text'''\nname = 'a'\npass",
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_statements_that_are_certain_are_followed(program):
    sources = (
        "substep_params = {}", HEAD, PROGRAMS[program],
        "substep.interface(tmp_outputs=[{ENTITY_NAME: name}], outputs=[{ENTITY_NAME: x} for x in [name]])",
    )  # fmt: skip

    reading = read(*sources)

    assert reading.problems == ()
    assert reading.interface == run(*sources)


DOUBTFUL = {
    "name of an error": "name = 'a'\ntry:\n    {}['x']\nexcept KeyError as name:\n    pass\nname = 'b'\n"
    "try:\n    raise KeyError\nexcept KeyError as other:\n    name = 'c'",
    "match": "name = rest = 'a'\nmatch same({'x': ['b', 'c'], 'y': 1}):\n"
    "    case {'x': [name, *others], **rest}:\n        pass",
    "import in doubt": "name = 'a'\nif coin():\n    from opaque import coin as name\n    name = 'b'",
    "star import in doubt": "touch = 'a'\ntry:\n    from opaque import *\nfinally:\n    pass\nname = 'n%s' % touch('b')",
    "globals in a function": "name = 'a'\ndef f():\n    globals()['name'] = 'b'\nf()",
    "class with a method": "d = {'a': 'x'}\nclass C:\n    def f(self):\n        d['a'] = 'y'\nC().f()\nname = d['a']",
    "nested function": "d = {'a': 'x'}\ndef f():\n    def g(e):\n        e['a'] = 'y'\n    g(d)\nf()\nname = d['a']",
    "unknown branch": "name = 'a'\nif coin():\n    name = 'b'",
    "unknown branch, same list": "names = ['a']\nif coin():\n    names.append('b')\nname = names[-1]",
    "try": "name = 'a'\ntry:\n    name = 'b'\nexcept ValueError:\n    name = 'c'",
    "with": "name = 'a'\nwith same(open('/dev/null')):\n    name = 'b'",
    "while": "name = 'a'\nwhile coin():\n    name = 'b'\n    break",
    "changed by a call": "d = {'a': 'x'}\ntouch(d)\nname = d['a']",
    "changed through an alias": "d = {'a': 'x'}\ne = d\ntouch(e)\nname = d['a']",
    "changed through its owner": "d = {'a': 'x'}\nouter = [d]\ntouch(outer[0])\nname = d['a']",
    "changed by its own method": "names = ['a', 'b']\nnames.pop()\nname = names[-1]",
    "changed by a function": "d = {'a': 'x'}\ndef f():\n    d['a'] = 'y'\nf()\nname = d['a']",
    "changed by a function defined before": "def f():\n    d['a'] = 'y'\nd = {'a': 'x'}\nf()\nname = d['a']",
    "touched by a function": "def f():\n    touch(d)\nd = {'a': 'x'}\nf()\nname = d['a']",
    "set by a function": "name = 'a'\ndef f():\n    global name\n    name = 'b'\nf()",
    "set by a function defined before": "def f():\n    global name\n    name = 'b'\nname = 'a'\nf()",
    "lambda": "d = {'a': 'x'}\nf = lambda: touch(d)\nf()\nname = d['a']",
    "exec": "name = 'a'\nexec('name = \"b\"')",
    "globals": "name = 'a'\nglobals()['name'] = 'b'",
    "walrus": "name = 'a'\nsame(name := 'b')",
    "walrus in a known test": "name = 'a'\nif (name := 'b') and True:\n    pass",
    "deleted item": "names = ['a', 'b']\ndel names[1]\nname = names[-1]",
    "slice set": "names = ['a', 'b']\nnames[1:] = ['c']\nname = names[-1]",
    "loop over the unknown": "name = 'a'\nfor name in same(['b']):\n    pass",
    "loop left in doubt": "for name in 'ab':\n    if coin():\n        break",
    "in place or": "d = {'a': 'x'}\ne = d\ne |= {'a': 'y'}\nname = d['a']",
    "class body": "d = {'a': 'x'}\nclass C:\n    d['a'] = 'y'\nname = d['a']",
    "comprehension with effects": "d = {'a': 'x'}\n[touch(d) for _ in 'a']\nname = d['a']",
    "effect inside a display": "d = {'a': 'x'}\ne = [1, touch(d)]\nname = d['a']",
    "effect inside a test": "d = {'a': 'x'}\nif [touch(d)]:\n    pass\nname = d['a']",
    "effect in a default": "d = {'a': 'x'}\ndef f(x=touch(d)):\n    pass\nname = d['a']",
    "effect in an index": "d = {'a': 'x'}\ne = {}\ne[str(touch(d))] = 1\nname = d['a']",
    "effect in a keyword": "d = {'a': 'x'}\nsame(value=touch(d))\nname = d['a']",
    "shared deep": "inner = {'a': 'x'}\nouter = {'i': inner}\nq = outer['i']\ntouch(same(q))\nname = inner['a']",
    "star from elsewhere": "same_name = 'a'\nfrom opaque import *\nname = same_name",
    "import over a name": "name = 'a'\nfrom opaque import coin as name\nname = str(name)[:1] and 'b'",
    "known name set to the unknown": "name = 'a'\nname = same('b')",
    "one-shot iterator": "z = zip('a', 'b')\nx = list(z)\ny = list(z)\nname = 'n%d' % len(y)",
    "default mutable": "xs = [[]] * 2\nxs[0].append('a')\nname = 'n' + ''.join(xs[1])",
    "method changes unknown owner": "d = {'a': 'x'}\nsame([d])[0].update(a='y')\nname = d['a']",
}


@pytest.mark.parametrize("program", DOUBTFUL)
def test_what_passed_over_code_may_have_changed_is_never_guessed(program):
    sources = (
        "substep_params = {}", HEAD + "from opaque import touch, coin, same\n", DOUBTFUL[program],
        "substep.interface(tmp_outputs=[{ENTITY_NAME: name}])",
    )  # fmt: skip

    reading = read(*sources)

    assert reading.problems or reading.interface == run(*sources)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("if coin():\n    substep.interface()",
        "interface() is called in code that may or may not run"),
        ("try:\n    substep.interface()\nfinally:\n    pass",
        "interface() is called in code that may or"),
        ("def f():\n    substep.interface()\nf()", "interface() is called in a function"),
        ("same(substep.interface())", "interface() is called in code that may or may not run"),
        ("substep.interface([])", "interface() takes its lists by name only"),
        ("substep.interface(**unknown)",
        "the name 'unknown' is not known before the notebook runs"),
        ("substep.interface(input=[])",
        "interface: 'input' is not a kind of entity. Did you mean 'inputs'?"),
        ("substep.interface(outputs=[{ENTITY_NAME: 'a b'}])",
        "outputs, entity 1: ENTITY_NAME: entity name 'a b'"),
        ("substep.interface(\n", "the cell cannot be parsed: '(' was never closed"),
        ("%%foo\nsubstep.interface()", ""),
    ],
)  # fmt: skip
def test_a_declaration_that_is_not_certain_is_a_problem(source, text):
    reading = read("substep_params = {}", HEAD, source)

    assert reading.interface is None
    assert "".join(problem.text for problem in reading.problems).startswith(text)


@pytest.mark.parametrize(
    "receiver",
    ["substep", "s", "NotebookSubstep(pipeline_params, step_params, substep_params)",
     "sinara.substep.NotebookSubstep(pipeline_params, step_params, substep_params)", "made[0]"],
)  # fmt: skip
def test_any_receiver_made_by_notebook_substep_declares(receiver):
    sources = (
        "substep_params = {}", HEAD + "import sinara.substep\ns = substep\nmade = [s]\n",
        f"declared = {receiver}.interface(outputs=[{{ENTITY_NAME: 'a'}}])",
    )  # fmt: skip

    assert read(*sources).interface == Interface(outputs=("a",))


def test_the_interface_of_something_else_is_no_declaration():
    reading = read(
        "substep_params = {}", "import gradio\napp = gradio.App()\napp.interface(inputs=['text'])"
    )

    assert reading == read_interface(())


# -- IPython's own syntax ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "magic",
    ["%load_ext autoreload", "%matplotlib inline", "!pip install x", "!ls {pipeline_params['X']}",
    "files = !ls",
     "where = %pwd", "%time name = 'b'", "%time substep.print_interface_info()", "substep?",
     "?substep", "%pip install x",
     "%cd /tmp", "%env A=1", "x = 1\n%who\ny = '''a\n%b'''", "!echo a \\\n  b",
     "%%time\nname = 'b'",
     "%%capture out\nname = 'b'", "%%bash\nname=1", "%%html\n<b>%run</b>",
     "%%writefile x.py\nname = 'c'"],
)  # fmt: skip
def test_lines_of_ipython_are_understood(magic):
    sources = (
        "substep_params = {}",
        HEAD + "name = 'a'",
        magic,
        "substep.interface(outputs=[{ENTITY_NAME: name}])",
    )

    reading = read(*sources)

    assert reading.problems == ()
    assert reading.interface == Interface(outputs=("b" if "name = 'b'" in magic else "a",))


@pytest.mark.parametrize(
    "kinds", ["{'outputs': [{ENTITY_NAME: 'a'}]}", "dict(outputs=[{ENTITY_NAME: 'a'}])"]
)
def test_the_lists_may_come_unpacked(kinds):
    reading = read("substep_params = {}", HEAD, f"substep.interface(**{kinds})")

    assert reading.interface == Interface(outputs=("a",))


@pytest.mark.parametrize(
    ("source", "line"),
    [("%time\nx = = 1", 2), ("!ls\nx = (\n", 2), ("%%time\n\nx = = 1", 3), ("%who\nx = (1\n %y)\nz = = 1", 4)],
)  # fmt: skip
def test_a_cell_that_is_not_even_ipython_is_found_with_its_line(source, line):
    with pytest.raises(NotPythonError) as raised:
        parse_cell(source)

    assert raised.value.line == line
    assert not raised.value.foreign


def test_brackets_and_texts_that_look_like_magics_are_left_alone():
    source = "%who\nx = ('a%s'\n     % 'b')\ny = '''\n!z\n%z'''"

    body = parse_cell(source)

    assert [ast.unparse(node) for node in body[1:]] == ["x = 'a%s' % 'b'", "y = '\\n!z\\n%z'"]
    assert body[-1].lineno == 4


@pytest.mark.parametrize("magic", ["%run other.ipynb", "%store -r", "%%foo\nx", "%foo",
    "get_ipython().run_cell('x')",
                                   "%time %run x.py", "pip install x", "%reset -f",
                                   "%%bash --out name\nls"])  # fmt: skip
def test_a_magic_that_may_set_any_name_leaves_none_known(magic):
    reading = read(
        "substep_params = {}",
        HEAD + "name = 'a'",
        magic,
        "substep.interface(outputs=[{ENTITY_NAME: name}])",
    )

    assert reading.interface is None
    assert all(
        "is known only when the notebook runs" in problem.text for problem in reading.problems
    )


def test_names_set_after_a_cell_that_cannot_be_parsed_are_known():
    reading = read(
        "substep_params = {}",
        "pip install x",
        HEAD,
        "substep.interface(outputs=[{ENTITY_NAME: 'a'}])",
    )

    assert reading.interface == Interface(outputs=("a",))


# -- nothing is executed, nothing hangs ----------------------------------------------------------


def test_reading_executes_nothing_and_imports_nothing_heavy(tmp_path):
    canary = tmp_path / "canary"
    (tmp_path / "evil.py").write_text(f"open({str(canary)!r}, 'w')")
    evil = f"import evil\nopen({str(canary)!r}, 'w')\n__import__('evil')\n!touch {canary}\neval('evil')\n"
    notebook = {"cells": [{"cell_type": "code", "source": evil, "metadata": {}},
                          {"cell_type": "code", "source": "substep.interface()",
                          "metadata": {}}]}  # fmt: skip
    (tmp_path / "a.ipynb").write_text(json.dumps(notebook))
    code = (
        "import sys; from pathlib import Path\n"
        "from sinara.reading import read_cells, read_interface\n"
        "print(read_interface(read_cells(Path('a.ipynb'))).interface)\n"
        "print([m for m in ('IPython', 'nbformat', 'pandas', 'pyarrow', 'pydantic', 'evil') if m in sys.modules])"
    )

    said = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert said.stdout.splitlines() == [str(Interface()), "[]"]
    assert not canary.exists()


BOMBS = {
    "doubling text": "a = 'x'\n" + "a = a + a\n" * 99,
    "doubling list": "a = [1]\n" + "a = a + a\n" * 99,
    "doubling tree": "a = []\n" + "a = [a, a]\n" * 99 + "b = str(a)\nc = a == a",
    "nested list": "a = []\nfor i in range(9999):\n    a = [a]\nb = str(a)",
    "list in itself": "a = []\na.append(a)\nb = str(a)\nc = a == a\nd = touch(a)",
    "long loop": "for i in range(9999):\n    for j in range(9999):\n        a = i",
    "growing loop": "a = []\nfor i in range(9999):\n    a += a + [i]",
    "loop of unknowns": "d = {}\nfor i in range(9999):\n    d[str(i)] = [unknown(d)]",
    "deep expression": "a = " + "(" * 150 + "1" + ")" * 150 + "\nb = " + "not " * 3000 + "a",
    "deep source": "a = " + "[" * 5000 + "]" * 5000,
    "large number": "a = " + "9" * 4000 + "\nb = a ** a",
    "too large number": "a = " + "9" * 40000,
    "wide set": "a = {i for i in range(9999)}\nb = [sorted(a) for _ in range(9999)]",
    "format": "a = '{:9999}' * 999\nb = a.format(*a)",
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("bomb", BOMBS)
def test_no_bomb_takes_long_to_read(bomb):
    reading = read(
        "substep_params = {}", BOMBS[bomb], "substep.interface(outputs=[{'ENTITY_NAME': str(a)}])"
    )

    assert reading.interface is None
    assert reading.problems


# -- any program ---------------------------------------------------------------------------------
#
# Programs over two texts, two lists of texts and two dictionaries that hold one of each, so that
# nearly all of them run to their end. `touch` changes what it is given, `same` returns it.

START = """
from opaque import touch, coin, same
s, t, l, m = 'x', 'y', ['p', 'q'], ['r']
d, e = {'a': 'x', 'k': ['z']}, {'a': 'y', 'k': l}
def f():
    pass
"""


def _choice(*templates: str, **parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return texts made from templates such as ``same(T)``, in which a letter stands for a part."""

    def fill(template: str) -> st.SearchStrategy[str]:
        pieces = [
            parts.get(piece, st.just(piece)) for piece in re.split(r"\b([TLDBS])\b", template)
        ]
        return st.tuples(*pieces).map("".join)

    return st.one_of(*map(fill, templates))


SOURCES = st.deferred(lambda: TEXT_VALUES)
LISTS = st.deferred(lambda: LIST_VALUES)
DICTS = st.deferred(lambda: DICT_VALUES)
PARTS = {"T": SOURCES, "L": LISTS, "D": DICTS}
TEXT_VALUES = st.sampled_from(["s", "t", "'x'", "l[0]", "m[-1]", "d['a']", "e['k'][0]"]) | _choice(
    "same(T)", 'f"{T}y"', "(T)[:3]", "str(len(L))", "(T if coin() else T)", "(T if (T) == 'x' else T)", "(s := T)",
    "(D)['a']", "(L)[0]", "(D).get('a', T)", "'_'.join(L)", "same(lambda: touch(D))()['a']", **PARTS,
)  # fmt: skip
LIST_VALUES = st.sampled_from(["l", "m", "d['k']", "e['k']", "['x', 'y']"]) | _choice(
    "[T, T]", "same(L)", "touch(L)", "list(L)", "(L)[:]", "[*(L), T]", "[i for i in (L)]", "(D)['k']", "[same(T)]", **PARTS
)  # fmt: skip
DICT_VALUES = st.sampled_from(["d", "e"]) | _choice(
    "{'a': T, 'k': L}",
    "same(D)",
    "touch(D)",
    "dict(D)",
    "{**(D), 'a': T}",
    "(D).copy()",
    "[D, D][0]",
    **PARTS,
)
SIMPLE = _choice(
    "s = T", "t = T", "l = L", "m = L", "d = D", "e = D", "d = e = D", "s, t = T, T", "d['a'] = T", "e['k'] = L",
    "l[0] = T", "l.append(T)", "m += L", "s += T", "d.update(D)", "touch(L)", "touch(D)", "touch([L, D])", "(L).append(T)",
    "same(L)[0] = T", "l[:1] = L", "f()", "del l[:-1]", "l.sort()", "e |= D", "(D)['k'].append(T)", "same(touch)(D)",
    "[touch(L) for s in 'x']", "l, m = m, l", "len(D)", "assert T", "f = lambda: touch(D)", "touch(value=D)", **PARTS,
)  # fmt: skip


def _block(*templates: str) -> st.SearchStrategy[str]:
    bodies = st.lists(STATEMENTS, min_size=1, max_size=2).map(
        lambda lines: textwrap.indent("\n".join(lines), "    ")
    )
    return _choice(*templates, B=bodies, S=SIMPLE, **PARTS)


STATEMENTS = st.deferred(
    lambda: SIMPLE
    | _block(
        "if coin():\nB", "if not coin():\nB", "if (T) == 'x':\nB\nelse:\nB", "for s in list(L)[:2]:\nB",
        "for i in range(2):\nB\n    if (T) == 'x':\n        break", "for i in range(2):\n    if coin():\n        break\nB",
        "for s in same(L)[:2]:\nB", "while coin():\nB\n    break", "try:\nB\nexcept KeyError:\nB", "def f():\nB",
        "def f():\n    global s, l, d\nB", "def f(l=L):\nB", "class C:\nB", "with open('/dev/null') as s:\nB\ns = T",
    )
)  # fmt: skip


@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::ResourceWarning")
@settings(deadline=None, max_examples=150)
@given(
    st.lists(STATEMENTS, max_size=6),
    st.sampled_from(["s", "l[-1]", "d['a']", "'_'.join(m)", "e['k'][0]", "str(d)"]),
)
def test_an_interface_that_is_read_is_the_one_that_a_run_declares(statements, value):
    declare = (
        f"substep.interface(custom_inputs=[{{ENTITY_NAME: 'e', ENTITY_PATH: 'p' + ({value})}}])"
    )
    sources = ("substep_params = {}", HEAD + START, *statements, declare)

    reading = read(*sources)
    try:
        declared = run(*sources)
    except Exception:  # any error at all may end a run of these
        return

    assert reading.problems or reading.interface == declared


# -- files ---------------------------------------------------------------------------------------


def test_cells_are_read_with_their_tags_and_kinds(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"cells": [
        {"cell_type": "markdown", "source": ["# a\n", "b"]},
        {"cell_type": "code", "source": "x\r\ny", "metadata": {"tags": ["parameters", 7]}},
        {"cell_type": "raw", "metadata": {"tags": None}}]}).encode())  # fmt: skip

    assert read_cells(path) == (
        CellSource(0, "markdown", "# a\nb"),
        CellSource(1, "code", "x\ny", ("parameters",)),
        CellSource(2, "raw", ""),
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.ipynb", b"", "is no notebook: Expecting value at line 1, column 1."),
        ("a.ipynb", b"{", "is no notebook: Expecting property name"),
        ("a.ipynb", b"[]", "is no notebook: it is not a JSON object."),
        ("a.ipynb", b"{}", "is no notebook: it has no list of cells."),
        ("a.ipynb", b'{"cells": [7]}', "is no notebook: its cell 1 has no type or no source."),
        (
            "a.ipynb",
            b'{"cells": [{"cell_type": "code", "source": [1]}]}',
            "its cell 1 has no type or no source.",
        ),
        ("a.ipynb", b'{"nbformat": 3, "worksheets": []}', "is a notebook of an old format."),
        ("a.ipynb", b"[" * 100_000, "its JSON cannot be read."),
        ("a.ipynb", b"\xff\xfe{}", "byte 0 is not UTF-8."),
        ("a.py", b"x = '\xe9'", "byte 5 is not UTF-8."),
        ("a.py", b"#" * (8 * 1024 * 1024 + 1), "is larger than 8 MB."),
    ],
)
def test_a_file_that_is_no_notebook_is_one_line(tmp_path, name, content, said):
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(NotebookError) as raised:
        read_cells(path)

    (line,) = raised.value.lines
    assert line.startswith(f"{path}: ")
    assert said in line


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(NotebookError, match="cannot be read: No such file or directory"):
        read_cells(tmp_path / "a.ipynb")


CODE = {"cell_type": "code", "source": "1", "metadata": {}, "outputs": []}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"nbformat": 99}, "its format is 99"),
        ({"nbformat": "4"}, "its format is '4'"),
        ({"metadata": []}, "its metadata is no dictionary"),
        ({"metadata": {"kernelspec": 3}}, "its kernelspec is no dictionary"),
        ({"metadata": {"language_info": {"name": "R"}}}, "a notebook in r"),
        ({"cells": [CODE, {**CODE, "cell_type": "heading"}]}, "cell 2: its type is none of"),
        ({"cells": [{"cell_type": "code"}]}, "cell 1: it has no source"),
        ({"cells": [{**CODE, "outputs": "x"}]}, "cell 1: its outputs are no list"),
        ({"cells": [{**CODE, "metadata": None}]}, "cell 1: its metadata is no dictionary"),
        ({"cells": [{**CODE, "metadata": {"tags": "a"}}]}, "cell 1: its tags are no list"),
        ({"cells": [{**CODE, "metadata": {"tags": ["a", "a"]}}]}, "the same tag twice"),
        ({"cells": [{**CODE, "source": ["x = '", "\ud800'"]}]}, "cell 1: its source holds half"),
    ],
)
def test_what_is_plainly_no_notebook_is_one_line_before_a_kernel_starts(changes, said):
    document = {"nbformat": 4, "metadata": {}, "cells": [CODE], **changes}

    with pytest.raises(NotebookError) as raised:
        check_shape(document, "a.ipynb")

    (line,) = raised.value.lines
    assert line.startswith("a.ipynb: ")
    assert said in line


def test_a_notebook_with_the_least_that_it_needs_has_the_right_shape():
    check_shape({"nbformat": 4, "cells": [{"cell_type": "raw", "source": ""}]}, "a.ipynb")


@pytest.mark.parametrize(
    "code",
    [
        "if coin():\n    x = m\n    x.append('z')",
        "if coin():\n    x = m\n    y = x\n    y.append('z')",
        "if coin():\n    for x in [l, m]:\n        x.append('z')",
        "if coin():\n    x: list = m\n    x.append('z')",
        "try:\n    with touch(m) as x:\n        x.append('z')\nexcept KeyError:\n    pass",
        "if coin():\n    match m:\n        case [*_] as x:\n            x.append('z')",
        "for i in range(2):\n    l, m = m, l\n    del l[:-1]\n    if str(len(l)) == 'x':\n        break",
        "def f():\n    x = m\n    x.append('z')\nf()",
        "def f(x=m):\n    x.append('z')\nf()",
        "def f(*, x=m):\n    x.append('z')\nf()",
    ],
)
def test_a_list_that_is_changed_under_another_name_is_not_known_any_more(code):
    reading = read(
        HEAD + START, code, "substep.interface(outputs=[{ENTITY_NAME: e['k'][0] + m[-1]}])"
    )

    assert reading.interface is None
    assert reading.problems


def test_a_function_that_fills_a_list_of_its_own_leaves_the_others_known():
    helper = "def f():\n    out = []\n    for i in range(3):\n        out.append(i)\n    return out"

    reading = read(HEAD + START, helper, "substep.interface(outputs=[{ENTITY_NAME: m[0]}])")

    assert reading.interface is not None
