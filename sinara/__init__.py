"""sinara: notebooks as pipelines that can be trusted.

The modules in the order in which the data passes them::

    names       run ids, names, URLs, image names: made, checked, joined
    settings    where each env lives: sinara.toml and SINARA_*
    contract    what an entity promises: columns, ranges, keys, rows
    interface   what a substep reads and writes
    params      parameter files and parameters cells, typed and checked
    record      what a run did
    store       entities and the commit log: the only reader and writer of both
    reading     the interface read off a notebook, nothing executed
    notebook    a notebook with its parameters filled in
    context     what the driver hands to a kernel, and back
    postmortem  what a failed cell knew: its variables, small and with no secrets
    substep     inside the notebook: inputs(), outputs(), read(), write()
    audit       files that a substep touches beside what it declares
    kernels     the processes that run cells
    execute     a substep executed, with a true status for every cell
    report      pages that people read
    repository  Git repositories: how they stand, and their remotes
    packages    what is installed, and what code rests on
    runner      one step run from its parameters to its published entities
    compare     what two runs, or two commits, differ in
    lineage     what an entity was made from, back to the raw data
    images      container images: names, registries, layers, builders
    serving     a model as a service: saved, loaded, served, asked
    retain      which runs are kept, and the deletion of all others
    step        Step, StepSafeguard, StepReport: the scripts as people have them
    check       mistakes in a step, found without running it
    hosting     where repositories are kept: a folder, GitHub, GitLab
    manifest    what a pipeline shall be made of
    pipeline    the graph of many steps, read off their notebooks
    fleet       Git over all steps of a pipeline
    scaffold    steps and pipelines made from a template
    draw        the picture of a graph: SVG, a page, and other forms
    containerize  a served model as an image that says where it came from
    debug       a failed substep restored, in a console or JupyterLab
    lab         JupyterLab: "Run step", badges, the graph; named servers
    magics      ``%sinara graph`` and ``%sinara check`` in a notebook
    cli         the ``sinara`` command
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def load_ipython_extension(shell: Any) -> None:
    """Add ``%sinara`` to a notebook: called by ``%load_ext sinara``."""
    import importlib  # by its name: what a notebook imports leads to nothing of the driver

    importlib.import_module("sinara.magics").register(shell)
