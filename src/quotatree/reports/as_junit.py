"""A report as JUnit XML: one test case for each subject; CI shows which of them fail.

A subject with errors is a failed case, and an error when nothing could be judged. Warnings and
notes are in the case's output: they fail nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree

from quotatree.model.report import Item, Level, Report, Verdict

# What XML 1.0 cannot hold in any spelling.
_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report) -> str:
    """Return the report as XML text."""
    suite = ElementTree.Element("testsuite", name=f"quotatree {report.command}")
    counts = {"failure": 0, "error": 0}
    cases = _cases(report)
    for subject, items in cases.items():
        kind = _case(suite, report, subject, items=items)
        if kind:
            counts[kind] += 1
    totals = {
        "tests": str(len(cases)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
    }
    suite.attrib.update(totals)
    root = ElementTree.Element("testsuites", name="quotatree", attrib=totals)
    root.append(suite)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _cases(report: Report) -> dict[str, list[Item]]:
    """Return the findings of each subject; those of none belong to the command itself."""
    cases: dict[str, list[Item]] = {subject: [] for subject in report.subjects}
    for item in report.items:
        cases.setdefault(item.subject or report.command, []).append(item)
    return cases or {report.command: []}


def _case(
    suite: ElementTree.Element, report: Report, subject: str, *, items: Sequence[Item]
) -> str:
    """Add a test case; returns as what it counts: failure, error or nothing."""
    case = ElementTree.SubElement(
        suite, "testcase", classname=f"quotatree.{report.command}", name=_legal(subject), time="0"
    )
    errors = [item for item in items if item.level is Level.ERROR]
    others = [item for item in items if item.level is not Level.ERROR]
    place = next((item.place for item in (*errors, *others) if item.place.file), None)
    if place is not None:
        case.set("file", _legal(place.file))
        if place.line:
            case.set("line", str(place.line))
    kind = ("error" if report.verdict is Verdict.ERROR else "failure") if errors else ""
    if kind:
        first = errors[0]
        found = ElementTree.SubElement(case, kind, type=first.code, message=_legal(first.message))
        found.text = _text(errors)
    if others:
        ElementTree.SubElement(case, "system-out").text = _text(others)
    return kind


def _text(items: Sequence[Item]) -> str:
    return _legal("\n".join(map(_line, items)))


def _line(item: Item) -> str:
    place = item.place
    where = f"{place.file}:{place.line}: " if place.file and place.line else ""
    remedy = f"; {item.remedy}" if item.remedy else ""
    return f"{where}{item.level.value}: {item.code}: {item.message}{remedy}"


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text)
