"""Truth beats the counter: what a namespace really holds, whatever its ResourceQuota says.

::

    truth = objects seen − objects gone + claims whose object has not appeared yet

The native controller counts from caches that lag behind, and writes a usage that is too low; a
create may fail after its charge, and leaves one that is too high. So for the kinds that are watched

- the ledger takes a namespace to hold at least the truth (`Account.floor`), and a recount below it
  is corrected before it commits (`engine.recount`);
- usage above the truth, where every claim is counted in, is written down (`lowering`);
- a claim lapses when its request cannot commit any more and a live read shows no object for it.

Nothing here lowers what is held below a committed usage: only a committed event does.

No I/O, no clock: `now` is a parameter, in seconds of any monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass

from quotatree.engine import claims
from quotatree.engine.account import Account, AccountKey
from quotatree.engine.census import Census
from quotatree.engine.claims import Claim, Grant
from quotatree.engine.forest import Amounts
from quotatree.engine.reservation import State, Timing
from quotatree.model.names import Namespace, Uid
from quotatree.model.observed import ManagedQuota
from quotatree.model.review import UsageReview
from quotatree.model.scope import ScopeSet
from quotatree.model.sighting import Sighting
from quotatree.units import resource_names

IN_FLIGHT = frozenset({State.PENDING, State.OVERDUE})
STEP = 250
"""Objects of a list that are taken in at one go, some milliseconds: reviews wait meanwhile."""


@dataclass(slots=True)
class Drift:
    """How often a counter was wrong: too low by a recount, too high by a charge without an object.

    `late`: objects that appeared after their claim had lapsed.
    """

    low: int = 0
    high: int = 0
    late: int = 0


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
        self._timing = timing
        self._accounts = accounts
        self._post = post
        self._positions: dict[str, int] = {}
        self._known: dict[str, bool] = {}
        self._claimed: set[AccountKey] = set()
        self._high: dict[AccountKey, float | None] = {}
        self._due: set[AccountKey] = set()
        self._wanted: set[AccountKey] = set()

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
            self._claim(account, beyond, sure=True)
            for _, grant in _in_flight(account):  # granted before these names were known
                for r in fresh:
                    if (more := grant.written.get(r, 0) - account.used[r]) > 0:
                        grant.claim.amounts[r] = more
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
        waiting = [grant.claim for _, grant in _in_flight(account)]
        growth = {r: a for r, a in change.items() if r in account.used and self.knows(r)}
        left = claims.consume(account.claims, waiting, growth, created=created)
        account.claims = [claim for claim in account.claims if claim.amounts]
        if account.lapsed and any(left.get(r, 0) > 0 for r in left):
            account.lapsed -= 1
            self.drift.late += 1

    # -- managed quotas -----------------------------------------------------------------------

    def observe(
        self, key: AccountKey, account: Account, seen: ManagedQuota, *, fenced: bool
    ) -> None:
        """Take in a new committed state, before the account is brought up to it.

        `fenced`: whoever may have granted this growth is this writer, so it is known here.
        """
        if not self._positions:
            return
        account.seen = self.census.sums(key)
        for lost in self._settle(account, seen):
            claims.consume(
                account.claims,
                [grant.claim for _, grant in _in_flight(account) if grant.claim is not lost],
                lost.taken,
                created=lost.since or 0.0,
            )
        known = {r: amount for r, amount in seen.used.nanos().items() if self.knows(r)}
        explained = claims.total(account.claims)
        excess = {r: a - account.seen.get(r, 0) - explained.get(r, 0) for r, a in known.items()}
        grown = {r: min(x, known[r] - account.used.get(r, 0)) for r, x in excess.items()}
        recounted = account.recounted == (account.resource_version, seen.used.nanos())
        if account.resource_version == 0 or not fenced:
            self._claim(account, grown, sure=True)
        elif not recounted:
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

    def _settle(self, account: Account, seen: ManagedQuota) -> list[Claim]:
        """Keep the claims of grants that were committed; returns those of grants that lost.

        The state after a grant's base is the grant's own write, or it lost. Where states in between
        were not seen, nobody knows: then it counts.
        """
        lost, landed = [], False
        for base, grant in _in_flight(account):
            if base >= seen.resource_version:
                continue
            next_one = base == account.resource_version
            if next_one and (landed or grant.written != seen.used.nanos()):
                lost.append(grant.claim)
            else:
                account.claims.append(grant.claim)
                landed = landed or next_one
        return lost

    def keep(self, account: Account) -> None:
        """Take in that the quota is gone: what was in flight may have been charged."""
        account.claims += [grant.claim for _, grant in _in_flight(account)]

    def _claim(self, account: Account, amounts: Mapping[str, int], *, sure: bool) -> None:
        more = {r: amount for r, amount in amounts.items() if amount > 0}
        if more:
            account.claims.append(Claim(amounts=more, since=None, sure=sure))

    def refresh(self, key: AccountKey, account: Account) -> None:
        """Work out what an account holds at least, and whether its counter is too high."""
        if not self._positions:
            return
        sure = claims.total(claim for claim in account.claims if claim.sure)
        account.floor = {
            r: account.seen.get(r, 0) + sure.get(r, 0) for r in account.used if self.knows(r)
        }
        if account.claims:
            self._claimed.add(key)
        else:
            self._claimed.discard(key)
        if self._surplus(account):
            self._high.setdefault(key, None)
        else:
            self._high.pop(key, None)
            self._due.discard(key)

    def drop(self, key: AccountKey) -> None:
        """Forget an account."""
        self.census.drop(key)
        self._claimed.discard(key)
        self._high.pop(key, None)
        self._due.discard(key)

    # -- growth -------------------------------------------------------------------------------

    def grant(self, review: UsageReview, now: float) -> Grant:
        """Return the grant of a growth; what it is for comes soon, or never."""
        growth = review.new.used.growth(review.old.used).nanos()
        claim = Claim(amounts={r: a for r, a in growth.items() if self.knows(r)}, since=now)
        return Grant(written=review.new.used.nanos(), claim=claim)

    def real(self, account: Account, *, base: int) -> Amounts:
        """Return what is there by the truth, with what was granted below the version `base`."""
        waiting = claims.total(grant.claim for at, grant in _in_flight(account) if at < base)
        return {r: a + waiting.get(r, 0) for r, a in account.floor.items()}

    def reached(self, account: Account, review: UsageReview) -> Amounts:
        """Return what will be held where a growth is granted.

        That is the new usage, but where the counter is too low: there it grows from what is real.
        """
        found = dict(review.new.used.nanos())
        for resource, there in self.real(account, base=review.old.resource_version).items():
            growth = found.get(resource, 0) - review.old.used.nano(resource)
            if growth > 0:
                found[resource] = max(found[resource], there + growth)
        return found

    # -- a counter that is too high -----------------------------------------------------------

    def _surplus(self, account: Account) -> Amounts:
        """Return what is charged to nobody: neither objects nor claims stand for it."""
        claimed = claims.total(account.claims)
        return {
            r: more
            for r in account.floor
            if (more := account.used[r] - account.seen.get(r, 0) - claimed.get(r, 0)) > 0
        }

    def lowered(self, account: Account) -> Amounts:
        """Return the usage that is to be written in place of one that is too high, or nothing.

        Not while a growth is in flight: it would lose, and so might its request.
        """
        if any(r.state in IN_FLIGHT for r in account.reservations):
            return {}
        return {r: account.used[r] - more for r, more in self._surplus(account).items()}

    def high_beside(self, key: AccountKey) -> list[AccountKey]:
        """Return the other accounts of the same scope set whose counter is too high."""
        return [other for other in self._high if other[1] == key[1] and other != key]

    def want(self, key: AccountKey) -> None:
        """Ask for an account's counter to be put right at once: somebody waits for the room."""
        self._due.add(key)
        self._wanted.add(key)  # each time: what was in flight at the last plan may have landed

    def take_wanted(self) -> list[Namespace]:
        """Return, once, the namespaces that were asked for."""
        wanted, self._wanted = self._wanted, set()
        return sorted({name for name, _ in wanted})

    def lowering(self, key: AccountKey) -> Amounts:
        """Return the usage that is to be written now, nothing where none is due."""
        account = self._accounts.get(key)
        held = account is None or any(r.state is State.HELD for r in account.reservations)
        return {} if account is None or held or key not in self._due else self.lowered(account)

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
        late = [key for key, since in self._high.items() if self._is_late(key, since, now)]
        self._due.update(late)
        old = []
        for key in self._claimed:
            for claim in self._accounts[key].claims:
                claim.since = now if claim.since is None else claim.since
            if any(self._is_old(claim, now) for claim in self._accounts[key].claims):
                old.append(key)
        return [name for name, _ in late], old

    def _is_late(self, key: AccountKey, since: float | None, now: float) -> bool:
        if since is None:
            self._high[key] = now
            return False
        if since + self._timing.lower_after > now:
            return False
        self._high[key] = now  # asked for again if the write fails
        return True

    def _is_old(self, claim: Claim, now: float) -> bool:
        return claim.since is not None and claim.since + self._timing.lost_after <= now

    def lapse(self, key: AccountKey, live: Mapping[str, Mapping[Uid, int]], *, now: float) -> bool:
        """Let the claims of an account lapse that were old at `now`; returns whether any did.

        `live`: by kind, the objects of its namespace with their resourceVersions, read after `now`.
        Nothing lapses while one of them is still to come on the watch.
        """
        account = self._accounts.get(key)
        if account is None or self._is_to_come(key[0], live):
            return False
        kept = [claim for claim in account.claims if not self._is_old(claim, now)]
        lapsed = [claim for claim in account.claims if self._is_old(claim, now)]
        account.claims = kept
        sure = sum(claim.sure for claim in lapsed)
        account.lapsed += sure
        self.drift.high += sure
        self._post(key, account)
        return bool(sure)

    def _is_to_come(self, namespace: Namespace, live: Mapping[str, Mapping[Uid, int]]) -> bool:
        return any(
            version > self._positions.get(resource, 0) and not self.census.known(namespace, uid)
            for resource, objects in live.items()
            for uid, version in objects.items()
        )


def _in_flight(account: Account) -> Iterator[tuple[int, Grant]]:
    """Yield the grants that are not decided yet, each with the resourceVersion of its base."""
    for r in account.reservations:
        if r.state in IN_FLIGHT and r.grant is not None:
            yield r.base, r.grant
