"""What a failed cell knew: the variables of each frame of its traceback, small and with no secrets.

::

    kernel: traceback ──frames──► names ──preview──► one JSON line per frame ──► driver
    driver: lines ──redacted──► failure.json ──read──► Variables ──► page, terminal

The first half runs inside the kernel, silently, before it ends. It imports nothing but the
standard library, runs as little of the notebook's own code as it can, and none for long.
"""

from __future__ import annotations

from sinara.postmortem.values import FILE_NAME, Frame, Variable, Variables, read, to_json

__all__ = ["FILE_NAME", "Frame", "Variable", "Variables", "read", "to_json"]
