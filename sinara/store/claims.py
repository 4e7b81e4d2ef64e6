"""Whose a run folder is: the claim that lies in it from its first moment."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from sinara.errors import CorruptError, StoreError
from sinara.names import check_run_id
from sinara.store import layout
from sinara.store.backend import Hold
from sinara.store.codec import canonical, seal, unseal
from sinara.store.errors import AlreadyPublishedError
from sinara.store.place import Place
from sinara.store.world import Process


@dataclass(frozen=True)
class Claim:
    """One attempt at one run."""

    run_id: str
    token: str  # of this attempt alone
    time: str
    process: Process
    trigger_key: str | None
    draft: bool
    log_after: int  # no entry up to this number can be of this run, or of its trigger

    def encode(self) -> bytes:
        """Return the claim as a file."""
        body: dict[str, Any] = {
            "run_id": self.run_id,
            "token": self.token,
            "time": self.time,
            "process": self.process.as_dict(),
            "trigger_key": self.trigger_key,
            "draft": self.draft,
            "log_after": self.log_after,
        }
        return seal(body)[0]


def decode(data: bytes, where: str) -> Claim:
    """Return the claim in a file.

    Raises:
        CorruptError: If it is none.
    """
    body, _ = unseal(data, where)
    try:
        return Claim(
            body["run_id"],
            body["token"],
            body["time"],
            Process.from_dict(body["process"]),
            body["trigger_key"],
            body["draft"],
            body["log_after"],
        )
    except KeyError as error:
        raise CorruptError(f"{where} is damaged: it has no {error}.") from error


def read_claim(place: Place, run_id: str) -> Claim | None:
    """Return the claim of a run; None if there is none that can be read."""
    path = layout.claim(run_id)
    try:
        return decode(place.backend.read(path), f"{place.backend.folder}/{path}")
    except (FileNotFoundError, NotADirectoryError, CorruptError):
        return None


def make_claim(
    place: Place,
    run_id: str,
    *,
    trigger_key: str | None = None,
    draft: bool = False,
    adopt: bool = False,
) -> tuple[Claim, Hold]:
    """Claim a new run folder, or with ``adopt`` one that is there and that nobody claimed.

    Raises:
        StoreError: If the folder is taken.
        AlreadyPublishedError: If a run of the same trigger was published.
    """
    check_run_id(run_id)
    backend, world = place.backend, place.world
    adopted = adopt and backend.exists(run_id)
    if backend.exists(layout.claim(run_id)) or (not adopted and backend.exists(run_id)):
        raise _taken(place, run_id)
    if adopted and _is_finished(place, run_id):
        raise _taken(place, run_id)
    after = _first_possible(place, trigger_key)
    claim = Claim(run_id, world.nonce(), world.stamp(), world.process(), trigger_key, draft, after)
    # The mark comes first: whatever happens from here on, recovery knows where to look.
    backend.create(layout.open_claim(run_id), canonical(claim.process.as_dict()))
    try:
        take = backend.take_over if adopted else backend.claim
        return claim, take(run_id, claim.encode())
    except FileExistsError as error:
        raise _taken(place, run_id) from error


def _is_finished(place: Place, run_id: str) -> bool:
    """Return whether the original left a finished run there: an entity with its mark."""
    backend = place.backend
    return any(
        backend.exists(f"{run_id}/{name}/{layout.SUCCESS}") for name in backend.names(run_id)
    )


def hold_draft(place: Place, run_id: str) -> tuple[Claim, Hold]:
    """Begin a draft, or go on with one that is there.

    Raises:
        StoreError: If the folder is taken by a run that is no draft.
    """
    joined = _join_draft(place, run_id)
    if joined is not None:
        return joined
    refused = _taken(place, run_id)
    try:
        make_claim(place, run_id, draft=True)[1].release()
    except StoreError as error:
        refused = error  # unless another kernel of the checkout was faster
    joined = _join_draft(place, run_id)
    if joined is None:
        raise refused
    return joined


def _join_draft(place: Place, run_id: str) -> tuple[Claim, Hold] | None:
    """Hold a draft that is there already; None if there is no run folder of that name.

    Raises:
        StoreError: If the folder is taken by a run that is no draft.
    """
    check_run_id(run_id)
    with contextlib.suppress(FileNotFoundError):
        hold = place.backend.join(run_id)
        claim = read_claim(place, run_id)
        if claim is not None and claim.draft:
            return claim, hold
        hold.release()
        raise _taken(place, run_id)
    return None


def _taken(place: Place, run_id: str) -> StoreError:
    where = place.backend.folder
    return StoreError(f"Run {run_id} exists already in {where}. Choose a new run id.")


def _first_possible(place: Place, trigger_key: str | None) -> int:
    """Return the log entry after which a run of a trigger may be; refuse a second one.

    The first claim of a trigger notes how long the log is. Whatever that trigger ever
    publishes comes later, so later attempts need not read the log from its start.
    """
    tail = place.log.tail()
    if trigger_key is None:
        return tail
    path = layout.key(trigger_key)
    noted, _ = seal({"trigger_key": trigger_key, "after": tail})
    if place.backend.create(path, noted):
        return tail
    where = f"{place.backend.folder}/{path}"
    body, _ = unseal(place.backend.read(path), where)
    after = body.get("after")
    if not isinstance(after, int) or body.get("trigger_key") != trigger_key:
        raise CorruptError(f"{where} is damaged: it is of another trigger.")
    for entry in place.log.after(after):
        refuse_trigger(entry.body, trigger_key)
    return after


def refuse_trigger(body: dict[str, Any], trigger_key: str | None) -> None:
    """Refuse to publish a second run of one trigger.

    Raises:
        AlreadyPublishedError: If the log entry ``body`` is of the same trigger.
    """
    if trigger_key is not None and body.get("trigger_key") == trigger_key:
        winner = str(body["run_id"])
        raise AlreadyPublishedError(
            f"Trigger '{trigger_key}' was published already, by run {winner}. Nothing to do.",
            run_id=winner,
        )
