"""Write the schema of the components for other languages: `make schema`.

It needs Pulumi's packages, so it is a file of its own in the repository, from which the reference
is written without them. `--check` writes nothing and fails when the file is out of date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.experimental.host import components_from_module

import pulumi_quotatree

SCHEMA: Final = Path(__file__).parents[1] / "components" / "schema.json"
PACKAGE: Final = "pulumi-quotatree"


def analyzed() -> dict[str, Any]:
    """Return the schema that Pulumi's analyzer reads out of the components."""
    components = components_from_module(pulumi_quotatree)
    schema: dict[str, Any] = json.loads(ComponentProvider(components, PACKAGE).schema)
    return schema


def text() -> str:
    """Return what the file has to hold; the order in which classes were found says nothing."""
    schema = analyzed()
    for part in ("resources", "types"):
        schema[part] = dict(sorted(schema[part].items()))
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write the file, or with `--check` say whether it is out of date."""
    wanted = text()
    if SCHEMA.exists() and SCHEMA.read_text(encoding="utf-8") == wanted:
        return 0
    if "--check" in arguments:
        print(f"out of date: {SCHEMA.name}; run: make schema", file=sys.stderr)
        return 1
    SCHEMA.write_text(wanted, encoding="utf-8")
    print(f"wrote components/{SCHEMA.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
