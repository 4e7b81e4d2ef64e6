"""The Python packages that are installed, and what code rests on; nothing is imported."""

from sinara.packages.environment import Installed, installed, normal
from sinara.packages.fingerprint import fingerprint

__all__ = ["Installed", "fingerprint", "installed", "normal"]
