"""The entry point of papermill's engine ``sinara``: ``papermill --engine sinara``.

papermill loads this module while it is itself half imported, so the class, which derives
from papermill's, is made when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sinara.kernels.papermill import SinaraEngine as SinaraEngine


def __getattr__(name: str) -> Any:
    if name != "SinaraEngine":
        raise AttributeError(name)
    import papermill.engines  # noqa: F401 - first: it asks for this very class

    from sinara.kernels.papermill import SinaraEngine

    return SinaraEngine
