"""The packages of an image as a software bill of materials, the same bytes each time.

Source:
    CycloneDX 1.6, cyclonedx.org/specification; purls as in github.com/package-url/purl-spec.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sinara.serving.values import ServiceInfo

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

FILE = "sbom.cdx.json"


def bill_of_materials(info: ServiceInfo, entity: str, requirements: str, base: str) -> str:
    """Return what an image is made of, as JSON.

    Args:
        info: The service.
        entity: Full name of the entity.
        requirements: The packages, one ``name==version`` a line.
        base: The base image.
    """
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output import make_outputter
    from cyclonedx.schema import OutputFormat, SchemaVersion

    name, _, digest = base.partition("@")
    model = Component(
        name=entity, version=info.run_id, type=ComponentType.CONTAINER, bom_ref="image"
    )
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"{entity}:{info.run_id}:{base}"),
        metadata=BomMetaData(
            component=model, timestamp=datetime.fromtimestamp(info.epoch, UTC), tools=[]
        ),
        components=[
            Component(
                name=name, version=digest or None, type=ComponentType.CONTAINER, bom_ref="base"
            ),
            *_packages(requirements.splitlines()),
        ],
    )
    bom.register_dependency(model, bom.components)
    text: str = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(
        indent=1
    )
    return f"{text}\n"


def _packages(lines: Iterable[str]) -> Iterator[Component]:
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    for line in lines:
        name, equals, version = line.partition("==")
        if equals:
            purl = PackageURL("pypi", None, name, version)
            yield Component(
                name=name,
                version=version,
                type=ComponentType.LIBRARY,
                purl=purl,
                bom_ref=f"{name}=={version}",
            )
