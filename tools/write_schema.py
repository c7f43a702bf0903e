"""Write `docs/reference/quotatree.schema.json`, the JSON Schema of quotatree.yaml."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from quotatree.codec import treefile_schema

TARGET: Final = Path(__file__).parent.parent / "docs" / "reference" / "quotatree.schema.json"

if __name__ == "__main__":
    TARGET.write_text(json.dumps(treefile_schema.schema(), indent=2) + "\n")
