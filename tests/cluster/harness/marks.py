"""Marks: which committed states a stretch of the local clock may have been in; see `judge`."""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

RETURNED_WITHIN = 1.0
"""Seconds after capacity came back in which a refusal is not judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The store stood at this version at some moment between two of the local clock."""

    version: int
    sent: float
    answered: float


class Marks:
    """Marks in the order of the local clock."""

    def __init__(self, marks: Iterable[Mark]) -> None:
        marks = list(marks)
        answered = sorted(marks, key=lambda mark: mark.answered)
        self._answered = [mark.answered for mark in answered]
        self._greatest = list(itertools.accumulate((mark.version for mark in answered), max))
        sent = sorted(marks, key=lambda mark: mark.sent)
        self._sent = [mark.sent for mark in sent]
        backwards = (mark.version for mark in reversed(sent))
        self._least = list(itertools.accumulate(backwards, min))[::-1]

    def before(self, moment: float) -> int | None:
        """Return the greatest version of the marks answered by a moment, None without any."""
        place = bisect_right(self._answered, moment)
        return self._greatest[place - 1] if place else None

    def after(self, moment: float) -> int | None:
        """Return the least version of the marks sent after a moment, None without any."""
        place = bisect_left(self._sent, moment)
        return self._least[place] if place < len(self._sent) else None
