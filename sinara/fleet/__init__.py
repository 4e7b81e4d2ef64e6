"""One Git verb over all steps of a pipeline, at the same time; one answer for each.

::

    values     FleetStep, Result: what is asked of a step, and how it went
    steps      the steps of a pipeline folder
    together   a function over all steps in threads; an end within seconds
    status     how each step stands, and its last run
    sync       pull, push, checkout
    arrive     clone the steps that are missing here
    rename     the name of the pipeline in parameter files
    update     a new name, a new origin
    transfer   all of it to another host or organisation

A failure in one step leaves the others done. Nothing is ever forced, and no changed file is
ever overwritten.
"""

from sinara.fleet.arrive import arrive
from sinara.fleet.status import LastRun, StepStatus, status
from sinara.fleet.steps import choose, steps_in
from sinara.fleet.sync import checkout, pull, push
from sinara.fleet.transfer import transfer
from sinara.fleet.update import rename, set_origins
from sinara.fleet.values import FleetStep, Outcome, Result

__all__ = [
    "FleetStep",
    "LastRun",
    "Outcome",
    "Result",
    "StepStatus",
    "arrive",
    "checkout",
    "choose",
    "pull",
    "push",
    "rename",
    "set_origins",
    "status",
    "steps_in",
    "transfer",
]
