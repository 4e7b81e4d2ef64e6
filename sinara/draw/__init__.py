"""The picture of a pipeline. Pure: values go in, text comes out; only ``dot`` is ever run.

::

    text      texts cut to fit, numbers as people read them
    layers    boxes and arrows in layers, each long arrow with a lane of its own
    overview  a graph with its substeps left out
    scene     what is where: cards, boxes, lines
    svg       a scene as SVG                  (picture.css)
    page      one HTML page to pan and search (page.css, page.js)
    dot, mermaid, plain, png                  the other forms
    picture   all of it as one value that a notebook shows
"""

from sinara.draw.dot import dot, render_dot
from sinara.draw.mermaid import mermaid
from sinara.draw.page import page
from sinara.draw.picture import Picture
from sinara.draw.plain import as_json
from sinara.draw.png import png
from sinara.draw.svg import svg

__all__ = ["Picture", "as_json", "dot", "mermaid", "page", "png", "render_dot", "svg"]
