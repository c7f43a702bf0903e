"""The doctor's findings on a screen: one line for each part, and under it what is wrong."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Final

from quotatree.cli.doctor.rules import Check
from quotatree.model.report import Item, Level, Report, in_order

WIDTH: Final = 100
_NAME: Final = 17
_RESULT: Final = 13
_INDENT: Final = " " * 4


def render(checks: Iterable[Check], report: Report) -> str:
    """Return the lines; a result is a word, no colour."""
    lines: list[str] = []
    for check in checks:
        lines.append(f"{check.name:<{_NAME}}{check.result:<{_RESULT}}{check.summary}")
        for item in in_order(check.items):
            lines += _item(item)
    return "\n".join([*lines, "", report.headline])


_WORDS: Final = {Level.ERROR: "wrong", Level.WARNING: "warning", Level.NOTE: "note"}


def _item(item: Item) -> list[str]:
    subject = "" if not item.subject or item.subject in item.message else f"{item.subject}: "
    lines = _wrapped(f"{_WORDS[item.level]}: {subject}{item.message}", _INDENT)
    return lines + (_wrapped(f"next: {item.remedy}", _INDENT * 2) if item.remedy else [])


def _wrapped(text: str, indent: str) -> list[str]:
    # A name or a command is never broken: it is there to be copied.
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
