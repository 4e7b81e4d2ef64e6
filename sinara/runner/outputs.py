"""What a substep wrote: settled, its contracts checked, sealed where it may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sinara import names
from sinara.context import Handback, RunContext
from sinara.contract import RuleResult
from sinara.contract.told import broken_lines
from sinara.errors import ContractError, SinaraError
from sinara.interface import Interface
from sinara.record import EntityRecord, Failure
from sinara.runner.inputs import step_store
from sinara.runner.prepare import PreparedStep

if TYPE_CHECKING:
    from sinara.store import EntityInfo, RunWriter
    from sinara.store.writer import Check


@dataclass
class Outputs:
    """The outputs of one substep of one run.

    Attributes:
        prepared: The step.
        substep: The substep's name.
        context: The run.
        interface: What the substep declared.
        secrets: Values to keep out of the rows that break a contract.
        problems: What cannot be published, a line each.
        broken: What breaks a contract, a line each.
    """

    prepared: PreparedStep
    substep: str
    context: RunContext
    interface: Interface
    secrets: tuple[str, ...]
    problems: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def failure(self) -> Failure | None:
        """Why the substep failed although its code did not, if so."""
        if self.problems:
            return Failure(kind="outputs", message="; ".join(self.problems))
        return Failure(kind="contract", message="; ".join(self.broken)) if self.broken else None

    def settle(
        self,
        writer_for: Callable[[str], RunWriter],
        handback: Handback,
        *,
        succeeded: bool,
        seal: bool,
    ) -> tuple[EntityRecord, ...]:
        """Settle what was written; if the substep succeeded, check what has a contract.

        Args:
            writer_for: Gives the writer of a run id.
            handback: What the substep told.
            succeeded: Whether its code did: otherwise nothing is checked or sealed.
            seal: Whether all of it is to be sealed now, so that a resumed run may adopt it.

        Returns:
            What is there. What is wrong is in ``problems`` and ``broken``.
        """
        run_id = handback.run_id or self.context.run_id
        there = [(name, self._settled(writer_for, run_id, name)) for name in self.interface.outputs]
        records = []
        for name, info in there:
            if info is None:
                continue
            record = self._record(name, run_id, info)
            wanted = seal or self.interface.contract_of(name) is not None
            if succeeded and wanted and not self.problems:
                record = self._sealed(writer_for(run_id), record)
            records.append(record)
        return (*records, *self._custom(run_id))

    def _settled(
        self, writer_for: Callable[[str], RunWriter], run_id: str, entity: str
    ) -> EntityInfo | None:
        try:
            writer = writer_for(run_id)
            info = writer.settle(entity)
        except SinaraError as error:
            self.problems.extend(error.lines)
            return None
        if info is None:
            self.problems.append(
                f"Output '{entity}' of {self.substep} was declared, but not written to "
                f"{writer.entity_url(entity)}. Write it, or take it out of the interface."
            )
        return info

    def _sealed(self, writer: RunWriter, record: EntityRecord) -> EntityRecord:
        """Return the record of an output that was sealed, or broke its contract."""
        found: list[RuleResult] = []
        check = self._check(record.name, found)
        try:
            info = writer.seal(record.name, check=check)
        except ContractError as error:
            self.broken.extend(error.lines)
            return replace(record, contract=tuple(found))
        except SinaraError as error:
            self.problems.extend(error.lines)
            return record
        return replace(self._record(record.name, record.run_id, info), contract=tuple(found))

    def _check(self, entity: str, found: list[RuleResult]) -> Check | None:
        from sinara.kernels.redact import Redactor
        from sinara.substep.contracts import check_when_sealed

        contract = self.interface.contract_of(entity)
        if contract is None:
            return None
        clean = Redactor(self.secrets).text

        def take(results: tuple[RuleResult, ...]) -> None:
            found.extend(without_secrets(results, clean))
            lines = broken_lines(f"Output '{entity}'", found)
            if lines:
                raise ContractError(*lines)

        store = step_store(self.prepared.settings, self.prepared.params.step)
        return check_when_sealed(contract, entity, self.prepared.env.storage_options, store, take)

    def _record(self, entity: str, run_id: str, info: EntityInfo) -> EntityRecord:
        context = self.context
        step = names.StepName(
            context.env_name, context.pipeline_name, context.zone_name, context.step_name
        )
        return EntityRecord(
            name=entity,
            full_name=names.full_name(step, entity),
            url=info.url,
            run_id=run_id,
            kind="outputs",
            substep=self.substep,
            files=info.files,
            bytes=info.bytes,
            rows=info.rows,
            columns=tuple(info.columns),
            manifest=info.manifest or None,
        )

    def _custom(self, run_id: str) -> list[EntityRecord]:
        return [
            EntityRecord(
                custom.entity_name,
                custom.entity_name,
                custom.path,
                run_id,
                "custom_outputs",
                self.substep,
            )
            for custom in self.interface.custom_outputs
        ]


def without_secrets(
    results: tuple[RuleResult, ...], clean: Callable[[str], str]
) -> tuple[RuleResult, ...]:
    """Return results whose texts went through ``clean``."""
    return tuple(
        replace(
            result,
            asked=clean(result.asked),
            found=clean(result.found),
            sample=tuple(map(clean, result.sample)),
        )
        for result in results
    )
