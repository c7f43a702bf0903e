"""Whether somebody who is asked still gives signs of life; who does not must not be waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

DEADLINE: Final = 0.25
"""Seconds for a sign of life. Quota admission asks four times: a refusal takes about a second."""
SILENCE, KNOCK = 1.0, 1.0
"""After one missed deadline one question at a time is asked, and all others are refused; after so
many seconds of silence one is asked in so many seconds.

Each question to somebody who hangs keeps one of quota admission's five workers for a deadline, and
creations in namespaces without any quota wait for these workers as well.
"""


class UnansweredError(Exception):
    """Nobody answered; the text says who."""


class Pulse:
    """Signs of life of one who is asked, by a monotonic `clock`."""

    def __init__(self, who: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._who = who
        self._clock = clock
        self._silent_since: float | None = None
        self._tried = 0.0
        self._trying = 0

    def heard(self) -> None:
        """Note a sign of life."""
        self._silent_since = None

    @property
    def silent(self) -> bool:
        """Whether one that was given the whole deadline heard nothing, and nobody since."""
        return self._silent_since is not None

    def _may_try(self, now: float, *, silent: float) -> bool:
        return not self._trying and (silent < SILENCE or now - self._tried >= KNOCK)

    @contextmanager
    def attempt(self, limit: float = DEADLINE) -> Iterator[None]:
        """Ask within this block, where a TimeoutError stands for silence of `limit` seconds.

        Less than the deadline is no sign of anything.

        Raises:
            UnansweredError: it was silent, or has been for so long that it is not asked.
        """
        begun = self._clock()
        since = self._silent_since
        if since is not None and not self._may_try(begun, silent=begun - since):
            raise UnansweredError(f"{self._who} has been silent for {begun - since:.1f} s")
        self._trying, self._tried = self._trying + 1, begun
        try:
            yield
        except TimeoutError:
            if self._silent_since is None and limit >= DEADLINE:
                self._silent_since = begun
            raise UnansweredError(f"{self._who} did not answer within {limit:.2g} s") from None
        finally:
            self._trying -= 1
