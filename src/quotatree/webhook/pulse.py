"""Whether somebody who is asked still gives signs of life; who does not must not be waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

DEADLINE: Final = 0.25
"""Seconds for a sign of life. Quota admission asks four times: a refusal takes about a second."""
SILENCE: Final = 1.0
"""Seconds of silence after which one question at a time is asked, and all others are refused.

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
        self._trying = 0

    def heard(self) -> None:
        """Note a sign of life."""
        self._silent_since = None

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Ask within this block, where a TimeoutError stands for silence.

        Raises:
            UnansweredError: it was silent, or has been for so long that it is not asked.
        """
        begun = self._clock()
        since = self._silent_since
        if since is not None and begun - since >= SILENCE and self._trying:
            raise UnansweredError(f"{self._who} has been silent for {begun - since:.1f} s")
        self._trying += 1
        try:
            yield
        except TimeoutError:
            if self._silent_since is None:
                self._silent_since = begun
            raise UnansweredError(f"{self._who} did not answer within {DEADLINE:g} s") from None
        finally:
            self._trying -= 1
