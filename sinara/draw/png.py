"""The picture as PNG, from our own drawing: no browser, no Graphviz."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

from sinara.errors import MissingExtraError, UsageError

_MOST_PIXELS = 80_000_000
_LONGEST = 30_000  # pixels of one side
_FONTS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")


def png(svg: str, *, scale: float = 2.0) -> bytes:
    """Return an SVG of ours as PNG.

    Args:
        svg: What :func:`sinara.draw.svg` returned.
        scale: Pixels of the picture per pixel of the drawing; less if it would be too large.

    Raises:
        MissingExtraError: If the extra ``png`` is not installed.
        UsageError: If this machine has no font to write with.
    """
    try:
        import resvg_py
    except ImportError as error:
        raise MissingExtraError.for_extra("resvg-py, which makes PNG files,", "png") from error
    fonts = _font_folders()
    size = re.search(r'width="(\d+)" height="(\d+)"', svg)
    assert size is not None
    width, height = int(size[1]), int(size[2])
    most = min(scale, _LONGEST / max(width, height), (_MOST_PIXELS / (width * height)) ** 0.5)
    # It follows no media query, and takes what is in one for a rule: the dark styles go.
    light = re.sub(r"@media \(prefers-color-scheme: dark\) \{.*\}(?=</style>)", "", svg, count=1)
    drawn = resvg_py.svg_to_bytes(
        svg_string=light, zoom=most, font_dirs=fonts, sans_serif_family="DejaVu Sans",
        font_family="DejaVu Sans",
    )  # fmt: skip
    return bytes(drawn)


def _font_folders() -> list[str]:
    """Return where fonts lie besides the system's own: matplotlib brings some.

    Raises:
        UsageError: If there are none at all.
    """
    found = importlib.util.find_spec("matplotlib")
    if found is not None and found.origin:
        folder = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
        if folder.is_dir():
            return [str(folder)]
    if sys.platform != "linux" or any(_has_font(Path(place).expanduser()) for place in _FONTS):
        return []
    raise UsageError(
        "This machine has no font to write a PNG with. Install some: apt-get install "
        "fonts-dejavu-core, or pip install matplotlib. An .svg or .html needs none."
    )


def _has_font(folder: Path) -> bool:
    return any(next(folder.rglob(pattern), None) is not None for pattern in ("*.ttf", "*.otf"))
