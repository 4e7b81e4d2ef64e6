"""How much of a notebook's outputs a page takes in."""

from __future__ import annotations

from dataclasses import dataclass

TEXT = 200_000  # characters of one text output
HTML = 1_000_000  # characters of one HTML output
PICTURE = 8_000_000  # characters of one picture
PAGE = 32_000_000  # characters of all outputs of a page


@dataclass
class Budget:
    """What is left for the rest of a page; every output draws on it."""

    left: int = PAGE

    def allow(self, wanted: int, most: int) -> int:
        """Return how many of the ``wanted`` characters fit, ``most`` at a time, and take them."""
        granted = max(0, min(wanted, most, self.left))
        self.left -= granted
        return granted
