"""Truth beats the counter: what a namespace really holds, whatever its ResourceQuota says.

::

    truth = objects seen − objects gone + claims whose object has not appeared yet

The native controller counts from caches that lag behind, and writes a usage that is too low; a
create may fail after its charge, and leaves one that is too high. So for the kinds that are watched

- the ledger takes a namespace to hold at least the truth (`Account.floor`), and a recount below it
  is corrected before it commits (`engine.recount`);
- usage above the truth, where every claim is counted in, is written down (`engine.surplus`);
- a claim lapses when its request cannot commit any more (`engine.progress`) and a live read shows
  no object for it.

Nothing here lowers what is held below a committed usage: only a committed event does.

No I/O, no clock: `now` is a parameter, in seconds of any monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Final

from quotatree.engine import claims, flights
from quotatree.engine.account import Account, AccountKey, Way
from quotatree.engine.census import Census
from quotatree.engine.claims import Claim, Grant
from quotatree.engine.drift import Drift
from quotatree.engine.flights import in_flight
from quotatree.engine.forest import Amounts
from quotatree.engine.progress import Progress
from quotatree.engine.reservation import Timing
from quotatree.engine.surplus import Surplus
from quotatree.model.names import Namespace, Uid
from quotatree.model.observed import ManagedQuota
from quotatree.model.review import UsageReview
from quotatree.model.scope import ScopeSet
from quotatree.model.sighting import Sighting
from quotatree.units import resource_names
from quotatree.units.resources import EMPTY, Resources

PROMPT: Final = 0.2
"""Seconds in which an object mostly appears after its charge: before, nobody is asked about it."""
STEP = 250
"""Objects of a list that are taken in at one go, some milliseconds: reviews wait meanwhile."""


class Truth:
    """The account of objects and claims beside the accounts of a ledger; one writer, the ledger's.

    `accounts` are those of the ledger, `post` brings what one of them holds into the forest.
    """

    def __init__(
        self,
        timing: Timing,
        accounts: Mapping[AccountKey, Account],
        post: Callable[[AccountKey, Account], None],
    ) -> None:
        self.census = Census()
        self.drift = Drift()
        self.surplus = Surplus(timing, accounts)
        self.progress = Progress(run=timing.progress, slow=timing.slow)
        self._timing = timing
        self._accounts = accounts
        self._post = post
        self._positions: dict[str, int] = {}
        self._known: dict[str, bool] = {}
        self._claimed: set[AccountKey] = set()

    # -- objects ------------------------------------------------------------------------------

    def see(self, resource: str, seen: Sighting) -> None:
        """Take in an object that was added or changed."""
        self.reach_position(resource, seen.resource_version)
        self._count(seen.namespace, self.census.see(seen), created=seen.created)

    def lose(self, resource: str, seen: Sighting, resource_version: int) -> None:
        """Take in that an object is gone."""
        self.reach_position(resource, resource_version)
        changes = self.census.lose(seen.namespace, seen.uid)
        self._count(seen.namespace, changes, created=seen.created)

    def relist(self, resource: str, seen: Iterable[Sighting], resource_version: int) -> None:
        """Take in all objects of a kind; those that are not among them are gone."""
        for _ in self.relisting(resource, seen, resource_version):
            pass

    def relisting(
        self, resource: str, seen: Iterable[Sighting], resource_version: int
    ) -> Iterator[None]:
        """Do what `relist` does, and pause after every few objects: others may act in between.

        Each object is a change by itself, as if a watch had told it; only changes of the same kind
        have to wait.
        """
        found = tuple(seen)
        present = {one.uid for one in found}
        for number, (namespace, uid) in enumerate(list(self.census.missing(resource, present))):
            self._count(namespace, self.census.lose(namespace, uid), created=0.0)
            if number % STEP == STEP - 1:
                yield
        first = resource not in self._positions
        for number, one in enumerate(found):
            changes = self.census.see(one)
            if not first:  # else nobody goes by these sums yet
                self._count(one.namespace, changes, created=one.created)
            if number % STEP == STEP - 1:
                yield
        self.reach_position(resource, resource_version)
        if first:
            self._begin()

    def _begin(self) -> None:
        """Judge anew which names are known; usage that no object explains may be in flight."""
        before, self._known = self._known, {}
        for key, account in self._accounts.items():
            account.seen = self.census.sums(key)
            fresh = [r for r in account.used if self.knows(r) and not before.get(r)]
            beyond = {r: account.used[r] - account.seen.get(r, 0) for r in fresh}
            self._claim(account, beyond, sure=True, missed=True)
            for _, grant in in_flight(account):  # granted before these names were known
                for r in fresh:
                    if (more := grant.written.get(r, 0) - account.used[r]) > 0:
                        grant.claim.amounts[r] = more
            self._post(key, account)

    def lose_sight(self, resource: str) -> None:
        """Take in that nothing is told of a kind any more: as if it had never been listed.

        What was known of it would grow stale, and hold room for objects that are long gone.
        """
        if self._positions.pop(resource, None) is None:
            return
        for namespace, uid in list(self.census.missing(resource, set())):
            self.census.lose(namespace, uid)
        self._known = {}
        for key, account in self._accounts.items():
            account.seen, account.floor = self.census.sums(key), {}
            for claim in (*account.claims, *(grant.claim for _, grant in in_flight(account))):
                claim.amounts = {r: a for r, a in claim.amounts.items() if self.knows(r)}
            account.claims = [claim for claim in account.claims if claim.amounts]
            self._settle_sets(key, account)
            self._post(key, account)

    @property
    def listed(self) -> Set[str]:
        """The kinds of which every object is known; only these have claims."""
        return self._positions.keys()

    def knows(self, name: str) -> bool:
        """Whether every object that is counted under a resource name is known here."""
        known = self._known.get(name)
        if known is None:
            sources = resource_names.sources(name)
            known = bool(sources) and self._positions.keys() >= set(sources)
            self._known[name] = known
        return known

    def reach_position(self, resource: str, resource_version: int) -> None:
        """Take in that every change of a kind up to this one has been seen."""
        self._positions[resource] = max(self._positions.get(resource, 0), resource_version)

    def _count(
        self, namespace: Namespace, changes: Mapping[ScopeSet, Amounts], *, created: float
    ) -> None:
        for scopes, change in changes.items():
            key = (namespace, scopes)
            account = self._accounts.get(key)
            if account is None or not change:
                continue
            self._appear(account, change, created=created)
            self._post(key, account)

    def _appear(self, account: Account, change: Mapping[str, int], *, created: float) -> None:
        waiting = [grant.claim for _, grant in in_flight(account)]
        growth = {r: a for r, a in change.items() if r in account.used and self.knows(r)}
        left = claims.consume(account.claims, waiting, growth, created=created)
        account.claims = [claim for claim in account.claims if claim.amounts]
        if account.lapsed and any(left.get(r, 0) > 0 for r in left):
            account.lapsed -= 1
            self.drift.late += 1

    # -- managed quotas -----------------------------------------------------------------------

    def observe(
        self, key: AccountKey, account: Account, seen: ManagedQuota, *, fenced: bool, way: Way
    ) -> None:
        """Take in a new committed state, before the account is brought up to it.

        `fenced`: whoever may have granted this growth is this writer, so it is known here.
        """
        if not self._positions:
            return
        account.seen = self.census.sums(key)
        flights.settle(account, seen, way)
        known = {r: amount for r, amount in seen.used.nanos().items() if self.knows(r)}
        explained = claims.total(account.claims)
        excess = {r: a - account.seen.get(r, 0) - explained.get(r, 0) for r, a in known.items()}
        grown = {r: min(x, known[r] - account.used.get(r, 0)) for r, x in excess.items()}
        if way is Way.LISTED:
            self._claim(account, self._leased(account, known), sure=True, missed=True)
        recounted = account.recounted == (account.resource_version, seen.used.nanos())
        if account.resource_version == 0 or not fenced:
            self._claim(account, grown, sure=True, missed=way is Way.LISTED)
        elif way.leaps or not recounted:
            before, lease = account.used, account.slice
            inside = {r: min(x, lease.get(r, 0) - before.get(r, 0)) for r, x in grown.items()}
            self._claim(account, inside, sure=True)
            beyond = {r: x - max(0, inside[r]) for r, x in grown.items()}
            self._claim(account, beyond, sure=False)
        else:  # counted for the first time: its objects may be on their way to us
            first = {r: x for r, x in grown.items() if r not in account.used}
            self._claim(account, first, sure=True)
        claims.shrink(account.claims, {r: -x for r, x in excess.items() if x < 0})
        account.claims = [claim for claim in account.claims if claim.amounts]

    def hear(self, account: Account, seen: ManagedQuota, way: Way) -> bool:
        """Take in a state that is older than what is known; returns whether it told anything.

        The growth that a claim explained which turns out to have lost was somebody else's.
        """
        lost = flights.hear(account, seen, way)
        explained = claims.total(account.claims)
        for r, hidden in claims.total(lost).items():
            beyond = account.used.get(r, 0) - account.seen.get(r, 0) - explained.get(r, 0)
            self._claim(account, {r: min(hidden, beyond)}, sure=r in account.slice)
        return bool(lost)

    def _leased(self, account: Account, known: Mapping[str, int]) -> Amounts:
        """Return what a slice may have let pass, unseen, between the state before and a list.

        The usage may have grown to the slice and been counted down again, objects on their way.
        """
        explained = claims.total(account.claims)
        return {
            r: account.slice[r] - max(used, account.seen.get(r, 0) + explained.get(r, 0))
            for r, used in known.items()
            if r in account.slice
        }

    def _claim(
        self, account: Account, amounts: Mapping[str, int], *, sure: bool, missed: bool = False
    ) -> None:
        more = {r: amount for r, amount in amounts.items() if amount > 0}
        if more:
            account.claims.append(Claim(amounts=more, since=None, sure=sure, missed=missed))

    def refresh(self, key: AccountKey, account: Account) -> None:
        """Work out what an account holds at least, and whether its counter is too high."""
        if not self._positions:
            return
        sure = claims.total(claim for claim in account.claims if claim.sure)
        account.floor = {
            r: account.seen.get(r, 0) + sure.get(r, 0) for r in account.used if self.knows(r)
        }
        self._settle_sets(key, account)

    def _settle_sets(self, key: AccountKey, account: Account) -> None:
        """Note whether an account has claims, and whether its counter is too high."""
        if account.claims:
            self._claimed.add(key)
        else:
            self._claimed.discard(key)
        self.surplus.note(key, account)

    def drop(self, key: AccountKey) -> None:
        """Forget an account."""
        self.census.drop(key)
        self.surplus.drop(key)
        self._claimed.discard(key)

    # -- growth -------------------------------------------------------------------------------

    def grant(
        self,
        review: UsageReview,
        now: float,
        *,
        amended: Resources = EMPTY,
        loosens: bool = False,
    ) -> Grant:
        """Return the grant of a growth; what it is for comes soon, or never.

        `amended` is written in place of what it says, and `loosens` whether it ends a tightening.
        """
        growth = review.growth.nanos()
        claim = Claim(amounts={r: a for r, a in growth.items() if self.knows(r)}, since=now)
        written = {**review.new.used.nanos(), **amended.nanos()}
        return Grant(written=written, claim=claim, loosens=loosens)

    # -- time ---------------------------------------------------------------------------------

    def pass_time(self, now: float) -> tuple[list[Namespace], list[AccountKey]]:
        """Let time happen; returns where a counter is to be put right, and where claims are old.

        The native controller is given a moment to count by itself. An old claim lapses only by
        `lapse`, when a live read has shown that no object stands for it.
        """
        for namespace in self.census.pass_time(now):
            for scopes in self.census.scope_sets(namespace):
                account = self._accounts.get((namespace, scopes))
                if account is not None:
                    self._post((namespace, scopes), account)
        writes = self.surplus.pass_time(now)
        old = []
        for key in self._claimed:
            for claim in self._accounts[key].claims:
                claim.since = now if claim.since is None else claim.since
                claim.committed = now if claim.committed is None else claim.committed
            if self.old(key, now=now):
                old.append(key)
        return writes, old

    def waits(self, now: float) -> bool:
        """Whether a claim has been without its object for so long that it may never come."""
        return any(
            claim.committed is not None and claim.committed + PROMPT <= now
            for key in self._claimed
            for claim in self._accounts[key].claims
        )

    def missed(self, resource: str) -> dict[AccountKey, int]:
        """Return how much is held for claims of whose charge nobody knows what became of it."""
        return {
            key: amount
            for key in self._claimed
            if (
                amount := sum(
                    claim.amounts.get(resource, 0)
                    for claim in self._accounts[key].claims
                    if claim.missed
                )
            )
        }

    def old(self, key: AccountKey, *, now: float) -> list[Claim]:
        """Return the claims of an account whose requests cannot commit any more.

        Either the API server's limit for requests is over, or each API server has been seen to be
        past them. Where a namespace is measured by several quotas, a request may still be held up
        by another one.
        """
        account = self._accounts.get(key)
        overtaken = self.progress.overtaken()
        if any(self._asked(key[0], other) >= overtaken for other in self._others(key)):
            overtaken = float("-inf")
        return [
            claim
            for claim in (account.claims if account is not None else ())
            if (claim.since is not None and claim.since + self._timing.lost_after <= now)
            or (claim.committed is not None and claim.committed < overtaken)
        ]

    def _others(self, key: AccountKey) -> list[ScopeSet]:
        return [scopes for scopes in self.census.scope_sets(key[0]) if scopes != key[1]]

    def _asked(self, namespace: Namespace, scopes: ScopeSet) -> float:
        account = self._accounts.get((namespace, scopes))
        return 0.0 if account is None else max(account.granted_at, account.pressed_at)

    def lapse(
        self,
        key: AccountKey,
        old: Sequence[Claim],
        live: Mapping[str, Mapping[Uid, int]],
    ) -> bool:
        """Let claims of an account lapse that were `old`; returns whether any did.

        `live`: by kind, the objects of its namespace with their resourceVersions, read when they
        were old already. Nothing lapses while one of them is still to come on the watch.
        """
        account = self._accounts.get(key)
        if account is None or self._is_to_come(key[0], live):
            return False
        lapsed = [claim for claim in account.claims if any(claim is one for one in old)]
        account.claims = [c for c in account.claims if not any(c is one for one in lapsed)]
        sure = sum(claim.sure for claim in lapsed)
        account.lapsed += sure
        self.drift.high += sure
        self._post(key, account)
        if lapsed and key in self.surplus:
            self.surplus.want(key)  # the native controller has had its time
        return bool(sure)

    def _is_to_come(self, namespace: Namespace, live: Mapping[str, Mapping[Uid, int]]) -> bool:
        return any(
            version > self._positions.get(resource, 0) and not self.census.known(namespace, uid)
            for resource, objects in live.items()
            for uid, version in objects.items()
        )
