"""How the documentation is built: Sphinx, MyST-NB, furo; the code on the pages is run."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

import sinara

# Code on the pages works in an empty home with no settings of whoever builds them.
os.environ["DOCS_CHECKOUT"] = str(Path(__file__).parent.parent)
os.environ["HOME"] = tempfile.mkdtemp(prefix="sinara-docs-")
atexit.register(shutil.rmtree, os.environ["HOME"], ignore_errors=True)
os.environ["COLUMNS"] = "96"
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

project = "sinara"
author = "The sinara authors"
copyright = "2026, the sinara authors"  # noqa: A001 - the name that Sphinx reads
version = release = sinara.__version__

extensions = ["myst_nb", "sphinx_copybutton", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"sinara {version}"
html_copy_source = False

myst_heading_anchors = 3
myst_enable_extensions = ["deflist", "colon_fence"]

nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 300
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = True
