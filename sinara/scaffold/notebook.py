"""A substep's notebook made from the template's: its interface declared, and it runs as it is.

The cells of the template are known by their ids. What the notebook does is a placeholder: outputs
are copies of the first input, or a small table where there is none.
"""

from __future__ import annotations

import copy
import json
import keyword
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sinara.interface import KINDS, InputRef, Interface, as_lists
from sinara.manifest import SubstepPlan

SAMPLE = {"rows": 100, "seed": 7}  # parameters of a substep that has nothing to read
_WHERE = ("env_name", "pipeline_name", "zone_name", "run_id")
# Names that the cells use themselves.
_TAKEN = {
    "pd",
    "np",
    "random",
    "len",
    "substep",
    "substep_params",
    "step_params",
    "pipeline_params",
}


def parameters_of(plan: SubstepPlan) -> dict[str, Any]:
    """Return the parameters of a substep: the manifest's, or those that a sample table needs."""
    interface = plan.interface or Interface()
    sample = {} if interface.inputs or not interface.outputs else SAMPLE
    return {**sample, **plan.params}


def make_notebook(template: Path, plan: SubstepPlan) -> str:
    """Return the text of a notebook.

    Args:
        template: The template's notebook.
        plan: What the manifest says of the substep.
    """
    notebook = json.loads(template.read_text(encoding="utf-8"))
    interface = plan.interface or Interface()
    variables = _variables(interface)
    sources = {
        "parameters": _parameters(parameters_of(plan)),
        "interface": _interface(interface),
        "read-inputs": _read(interface, variables),
        "do-the-work": _work(interface, variables),
        "write-outputs": _write(interface, variables),
        "business-report": _report(interface, variables),
    }
    cells = []
    for cell in notebook["cells"]:
        made = copy.deepcopy(cell)
        source = sources.get(cell.get("id", ""))
        if source is not None:
            made["source"] = source.splitlines(keepends=True)
        cells.append(made)
    return json.dumps({**notebook, "cells": cells}, indent=1, ensure_ascii=False) + "\n"


def _variables(interface: Interface) -> dict[InputRef | str, str]:
    """Return a Python name for each input and output; no two are equal."""
    taken = set(_TAKEN)
    found: dict[InputRef | str, str] = {}

    def name(wanted: str, other: str) -> str:
        for candidate in (wanted, other, *(f"{other}_{n}" for n in range(2, 1000))):
            if candidate not in taken:
                taken.add(candidate)
                return candidate
        raise AssertionError(wanted)

    for reference in interface.inputs:
        plain = _identifier(reference.entity_name)
        found[reference] = name(plain, f"{_identifier(reference.step_name)}_{plain}")
    for entity in interface.outputs:
        found[entity] = name(_identifier(entity), f"new_{_identifier(entity)}")
    return found


def _identifier(name: str) -> str:
    plain = name.replace("-", "_").replace(".", "_")
    if plain[0].isdigit():
        return f"_{plain}"
    return f"{plain}_" if keyword.iskeyword(plain) else plain


def _text(value: str) -> str:
    """Return a Python literal of a text: in double quotes, if it has nothing that hides."""
    return json.dumps(value, ensure_ascii=False) if value.isprintable() else repr(value)


def _parameters(params: Mapping[str, Any]) -> str:
    lines = [
        "# Values for running this notebook by hand. A job puts the values of",
        "# params/step_params.json in their place: same names, same types.",
    ]
    if not params:
        return "\n".join([*lines, "substep_params = {}"])
    items = [f"    {_text(name)}: {value!r}," for name, value in params.items()]
    return "\n".join([*lines, "substep_params = {", *items, "}"])


