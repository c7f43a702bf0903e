"""A report as SARIF 2.1.0 (OASIS), which code scanning shows beside the lines of a file."""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePath
from typing import Any, Final
from urllib.parse import quote

from quotatree.model.report import Item, Place, Report, Rule, Verdict

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def render(report: Report, *, version: str) -> str:
    """Return the report as SARIF text; `version` is that of quotatree."""
    return json.dumps(document(report, version=version), indent=2, ensure_ascii=False)


def document(report: Report, *, version: str) -> dict[str, Any]:
    """Return the report as plain data."""
    rules = {rule.code: index for index, rule in enumerate(report.rules)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "quotatree",
                        "semanticVersion": version,
                        "rules": [_rule(rule) for rule in report.rules],
                    }
                },
                "automationDetails": {"id": f"quotatree/{report.command}/"},
                "columnKind": "unicodeCodePoints",
                "invocations": [{"executionSuccessful": report.verdict is not Verdict.ERROR}],
                "results": [_result(item, rules) for item in report.items],
            }
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    written: dict[str, Any] = {
        "id": rule.code,
        "shortDescription": {"text": rule.title},
        "defaultConfiguration": {"level": rule.level.value},
    }
    if rule.help:
        written["help"] = {"text": rule.help}
    return written


def _result(item: Item, rules: dict[str, int]) -> dict[str, Any]:
    text = f"{item.subject}: {item.message}" if item.subject else item.message
    written: dict[str, Any] = {
        "ruleId": item.code,
        "level": item.level.value,
        "message": {"text": f"{text}; {item.remedy}" if item.remedy else text},
        "partialFingerprints": {"quotatree/v1": _fingerprint(item)},
    }
    if item.code in rules:
        written["ruleIndex"] = rules[item.code]
    if location := _location(item):
        written["locations"] = [location]
    return written


def _fingerprint(item: Item) -> str:
    """Return what stays the same while lines move and numbers change."""
    text = "\n".join((item.code, item.subject, item.place.file, item.place.path))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _location(item: Item) -> dict[str, Any]:
    place = item.place
    written: dict[str, Any] = {}
    if place.file:
        written["physicalLocation"] = {
            "artifactLocation": {"uri": _uri(place.file)},
            "region": _region(place),
        }
    if name := place.path or item.subject:
        written["logicalLocations"] = [{"fullyQualifiedName": name}]
    return written


def _region(place: Place) -> dict[str, int]:
    # Without a line a finding would not be shown at all.
    region = {"startLine": place.line or 1}
    return region | ({"startColumn": place.column} if place.column else {})


def _uri(file: str) -> str:
    path = PurePath(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
