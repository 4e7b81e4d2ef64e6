"""A filter for Git: a notebook without outputs, from standard input to standard output.

``git add`` calls it for each notebook, so it imports next to nothing. Outputs and execution counts
go; everything else stays byte for byte as it was, if there was nothing to clear.

    git config filter.clear-output.clean "python -I -S .../clean_notebook.py"
"""

import json
import sys


def clean(text: bytes) -> bytes:
    """Return a notebook's text without outputs; a text that is no notebook is returned as it is.

    Args:
        text: The file, UTF-8.
    """
    try:
        notebook = json.loads(text)
        cells = notebook["cells"]
        changed = False
        for cell in cells:
            if cell.get("cell_type") == "code" and (
                cell.get("outputs") or cell.get("execution_count") is not None
            ):
                cell["outputs"], cell["execution_count"] = [], None
                changed = True
            metadata = cell.get("metadata", {})
            changed |= metadata.pop("execution", None) is not None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return text
    if not changed:
        return text
    # As JupyterLab and nbformat write it.
    made = json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=False)
    return made.encode("utf-8", "surrogatepass") + (b"\n" if text.endswith(b"\n") else b"")


if __name__ == "__main__":
    sys.stdout.buffer.write(clean(sys.stdin.buffer.read()))
