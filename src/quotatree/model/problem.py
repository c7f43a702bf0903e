"""What is wrong with an input, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in a file or an object.

    `path` is a field path such as `tree.org.hard["memroy"]`; `line` and `column` count from 1 and
    are 0 where there is no text to point into. `hint` says what to do, empty when nothing helps
    beyond `message`.
    """

    path: str
    message: str
    line: int = 0
    column: int = 0
    hint: str = ""

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}: " if self.line else ""
        path = f"{self.path}: " if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}{path}{self.message}{hint}"


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return `problems` without repetition in the order of the text, then of the path."""
    return tuple(sorted(set(problems), key=lambda p: (p.line, p.column, p.path, p.message)))
