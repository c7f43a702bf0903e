"""Proof that every API server is past what it had charged.

Between the charge and the creation of an object there is no fence, so of one request nobody can
prove that it will not be carried out any more before the API server's own limit for requests. But
what stands between the two is one write to the store. An API server that has meanwhile carried out
a whole run of other writes from beginning to end, each of them at once, does not stand still, and
is past it.

A heartbeat is such a write. What was committed before a run began is overtaken when the run has
lasted long enough; one late or lost heartbeat, through any API server, and the proof begins anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

BEATS: Final = 4
"""Heartbeats through each API server in a run, at the least."""


class Progress:
    """The heartbeats through each API server; without any server nothing is ever proven.

    `run` (seconds) is how long a run lasts, `slow` how long one heartbeat may take.
    """

    def __init__(self, *, run: float, slow: float) -> None:
        self._run = run
        self._slow = slow
        self._beats: dict[str, list[tuple[float, float]]] = {}

    def expect(self, servers: Iterable[str]) -> None:
        """Ask for proof of these API servers: all that there are."""
        self._beats = {server: self._beats.get(server, []) for server in servers}

    def beat(self, server: str, *, sent: float, answered: float | None) -> None:
        """Take in a heartbeat, by the caller's monotonic clock; None where no answer came."""
        beats = self._beats.get(server)
        if beats is None:
            return
        if answered is None or answered - sent > self._slow:
            beats.clear()
            return
        if beats and sent - beats[-1][1] > self._slow:
            beats.clear()  # nobody looked meanwhile
        beats.append((sent, answered))
        del beats[: self._first(beats) or 0]

    def overtaken(self) -> float:
        """Return until when whatever was committed has been overtaken by every API server."""
        firsts = [self._first(beats) for beats in self._beats.values()]
        if not firsts or None in firsts:
            return float("-inf")
        return min(beats[0][0] for beats in self._beats.values())

    def _first(self, beats: list[tuple[float, float]]) -> int | None:
        """Return the last heartbeat from which on there is a whole run, None for none."""
        last = len(beats) - BEATS
        for number in range(last, -1, -1):
            if beats[-1][1] - beats[number][0] >= self._run:
                return number
        return None
