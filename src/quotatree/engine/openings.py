"""Which accounts the leader may grant in: those that are open, in its own epoch, for sure.

A managed ResourceQuota without an epoch is *closed*: nobody grants on it, so nothing can be in
flight there, and a new leader has nothing to fence. Before the first grant it is opened: the leader
writes its epoch, and then reads the Lease. If that is still its own, whoever leads next has not yet
listed when the object was open, will find it so, and fence it. What is opened by one who does not
lead any more is never granted on (`docs/decisions/0015-fence-what-is-open.md`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from quotatree.engine.account import Account, AccountKey
from quotatree.model.names import Namespace

REST: Final = 600.0
"""Seconds without growth after which an account is closed. Shorter: the first growth after a pause
costs a write more often; longer: the next leader has more to fence."""


class Openings:
    """The accounts that were opened and are not sure yet, and those that are to be closed."""

    def __init__(self, accounts: Mapping[AccountKey, Account]) -> None:
        self._accounts = accounts
        self._unsure: set[AccountKey] = set()
        self._resting: set[AccountKey] = set()

    def note(self, key: AccountKey, account: Account, *, opened: bool, epoch: int | None) -> None:
        """Take in the epoch that an account now carries; `opened`: it is ours, and it had none."""
        if opened:
            self._unsure.add(key)
        elif epoch != account.epoch:
            self.drop(key)

    def drop(self, key: AccountKey) -> None:
        """Forget an account."""
        self._unsure.discard(key)
        self._resting.discard(key)

    def is_sure(self, key: AccountKey, *, epoch: int) -> bool:
        """Whether growth may be granted on the account as it is known."""
        account = self._accounts.get(key)
        return account is not None and account.epoch == epoch and key not in self._unsure

    def unsure(self) -> frozenset[AccountKey]:
        """Return what was opened and not confirmed; remember it before you read the Lease."""
        return frozenset(self._unsure)

    def confirm(self, opened: Collection[AccountKey]) -> None:
        """Take in that the Lease was still ours after these had been opened."""
        self._unsure.difference_update(opened)

    # -- closing ------------------------------------------------------------------------------

    def is_resting(self, key: AccountKey) -> bool:
        """Whether an account is to be closed."""
        return key in self._resting

    def grows(self, key: AccountKey) -> None:
        """Take in that growth was granted."""
        self._resting.discard(key)

    def rest(self, *, epoch: int, since: float) -> list[Namespace]:
        """Return the namespaces with open accounts in which nothing was granted `since`.

        One with a slice may be growing within it; its next growth would wait for nothing.
        """
        found = [
            key
            for key, account in self._accounts.items()
            if account.epoch == epoch
            and account.granted_at < since
            and not account.slice
            and not account.reservations
            and key not in self._resting
        ]
        self._resting.update(found)
        return [name for name, _ in found]