def _interface(interface: Interface) -> str:
    lists = as_lists(interface)
    keys = {key for entries in lists.values() for entry in entries for key in entry}
    order = [
        *("STEP_NAME", "ENTITY_NAME", "ENTITY_PATH"),
        *("ENV_NAME", "PIPELINE_NAME", "ZONE_NAME", "RUN_ID"),
    ]
    imports = ", ".join(["NotebookSubstep", *(key for key in order if key in keys)])
    shown = [kind for kind in KINDS if lists[kind] or kind in ("inputs", "outputs")]
    lines = [
        "# what this substep reads and writes",
        f"from sinara.substep import {imports}",
        "",
        "substep = NotebookSubstep(pipeline_params, step_params, substep_params)",
        "",
        "substep.interface(",
    ]
    for kind in shown:
        lines.append(f"    {kind}=[")
        for entry in lists[kind]:
            pairs = ", ".join(f"{key}: {_text(entry[key])}" for key in order if key in entry)
            lines.append(f"        {{{pairs}}},")
        lines.append("    ],")
    return "\n".join(
        [*lines, ")", "", "substep.print_interface_info()", "", "substep.exit_in_visualize_mode()"]
    )


def _read(interface: Interface, variables: Mapping[InputRef | str, str]) -> str:
    lines = ["# read inputs", "import pandas as pd"]
    if not interface.inputs and interface.outputs:
        lines = ["# read inputs", "import numpy as np", "import pandas as pd", ""]
        lines.append('random = np.random.default_rng(substep_params["seed"])')
    elif interface.inputs:
        lines.append("")
    lines += [f"{variables[ref]} = {_table(ref, interface)}" for ref in interface.inputs]
    for kind in ("custom_inputs", "tmp_inputs"):
        for ref in getattr(interface, kind):
            name = ref if isinstance(ref, str) else ref.entity_name
            lines.append(f"# its path: substep.{kind}()[{_text(name)}]")
    return "\n".join(lines)


def _table(ref: InputRef, interface: Interface) -> str:
    """Return the source that reads an input."""
    of_step = [r.entity_name for r in interface.inputs if r.step_name == ref.step_name]
    entity, step = _text(ref.entity_name), f"step_name={_text(ref.step_name)}"
    if len(of_step) == len(set(of_step)):
        return f"substep.read({entity}, {step})"
    # Two entities of one name: say which run, zone, pipeline or env is meant.
    given = [f"{key}={_text(value)}" for key in _WHERE if (value := getattr(ref, key))]
    return f"pd.read_parquet(substep.inputs({', '.join([step, *given])})[{entity}])"


def _work(interface: Interface, variables: Mapping[InputRef | str, str]) -> str:
    if not interface.outputs:
        return "# do the work: nothing is written yet"
    first = variables[interface.outputs[0]]
    if interface.inputs:
        source = variables[interface.inputs[0]]
        lines = ["# do the work: until you write it, outputs are copies of the first input"]
        lines += [f"{variables[name]} = {source}.copy()" for name in interface.outputs]
    else:
        lines = [
            "# do the work: until you write it, outputs are small tables",
            f"{first} = pd.DataFrame({{",
            '    "group": random.choice(["a", "b", "c"], size=substep_params["rows"]),',
            '    "value": random.normal(size=substep_params["rows"]),',
            "})",
            *(f"{variables[name]} = {first}.copy()" for name in interface.outputs[1:]),
        ]
    return "\n".join([*lines, f'substep.add_metric("rows", len({first}))'])


def _write(interface: Interface, variables: Mapping[InputRef | str, str]) -> str:
    lines = ["# write outputs"]
    for name in interface.outputs:
        lines.append(f"substep.write({_text(name)}, {variables[name]})")
    for name in interface.tmp_outputs:
        table = variables[interface.outputs[0]] if interface.outputs else "pd.DataFrame()"
        place = f"substep.tmp_outputs()[{_text(name)}]"
        lines.append(f'{table}.to_parquet({place} + "/part.parquet")')
    for kind in ("custom_outputs", "tmp_entities"):
        for ref in getattr(interface, kind):
            name = ref if isinstance(ref, str) else ref.entity_name
            lines.append(f"# its path: substep.{kind}()[{_text(name)}]")
    return "\n".join(lines)


def _report(interface: Interface, variables: Mapping[InputRef | str, str]) -> str:
    every: list[InputRef | str] = [*interface.outputs, *interface.inputs]
    lines = ["# what this cell shows is the business report"]
    return "\n".join([*lines, f"{variables[every[0]]}.describe()" if every else ""])
