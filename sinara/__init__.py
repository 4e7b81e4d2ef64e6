"""sinara: notebooks as pipelines that can be trusted.

The modules in the order in which the data passes them::

    names       run ids, names, URLs, image names: made, checked, joined
    settings    where each env lives: sinara.toml and SINARA_*
    interface   what a substep reads and writes
    params      parameter files and parameters cells, typed and checked
    record      what a run did
    store       entities and the commit log: the only reader and writer of both
    reading     the interface read off a notebook, nothing executed
    notebook    a notebook with its parameters filled in
    context     what the driver hands to a kernel, and back
    postmortem  what a failed cell knew: its variables, small and with no secrets
    substep     inside the notebook: inputs(), outputs(), read(), write()
    kernels     the processes that run cells
    execute     a substep executed, with a true status for every cell
    report      pages that people read
    repository  the step's Git repository
    runner      one step run from its parameters to its published entities
    step        Step, StepSafeguard, StepReport: the scripts as people have them
    debug       a failed substep restored, in a console or JupyterLab
    cli         the ``sinara`` command
"""

__version__ = "0.1.0"
