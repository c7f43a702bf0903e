"""Answers on stdout: screens for people, reports as documents for programs.

Each command says what is on its screen; how wide it is, and what a finding and the verdict look
like, is the same for all of them and stands here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

import quotatree
from quotatree.model.report import Item, Level, Report, Verdict
from quotatree.reports import as_json, as_junit, as_markdown, as_sarif

PIPE_WIDTH: Final = 100
"""Pipes have no width; this one fits a log."""

_LEVELS: Final = {Level.ERROR: "red", Level.WARNING: "yellow", Level.NOTE: "dim"}
_VERDICTS: Final = {Verdict.FITS: "green", Verdict.DOES_NOT_FIT: "red", Verdict.ERROR: "red"}


def console(pipe_width: int = PIPE_WIDTH) -> Console:
    """Return stdout as a console that shows every text as it is: names may look like markup."""
    width = None if sys.stdout.isatty() else pipe_width
    return Console(width=width, markup=False, emoji=False, highlight=False)


def document(report: Report, form: str, details: Mapping[str, Any] | None = None) -> str:
    """Return a report in one of the forms that programs read, with a newline at its end.

    `details` are what JSON shows beside the report.
    """
    match form:
        case "json":
            text = as_json.render(report, details=details)
        case "markdown":
            text = as_markdown.render(report)
        case "sarif":
            text = as_sarif.render(report, version=quotatree.__version__)
        case "junit":
            text = as_junit.render(report)
        case _:
            raise AssertionError(f"{form}: no command offers this form")
    return text if text.endswith("\n") else f"{text}\n"


def finding(item: Item) -> RenderableType:
    """Return one finding: what it is about, what it says, what to do next."""
    place = item.place
    where = f"{place.file}:{place.line}" if place.file and place.line else place.file
    head = Text.assemble((item.level.value, _LEVELS[item.level]), f" {item.code}: {item.subject}")
    if where:
        head.append(f" ({where})")
    lines: list[RenderableType] = [head, _indented(item.message)]
    if item.remedy:
        lines.append(_indented(f"next: {item.remedy}"))
    return Group(*lines)


def _indented(text: str) -> Padding:
    """Return a line that belongs to the one above it."""
    return Padding(Text(text), (0, 0, 0, 4), expand=False)


def verdict(found: Verdict) -> Text:
    """Return the last line of a report."""
    return Text(f"Verdict: {found.value}", style=_VERDICTS[found])
