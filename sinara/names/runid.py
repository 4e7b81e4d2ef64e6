"""Run ids: one per run, over all processes and machines, sorted as their moments.

``run-26-11-21-050000-000123-9f86d081`` is the UTC moment to the microsecond and 32 random
bits that belong to the process. Within a process every id is greater than the one before,
also when the clock stands still or goes back; two processes that make an id in the same
microsecond differ in the random part. An id is a valid Docker tag and a valid Git tag.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from sinara.errors import BadNameError
from sinara.names.grammar import check_name, shown

Clock = Callable[[], datetime]
"""Returns the time of day as an aware ``datetime``."""
Entropy = Callable[[int], bytes]
"""Returns that many random bytes; ``os.urandom`` does."""

_FORMAT = "run-%y-%m-%d-%H%M%S-%f"
_STAMP_LENGTH = len("run-YY-MM-DD-HHMMSS")


def utc_now() -> datetime:
    """Return the time of day of this machine in UTC."""
    return datetime.now(UTC)


class _RunIds:
    """The ids of one process by one clock, in strictly increasing order."""

    def __init__(self, clock: Clock, entropy: Entropy) -> None:
        self._clock = clock
        self._entropy = entropy
        self._last = datetime.min.replace(tzinfo=UTC)
        self.after_fork()

    def after_fork(self) -> None:
        """Take a fresh lock (the old one may be held by a thread that is gone) and new bits."""
        self._lock = threading.Lock()
        self._process_bits = ""

    def new(self) -> str:
        with self._lock:
            self._process_bits = self._process_bits or self._entropy(4).hex()
            moment = max(self._clock().astimezone(UTC), self._last + timedelta(microseconds=1))
            if not 2000 <= moment.year <= 2099:  # two digits have to tell the century
                raise BadNameError(
                    f"a run id cannot be made in the year {moment.year}: set this machine's clock"
                )
            self._last = moment
            return f"{moment.strftime(_FORMAT)}-{self._process_bits}"


@lru_cache(maxsize=64)
def _run_ids(clock: Clock, entropy: Entropy) -> _RunIds:
    made = _RunIds(clock, entropy)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=made.after_fork)
    return made


_SHARED = _run_ids(utc_now, os.urandom)


def new_run_id(clock: Clock = utc_now, entropy: Entropy = os.urandom) -> str:
    """Return a run id that no other run has.

    Args:
        clock: Gives the time of day, aware of its time zone.
        entropy: Gives the random bytes that tell one process from another.

    Raises:
        BadNameError: If the clock is outside the years 2000 to 2099.
    """
    if clock is utc_now and entropy is os.urandom:
        return _SHARED.new()
    return _run_ids(clock, entropy).new()


def check_run_id(value: object) -> str:
    """Return ``value`` if it is a run id: of ours, or ``run-YY-MM-DD-HHMMSS`` and a safe suffix.

    Raises:
        BadNameError: One line with the rule that is broken and the value.
    """
    run_id = check_name("run_id", value)
    run_id_time(run_id)
    return run_id


def run_id_time(value: str) -> datetime:
    """Return the moment that a run id names, in UTC, to the microsecond where it has one.

    Raises:
        BadNameError: If the value is no run id, or names no day or time that exists.
    """
    run_id = check_name("run_id", value)
    micros = run_id[_STAMP_LENGTH:].split("-")[1:2]
    fraction = micros[0] if micros and len(micros[0]) == 6 and micros[0].isdecimal() else "000000"
    year, month, day, clock_time = run_id[4:_STAMP_LENGTH].split("-")
    hour, minute, second = clock_time[:2], clock_time[2:4], clock_time[4:]
    try:
        # strptime would read the years 69..99 as 19xx; ids are of this century
        return datetime(
            2000 + int(year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            int(second),
            int(fraction),
            UTC,
        )
    except ValueError as error:
        raise BadNameError(f"run id {shown(value)} cannot be used: {error}") from None
