"""The shipped JSON Schema is the one that the code makes, and says what the code checks."""

import json
from pathlib import Path

from quotatree.codec import treefile_rules, treefile_schema

SHIPPED = Path(__file__).parents[3] / "docs" / "reference" / "quotatree.schema.json"


def test_the_shipped_schema_is_up_to_date():
    want = json.dumps(treefile_schema.schema(), indent=2) + "\n"
    assert SHIPPED.read_text() == want, "run: uv run python tools/write_schema.py"


def test_the_schema_knows_every_key_of_a_node():
    node = treefile_schema.schema()["$defs"]["node"]
    assert set(node["properties"]) == set(treefile_rules.NODE_KEYS)


def test_every_reference_leads_somewhere():
    schema = treefile_schema.schema()
    text = json.dumps(schema)
    named = {part.split('"')[0] for part in text.split("#/$defs/")[1:]}
    assert named == set(schema["$defs"])
