"""What a person reads in a terminal while a step runs, and at its end.

Everything goes to the error stream, so that results on the output stream stay clean.
"""

from typing import TYPE_CHECKING

from sinara.console.lines import inert, say
from sinara.lazy import exports

if TYPE_CHECKING:
    from sinara.console.history import log_lines
    from sinara.console.live import Console
    from sinara.console.told import tell_end

__all__ = ["Console", "inert", "log_lines", "say", "tell_end"]

__getattr__ = exports(__name__, {"Console": "live", "log_lines": "history", "tell_end": "told"})
