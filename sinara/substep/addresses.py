"""Where a substep's own entities lie: outputs of its run, and temporary entities.

::

    <root of env>/<pipeline>/<zone>/<step>/<run_id>/<entity folder>        outputs
    <tmp root of env>/<pipeline>/<zone>/<step>/<run_id>/<entity folder>    temporary
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sinara import names
from sinara.context import RunContext
from sinara.errors import BadNameError, EntityNotFoundError
from sinara.names import StepName
from sinara.substep import places

if TYPE_CHECKING:
    from sinara.settings import EnvSettings, Settings


@dataclass(frozen=True)
class Addresses:
    """Makes the URLs of one run."""

    context: RunContext
    settings: Settings

    @property
    def step(self) -> StepName:
        """The step that the run belongs to."""
        context = self.context
        return StepName(
            context.env_name, context.pipeline_name, context.zone_name, context.step_name
        )

    @property
    def env(self) -> EnvSettings:
        """Where the data of the run's env lies."""
        return self.settings.env(self.context.env_name)

    @property
    def tmp_options(self) -> Mapping[str, Any]:
        """What fsspec is given with the temporary root: the env's, if it is of the same kind."""
        env = self.env
        same = env.root.partition("://")[0] == env.tmp_root.partition("://")[0]
        return env.storage_options if same else {}

    def full_name(self, entity: str) -> str:
        """Return ``env.pipeline.zone.step.entity``."""
        return names.full_name(self.step, entity)

    @property
    def root(self) -> str:
        """Below what the outputs of this run lie."""
        return self.context.outputs_root or self.env.root

    @property
    def run(self) -> str:
        """Where the outputs of this run lie."""
        return names.run_url(self.root, self.step, self.context.run_id)

    def output(self, entity: str) -> str:
        """Return where an output of this run lies."""
        return names.entity_url(self.root, self.step, self.context.run_id, entity)

    def tmp_output(self, entity: str) -> str:
        """Return where a temporary entity of this run lies."""
        root = f"{self.context.outputs_root}/_tmp" if self.context.outputs_root else None
        return names.entity_url(root or self.env.tmp_root, self.step, self.context.run_id, entity)

    def tmp_input(self, entity: str, *, or_own: bool) -> str:
        """Return where the newest run that has a temporary entity keeps it.

        Args:
            entity: The temporary entity.
            or_own: Return this run's own place when no run has it yet.

        Raises:
            EntityNotFoundError: If no run has it.
        """
        base = f"{self.env.tmp_root}/{self.step.path}"
        for run_id in sorted(places.subfolders(base, self.tmp_options), reverse=True):
            if _is_run_id(run_id):
                url = names.entity_url(self.env.tmp_root, self.step, run_id, entity)
                if places.exists(url, self.tmp_options):
                    return url
        if or_own:
            return self.tmp_output(entity)
        raise EntityNotFoundError(
            f"Temporary entity '{entity}' is not there: no run of step '{self.step.step}' left it "
            f"below {base}. Run the substep that declares it in tmp_outputs first."
        )


def _is_run_id(name: str) -> bool:
    try:
        return bool(names.check_run_id(name))
    except BadNameError:
        return False
