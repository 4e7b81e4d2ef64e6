"""What a pipeline shall be made of: a YAML or JSON file, or a row of names.

::

    read    the file, every key and name checked      (pipeline.schema.json: its form)
    flow    all steps together: clashes, missing inputs, circles, the order
    chain   the manifest of somebody who has none
    values  Manifest, StepPlan, SubstepPlan
"""

from sinara.manifest.chain import chain
from sinara.manifest.flow import in_order, named, upstream
from sinara.manifest.read import check_manifest, read_manifest, schema
from sinara.manifest.values import Manifest, StepPlan, SubstepPlan

__all__ = [
    "Manifest",
    "StepPlan",
    "SubstepPlan",
    "chain",
    "check_manifest",
    "in_order",
    "named",
    "read_manifest",
    "schema",
    "upstream",
]
