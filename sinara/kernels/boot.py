"""Start an ordinary ipykernel: run by its path, by whatever interpreter the kernel has.

``python boot.py MODULE -f CONNECTION_FILE ...`` stands in for ``python -m MODULE -f ...``.
A file in the step's folder must not stand in for a module of the kernel itself (IPython
adds that folder later, for the notebook's own imports). debugpy is kept out until the
kernel is up: it takes a tenth of a second and listens on a port.
"""

import importlib.util
import json
import runpy
import sys
from pathlib import Path
from types import ModuleType


def main() -> None:
    """Prepare ipykernel, and run the module."""
    here = str(Path(__file__).parent)
    sys.path[:1] = [path for path in sys.path[:1] if path not in ("", here)]
    sys.modules["debugpy"] = None  # type: ignore[assignment]
    module = sys.argv.pop(1)
    try:
        with open(sys.argv[sys.argv.index("-f") + 1], encoding="utf-8") as file:  # noqa: PTH123
            connection = json.load(file)
        if connection["transport"] == "ipc":
            _inside(here).leave_the_network(f"{connection['ip']}-6")
    except Exception as error:  # an ipykernel of another make: it starts as it would without us
        sys.stderr.write(f"sinara: {type(error).__name__}: {error}\n")
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _inside(here: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("sinara_inside", f"{here}/inside.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
