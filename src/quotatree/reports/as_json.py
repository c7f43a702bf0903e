"""A report as JSON: the same keys for every command, and the command's own `details`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from quotatree.model.names import API_VERSION
from quotatree.model.report import Item, Level, Place, Report


def render(report: Report, *, details: Mapping[str, Any] | None = None) -> str:
    """Return the report as JSON text; `details` are further keys at the top."""
    return json.dumps(document(report, details=details), indent=2, ensure_ascii=False)


def document(report: Report, *, details: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the report as plain data."""
    counts = {f"{level.value}s": len(report.of_level(level)) for level in Level}
    return {
        "apiVersion": API_VERSION,
        "kind": f"{report.command.capitalize()}Report",
        "verdict": report.verdict.value,
        "headline": report.headline,
        **counts,
        "findings": [_item(item) for item in report.items],
        **(details or {}),
    }


def _item(item: Item) -> dict[str, Any]:
    written: dict[str, Any] = {
        "code": item.code,
        "level": item.level.value,
        "message": item.message,
    }
    if item.remedy:
        written["remedy"] = item.remedy
    if item.subject:
        written["subject"] = item.subject
    if item.namespace is not None:
        written["namespace"] = item.namespace
    if place := _place(item.place):
        written["place"] = place
    return written


def _place(place: Place) -> dict[str, Any]:
    found = {
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "path": place.path,
    }
    return {key: value for key, value in found.items() if value}
