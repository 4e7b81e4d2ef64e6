"""Steps and pipelines made from a template: folders that run as they are.

::

    template  the template copied, its names set
    notebook  a notebook with the interface of a manifest
    step      one step, whole or not at all
    fits      whether a user's own template is what the manifest says
    place     whether all of it can be made there
    beside    the files beside the steps, and the lock
    pipeline  all steps of a manifest, each a repository on a host
"""

from sinara.scaffold.pipeline import MadeStep, create_pipeline, failed
from sinara.scaffold.place import check_pipeline, refuse_foreign, repository_name
from sinara.scaffold.step import make_step, new_step
from sinara.scaffold.template import template_folder

__all__ = [
    "MadeStep",
    "check_pipeline",
    "create_pipeline",
    "failed",
    "make_step",
    "new_step",
    "refuse_foreign",
    "repository_name",
    "template_folder",
]
