"""Usage that may be wrong: what native admission may have charged for requests it refused.

Admission judges a batch up to four times. A request that is refused by a tightened `status.hard`
stays refused, but where that hard is loosened before the batch is through, it fits the next time
and is charged all the same (`checkQuotas` in apiserver's plugin/resourcequota/controller.go). Such
a charge stays until the native controller counts again. So it is made to, once the namespace is
quiet: its caches then know every object that there is. The same is done for what was made while a
namespace was born, which may be missing in its first count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from quotatree.engine.account import Account, AccountKey

QUIET: Final = 2.0
"""Seconds without a grant before a recount is asked for: a cache that lags would count too low."""


class Doubts:
    """The accounts to be counted again, and those of which that is being asked."""

    def __init__(self) -> None:
        self._waiting: dict[AccountKey, float | None] = {}
        self._due: set[AccountKey] = set()

    def note(self, key: AccountKey, *, at_rest: bool = True) -> None:
        """Note that what an account shows may be wrong; not `at_rest`: it was made just now."""
        self._waiting[key] = 0.0 if at_rest else None

    def is_due(self, key: AccountKey) -> bool:
        """Whether a recount is to be asked for now."""
        return key in self._due

    def answered(self, key: AccountKey) -> None:
        """Note that a recount was asked for."""
        self._due.discard(key)

    def drop(self, key: AccountKey) -> None:
        """Forget an account."""
        self._waiting.pop(key, None)
        self._due.discard(key)

    def ripen(self, now: float, find: Callable[[AccountKey], Account | None]) -> list[AccountKey]:
        """Return what has been quiet for long enough; it is due from now on."""
        ripe = {
            key
            for key, since in self._waiting.items()
            if since is not None and since + QUIET <= now and _quiet(find(key), now)
        }
        self._waiting = {
            key: now if since is None else since
            for key, since in self._waiting.items()
            if key not in ripe
        }
        self._due.update(ripe)
        return list(ripe)


def _quiet(account: Account | None, now: float) -> bool:
    if account is None or account.reservations or account.tightening is not None:
        return False
    return account.granted_at + QUIET <= now
