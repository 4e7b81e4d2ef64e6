"""A step looked over for mistakes, with nothing of it executed.

::

    params and settings    read as a run reads them           step.py
    each substep           its file, cells and interface      substep.py
    all substeps           what flows from one to the next    flow.py

A finding is an ``error`` if a run would fail, and a ``warning`` if it may surprise.
"""

from sinara.check.findings import Finding
from sinara.check.step import check_step

__all__ = ["Finding", "check_step"]
