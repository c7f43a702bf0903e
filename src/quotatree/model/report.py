"""What a command found, for people and machines alike: findings, each with a stable code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from quotatree.model.names import Namespace
from quotatree.model.problem import Problem


class Level(Enum):
    """How much a finding matters: an error is why the verdict is not `fits`."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Verdict(Enum):
    """What it comes to. ERROR: it could not be judged, e.g. since the file holds mistakes."""

    FITS = "fits"
    DOES_NOT_FIT = "does not fit"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A kind of finding. `code` never changes; programs and people's filters build on it."""

    code: str
    title: str
    level: Level
    help: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something stands: line and column count from 1, 0 is unknown; `path` as in Problem."""

    file: str = ""
    line: int = 0
    column: int = 0
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One finding. `subject` is what was judged, e.g. `namespace/vision` or `job/train -n vision`.

    `remedy` is the next step, empty when nothing helps beyond `message`.
    """

    code: str
    level: Level
    message: str
    remedy: str = ""
    subject: str = ""
    namespace: Namespace | None = None
    place: Place = Place()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows for readers of a report, as text; `folded` ones are shown when asked for."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    folded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a command has to say.

    `headline` is one sentence. `rules` are all kinds of findings that the command knows, found or
    not. `subjects` is all that was judged, with or without a finding, in the order to show.
    """

    command: str
    headline: str
    verdict: Verdict
    rules: tuple[Rule, ...] = ()
    items: tuple[Item, ...] = ()
    subjects: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()

    def of_level(self, level: Level) -> tuple[Item, ...]:
        """Return the findings of one level."""
        return tuple(item for item in self.items if item.level is level)


_WEIGHT: Final = {Level.ERROR: 0, Level.WARNING: 1, Level.NOTE: 2}


def in_order(items: Iterable[Item]) -> tuple[Item, ...]:
    """Return `items` without repetition: errors first, then by place, subject and code."""
    return tuple(sorted(set(items), key=_order))


def _order(item: Item) -> tuple[object, ...]:
    place = item.place
    return (
        _WEIGHT[item.level],
        place.file,
        place.line,
        place.column,
        place.path,
        item.subject,
        item.code,
        item.message,
    )


def of_problem(problem: Problem, rule: Rule, *, file: str, subject: str = "") -> Item:
    """Return the finding that a mistake in a file is."""
    return Item(
        code=rule.code,
        level=rule.level,
        message=problem.message,
        remedy=problem.hint,
        subject=subject,
        place=Place(file=file, line=problem.line, column=problem.column, path=problem.path),
    )
