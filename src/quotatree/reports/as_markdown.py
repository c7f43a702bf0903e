"""A report as GitHub-flavoured markdown, made for a comment on a pull request.

Whatever comes from a file or a cluster is escaped: it can neither break the table that it stands
in nor call for anybody's attention. Lists are cut until a comment (at most 65,536 characters on
GitHub) holds the report; the rest is counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from quotatree.model.report import Item, Level, Report, Table, Verdict

MAX_CHARACTERS: Final = 60_000
"""A report is cut to this: lists are halved until it fits."""

MAX_ITEMS: Final = 64
"""Findings of one level that are shown at most."""

MAX_ROWS: Final = 128
"""Rows of one table that are shown at most."""

_LONGEST_CELL: Final = 300
_SIGNS: Final = {Verdict.FITS: "✅", Verdict.DOES_NOT_FIT: "❌", Verdict.ERROR: "❌"}
_TITLES: Final = {Level.ERROR: "Errors", Level.WARNING: "Warnings", Level.NOTE: "Notes"}
_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>#|~])")
_SPACES: Final = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Most:
    """How much of each list is shown."""

    items: int = MAX_ITEMS
    rows: int = MAX_ROWS


def render(report: Report) -> str:
    """Return the report as markdown."""
    most = _Most()
    while True:
        text = "\n".join(_lines(report, most)) + "\n"
        if len(text) <= MAX_CHARACTERS or most.rows == 1:
            return text
        most = _Most(items=max(1, most.items // 2), rows=max(1, most.rows // 2))


def _lines(report: Report, most: _Most) -> Iterator[str]:
    sign = _SIGNS[report.verdict]
    yield f"### {sign} `quotatree {report.command}`: {report.verdict.value}"
    yield ""
    yield escaped(report.headline)
    for level in Level:
        yield from _findings(level, report.of_level(level), most=most.items)
    for table in report.tables:
        yield from _table(table, most=most.rows)


def _findings(level: Level, items: tuple[Item, ...], *, most: int) -> Iterator[str]:
    if not items:
        return
    yield ""
    yield f"**{_TITLES[level]}** ({len(items)})"
    yield ""
    for item in items[:most]:
        yield f"- {_finding(item)}"
    if len(items) > most:
        yield f"- … and {len(items) - most} more"


def _finding(item: Item) -> str:
    place = item.place
    where = f"{place.file}:{place.line}" if place.file and place.line else place.file
    parts = [f"`{item.code}`"]
    if item.subject:
        parts.append(f"**{escaped(item.subject)}**")
    text = f"{' '.join(parts)}: {escaped(item.message)}"
    if item.remedy:
        text += f"; {escaped(item.remedy)}"
    return f"{text} ({escaped(where)})" if where else text


def _table(table: Table, *, most: int) -> Iterator[str]:
    if not table.rows:
        return
    yield ""
    if table.folded:
        yield f"<details><summary>{escaped(table.title)} ({len(table.rows)})</summary>"
    else:
        yield f"**{escaped(table.title)}**"
    yield ""
    yield f"| {' | '.join(escaped(cell) for cell in table.header)} |"
    yield f"|{'---|' * len(table.header)}"
    for row in table.rows[:most]:
        yield f"| {' | '.join(escaped(cell) for cell in row)} |"
    if len(table.rows) > most:
        yield ""
        yield f"… and {len(table.rows) - most} more rows"
    if table.folded:
        yield ""
        yield "</details>"


def escaped(text: str) -> str:
    """Return `text` as markdown that shows it literally, on one line."""
    line = _SPACES.sub(" ", text)
    line = line if len(line) <= _LONGEST_CELL else f"{line[:_LONGEST_CELL]}…"
    # An entity, since a backslash does not keep GitHub from telling the person so named.
    return _SPECIAL.sub(r"\\\1", line).replace("@", "&#64;")
