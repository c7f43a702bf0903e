"""Counters that are too high: usage for which neither an object nor a claim stands.

The native controller is given a second to count by itself. Where somebody waits for the room it is
written down at once.
"""

from __future__ import annotations

from collections.abc import Mapping

from quotatree.engine import claims
from quotatree.engine.account import Account, AccountKey
from quotatree.engine.flights import IN_FLIGHT
from quotatree.engine.forest import Amounts
from quotatree.engine.reservation import State, Timing
from quotatree.model.names import Namespace


class Surplus:
    """The accounts whose counter is too high, and the full levels at which objects come and go."""

    def __init__(
        self,
        timing: Timing,
        accounts: Mapping[AccountKey, Account],
    ) -> None:
        self._timing = timing
        self._accounts = accounts
        self._high: dict[AccountKey, float | None] = {}
        self._due: set[AccountKey] = set()
        self._wanted: set[AccountKey] = set()
        self._stirring: dict[AccountKey, float] = {}

    # -- in -----------------------------------------------------------------------------------

    def note(self, key: AccountKey, account: Account) -> None:
        """Look whether an account's counter is too high."""
        if surplus_of(account):
            self._high.setdefault(key, None)
        else:
            self._high.pop(key, None)
            self._due.discard(key)

    def drop(self, key: AccountKey) -> None:
        """Forget an account."""
        self._high.pop(key, None)
        self._due.discard(key)

    def want(self, key: AccountKey) -> None:
        """Ask for an account's counter to be put right at once: somebody waits for the room."""
        self._due.add(key)
        self._wanted.add(key)  # each time: what was in flight at the last plan may have landed

    def stir(self, level: AccountKey, *, now: float) -> None:
        """Note that somebody found no room at a level while usage of what is gone stood below."""
        self._stirring[level] = now + self._timing.stirs

    def pass_time(self, now: float) -> list[Namespace]:
        """Let time happen; returns for which namespaces there is something to write."""
        self._stirring = {level: at for level, at in self._stirring.items() if at > now}
        late = [key for key, since in self._high.items() if self._is_late(key, since, now)]
        self._due.update(late)
        return [name for name, _ in late]

    def _is_late(self, key: AccountKey, since: float | None, now: float) -> bool:
        if since is None:
            self._high[key] = now
            return False
        if since + self._timing.lower_after > now:
            return False
        self._high[key] = now  # asked for again if the write fails
        return True

    # -- out ----------------------------------------------------------------------------------

    def __contains__(self, key: AccountKey) -> bool:
        return key in self._high

    def beside(self, key: AccountKey) -> list[AccountKey]:
        """Return the other accounts of the same scope set whose counter is too high."""
        return [other for other in self._high if other[1] == key[1] and other != key]

    def stirs(self, level: AccountKey) -> bool:
        """Whether objects come and go below a level that is full: room comes back all the time."""
        return level in self._stirring

    def take_wanted(self) -> list[Namespace]:
        """Return, once, the namespaces that were asked for."""
        wanted, self._wanted = self._wanted, set()
        return sorted({name for name, _ in wanted})

    def lowering(self, key: AccountKey) -> Amounts:
        """Return the usage that is to be written now, nothing where none is due."""
        account = self._accounts.get(key)
        held = account is None or any(r.state is State.HELD for r in account.reservations)
        return {} if account is None or held or key not in self._due else lowered(account)


def surplus_of(account: Account) -> Amounts:
    """Return what is charged to nobody: neither objects nor claims stand for it."""
    claimed = claims.total(account.claims)
    return {
        r: more
        for r in account.floor
        if (more := account.used[r] - account.seen.get(r, 0) - claimed.get(r, 0)) > 0
    }


def lowered(account: Account) -> Amounts:
    """Return the usage that is to be written in place of one that is too high, or nothing.

    Not while a growth is in flight: it would lose, and so might its request.
    """
    if any(r.state in IN_FLIGHT for r in account.reservations):
        return {}
    return {r: account.used[r] - more for r, more in surplus_of(account).items()}
