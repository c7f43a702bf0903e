"""Write the reference of the Pulumi components from their schema.

`uv run python -m tools.components_reference`; `--check` writes nothing and fails when the page is
out of date. The schema itself is written by `make schema`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
SCHEMA: Final = ROOT / "components" / "schema.json"
PAGE: Final = ROOT / "docs" / "reference" / "pulumi.md"

_INTRO: Final = """\
# Pulumi components

<!-- Written by tools/components_reference.py from components/schema.json; run `make docs`. -->

What the package `pulumi-quotatree` takes and gives. Names are those of Python; other languages
write them in camel case (`failurePolicy`), and every amount is a text (`"20"`). *Input* marks what
may be an output of another resource; everything else has to be known when the program starts. How
to use them: [trees](../how-to/pulumi-trees.md), [pipelines](../how-to/pulumi-pipelines.md),
[the installation](../how-to/pulumi-installation.md),
[other languages](../how-to/pulumi-other-languages.md)."""


def page(schema: Mapping[str, Any]) -> str:
    """Return the whole page."""
    parts = [_INTRO]
    for token, found in schema["resources"].items():
        parts += [f"## {_short(token)}", f"`{token}`", _prose(found["description"])]
        parts.append(_table("argument", found["inputProperties"], found["requiredInputs"]))
        outputs = {name: {**said, "plain": True} for name, said in found["properties"].items()}
        parts.append(_table("output", outputs, ()))
    for token, found in schema["types"].items():
        parts += [f"## {_short(token)}", _prose(found["description"])]
        parts.append(_table("field", found["properties"], found.get("required", ())))
    return "\n\n".join(parts) + "\n"


def _table(what: str, fields: Mapping[str, Any], required: object) -> str:
    needed = required if isinstance(required, list) else []
    return "\n".join([f"| {what} | type | meaning |", "|---|---|---|", *_rows(fields, needed)])


def _rows(fields: Mapping[str, Any], required: list[str]) -> Iterator[str]:
    for name, field in fields.items():
        must = " Required." if name in required else ""
        words = " ".join(field["description"].split()).replace("|", "\\|")
        yield f"| `{_python(name)}` | {_type(field)} | {words}{must} |"


def _type(field: Mapping[str, Any]) -> str:
    plain = "" if field.get("plain") or "$ref" in field else "*Input* "
    return f"{plain}{_kind(field)}"


def _kind(field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        name = _short(field["$ref"])
        return f"[{name}](#{name.lower()})"
    match field.get("type"):
        case "array":
            return f"list of {_kind(field['items'])}"
        case "object":
            return f"map of {_kind(field['additionalProperties'])}"
        case "string":
            return "text"
        case "boolean":
            return "yes or no"
        case "integer":
            return "whole number"
    raise ValueError(f"unknown type: {field}")


def _short(token: str) -> str:
    return token.rpartition(":")[2]


def _python(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", lambda found: "_" + found[1].lower(), name)


def _prose(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def main(arguments: list[str]) -> int:
    """Write the page, or with `--check` say whether it is out of date."""
    wanted = page(json.loads(SCHEMA.read_text(encoding="utf-8")))
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == wanted:
        return 0
    if "--check" in arguments:
        print(f"out of date: {PAGE.name}; run: make docs", file=sys.stderr)
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    print(f"wrote docs/reference/{PAGE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
