"""The ledger: what every namespace holds, and what is spoken for but not yet seen.

For each managed ResourceQuota an *account* keeps the last committed state and the reservations of
`engine.reservation`. ::

    held(n) = max(committed used, slice, truth, every reservation's used)     resource by resource

It never undercounts: a grant counts from its answer until an event shows what became of it; usage
falls only when a committed event says so; an older resourceVersion is ignored; a managed quota
that is gone releases nothing, since the pods it counted are still there: the charge goes with the
Namespace. A growth that the native controller reports is recorded, never refused. The truth is that
of the objects themselves (`engine.truth`).

No I/O, no clock: `now` is a parameter, in seconds of any monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from quotatree.engine import flights, room
from quotatree.engine.account import Account, AccountKey, Way, is_tight
from quotatree.engine.claims import Grant
from quotatree.engine.fence import Fence
from quotatree.engine.forest import NOTHING, Amounts, Forest
from quotatree.engine.lessor import Lessor
from quotatree.engine.moves import Moves
from quotatree.engine.openings import Openings
from quotatree.engine.patience import Patience
from quotatree.engine.reservation import Happening, Reservation, State, Tightening, Timing
from quotatree.engine.slices import SliceSettings
from quotatree.engine.tenants import Tenants
from quotatree.engine.tightenings import Tightenings
from quotatree.engine.truth import Truth
from quotatree.engine.unmeasured import Unmeasured
from quotatree.model import names
from quotatree.model.names import Namespace, Uid
from quotatree.model.observed import ManagedQuota, ObservedNamespace
from quotatree.model.scope import ScopeSet
from quotatree.model.verdict import Limit


class Ledger:
    """The accounts of the whole forest; one writer.

    `epoch` is the fence of this writer: it grants only on objects that carry it. `on_change` is
    called with the namespace whenever something may have freed room, or its tree stands fenced.
    """

    def __init__(
        self,
        *,
        epoch: int,
        timing: Timing | None = None,
        slices: SliceSettings | None = None,
        on_change: Callable[[Namespace], None] | None = None,
    ) -> None:
        self.epoch = epoch
        self.timing = timing or Timing()
        self.forest = Forest()
        self.unmeasured = Unmeasured(self.forest)
        self.unsettled: set[AccountKey] = set()
        self._fence = Fence(self.forest)
        self.moves = Moves(self.forest, self.timing)
        self._accounts: dict[AccountKey, Account] = {}
        self.openings = Openings(self._accounts)
        self.tightenings = Tightenings(self.timing, self._accounts.get)
        self.patience = Patience(self.timing)
        self.lessor = Lessor(self, slices or SliceSettings(), post=self._post)
        self.truth = Truth(self.timing, self._accounts, self._post)
        self.tenants = Tenants(self.truth, self._accounts)
        self._uids: dict[Namespace, Uid] = {}
        self._versions: dict[Namespace, int] = {}
        self._on_change = on_change or (lambda _: None)

    # -- facts: namespaces --------------------------------------------------------------------

    def observe_namespace(
        self, seen: ObservedNamespace, *, standing: Collection[Uid] = frozenset()
    ) -> bool:
        """Take in a Namespace as committed; returns whether its place in the tree is new.

        `standing`: as in `forget_namespace`, should it be another Namespace than the one known.
        """
        if seen.resource_version <= self._versions.get(seen.name, 0):
            return False
        known = self._uids.get(seen.name)
        if known is not None and known != seen.uid:
            self.forget_namespace(seen.name, standing=standing)
        self._uids[seen.name] = seen.uid
        self._versions[seen.name] = seen.resource_version
        moved = self.moves.settle(seen.name, seen.resource_version)
        node = self.forest.node(seen.name)
        if node.exists and node.declared == seen.parent and not moved:
            return False
        self.forest.declare(seen.name, seen.parent)
        self._look_again(seen.name)
        self._on_change(seen.name)
        return True

    def forget_namespace(self, name: Namespace, *, standing: Collection[Uid] = frozenset()) -> None:
        """Release everything of a Namespace that is gone from the API server.

        Managed quotas that are `standing` may be those of the next of its name, and have grants in
        flight: the caller has each of them observed again.
        """
        self._uids.pop(name, None)
        self._versions.pop(name, None)
        self.moves.forget(name)
        node = self.forest.get(name)
        if node is None:
            return
        for scopes in list(node.books):
            key = (name, scopes)
            account = self._accounts.get(key)
            self._drop(key)
            if account is not None and account.uid in standing:
                account.resource_version = 0
                self._accounts[key] = account
        self.forest.remove(name)
        self._on_change(name)

    def _drop(self, key: AccountKey) -> None:
        self._accounts.pop(key, None)
        self.truth.drop(key)
        self.unsettled.discard(key)
        self._fence.drop(key)
        self.openings.drop(key)
        self.patience.ends(key)
        self.unmeasured.drop(key)
        self.tightenings.drop(key)
        self.lessor.drop(key)

    def uid_of(self, name: Namespace) -> Uid | None:
        """Return the UID of a Namespace that exists, None when it does not."""
        return self._uids.get(name)

    # -- facts: limits ------------------------------------------------------------------------

    def set_limits(
        self,
        name: Namespace,
        scopes: ScopeSet,
        *,
        hard: Mapping[str, int],
        guaranteed: Mapping[str, int],
    ) -> None:
        """Put a ceiling and a guarantee in force; a lowered limit holds from here on."""
        node = self.forest.node(name)
        book = node.book(scopes)
        known = book.hard.keys() | book.guaranteed.keys()
        self.forest.set_limits(node, scopes, hard=hard, guaranteed=guaranteed)
        self.lessor.look((name, scopes))
        if known != hard.keys() | guaranteed.keys():
            self._look_again(name)
        self._on_change(name)

    def _look_again(self, name: Namespace) -> None:
        """Look below `name` for accounts that lack a figure, or no longer do."""
        for member in self.forest.subtree(name):
            node = self.forest.get(member)
            for scopes in node.books if node is not None else ():
                account = self._accounts.get((member, scopes))
                if account is not None:
                    self.unmeasured.note((member, scopes), account)

    # -- facts: managed quotas ----------------------------------------------------------------

    def observe(self, seen: ManagedQuota, *, way: Way = Way.WATCHED) -> bool:
        """Take in a managed ResourceQuota as committed; returns False for what is not news.

        Keys without a measured use (a new object, a spec edited by hand) keep their last one for
        as long as the tree limits them.
        """
        key = (seen.namespace, seen.scopes)
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = Account()
        if seen.resource_version <= account.resource_version:
            if self.truth.hear(account, seen, way):
                self._post(key, account)
            return False
        self._doubt(key, account, seen)
        if names.RECOUNT in seen.spec_hard:
            self.tightenings.doubts.answered(key)
        used = seen.used.nanos()
        if not account.used.keys() <= used.keys():
            used = self._keep_unmeasured(key, account.used, used)
        known = account.resource_version > 0
        closed, ours = account.epoch is None, seen.epoch == self.epoch
        fenced = account.epoch == self.epoch or (known and closed)
        self.truth.observe(key, account, seen, fenced=fenced, way=way)
        self.openings.note(key, account, opened=known and closed and ours, epoch=seen.epoch)
        account.quota = seen.name
        account.uid = seen.uid
        account.resource_version = seen.resource_version
        account.epoch = seen.epoch
        stands = self._fence.note(key, fenced=ours or seen.epoch is None)
        account.used = used
        if account.slice != (granted := seen.slice.nanos()):
            account.slice = granted
            account.spared = seen.resource_version  # our write cost a batch one of its tries
        account.ready = seen.ready
        account.tight = is_tight(seen)
        self.unmeasured.note(key, account)
        account.happen(Happening.NEWER, above=seen.resource_version)
        self._post(key, account)
        if stands:
            self._on_change(seen.namespace)
        return True

    def _doubt(self, key: AccountKey, account: Account, seen: ManagedQuota) -> None:
        """Note where usage may be too high by what native admission did, or too low at birth."""
        if account.ends_tightening(seen):
            account.tightening = None
        elif account.loosened_by(seen, in_use=self.tightenings.in_use(key)):
            self.tightenings.doubts.note(key)
        elif account.may_miss(seen):
            self.tightenings.doubts.note(key, at_rest=False)

    def quota_gone(self, name: Namespace, scopes: ScopeSet, *, counted: bool = True) -> None:
        """Take in that a managed ResourceQuota was deleted: nothing is released by that.

        Only where the Namespace is gone too (its own event came first), or has left its tree
        (`counted` is False) and nobody measures it any more, is the account dropped.
        """
        if counted and name in self._uids:
            self._gone_but_counted((name, scopes))
            return
        self._drop((name, scopes))
        node = self.forest.get(name)
        if node is not None:
            self.forest.set_held(node, scopes, {})

    def _gone_but_counted(self, key: AccountKey) -> None:
        """Settle what was in flight: nothing more can be committed to an object that is gone.

        What was granted may have been committed just before, so it is taken for used.
        """
        self._fence.drop(key)
        self.unmeasured.drop(key)
        account = self._accounts.get(key)
        if account is not None:
            account.ready = False
            flights.keep(account)
            account.used = account.held(but=State.HELD)
            account.reservations = []
            self._post(key, account)

    def recall(self, name: Namespace, scopes: ScopeSet, used: Mapping[str, int]) -> None:
        """Take in what a terminating namespace held when its managed ResourceQuota went.

        Only where nothing better is known: whatever was read of the quota itself stands.
        """
        key = (name, scopes)
        if key not in self._accounts:
            account = self._accounts[key] = Account()
            account.used = dict(used)
            self._post(key, account)

    def _keep_unmeasured(
        self, key: AccountKey, old: Mapping[str, int], new: Mapping[str, int]
    ) -> Amounts:
        name, scopes = key
        wanted = room.ceilings(self.forest.get(name), scopes)
        kept = {r: a for r, a in old.items() if r not in new and r in wanted}
        return {**kept, **new}

    def _post(self, key: AccountKey, account: Account) -> None:
        """Bring the account's holding into the forest."""
        self.truth.refresh(key, account)
        name, scopes = key
        node = self.forest.node(name)
        before = node.book(scopes).held
        after = account.held()
        self.forest.set_held(node, scopes, after)
        if account.reservations:
            self.unsettled.add(key)
        else:
            self.unsettled.discard(key)
        self.lessor.note(key, account)
        if any(after.get(r, 0) < amount for r, amount in before.items()):
            self._on_change(name)

    def fenced(self, name: Namespace, scopes: ScopeSet) -> bool:
        """Whether no managed quota of the tree of `name` carries the epoch of another writer.

        On one that does, a grant of that writer may still be committed, uncounted here.
        """
        return self._fence.stands(name, scopes)

    def account(self, name: Namespace, scopes: ScopeSet) -> Account | None:
        """Return the account of a managed ResourceQuota, None when none was ever seen."""
        return self._accounts.get((name, scopes))

    def obstacles(
        self, key: AccountKey, used: Mapping[str, int], *, before: Mapping[str, int] = NOTHING
    ) -> list[Limit]:
        """Return every level that would not let the usage of an account become `used`.

        What it has reserved itself is no excuse and no obstacle, and put aside while this is asked:
        a limit that was lowered since holds for a retry too. A usage above `before` is of the past.
        """
        account, node = self._accounts[key], self.forest.node(key[0])
        fallen = any(amount > before.get(r, amount) for r, amount in account.used.items())
        if account.reservations or fallen:
            self.forest.set_held(node, key[1], account.settled(before))
        held = node.book(key[1]).held
        growth = {r: a - held.get(r, 0) for r, a in used.items() if a > held.get(r, 0)}
        limits = room.obstacles(node, key[1], growth)
        if account.reservations or fallen:
            self.forest.set_held(node, key[1], account.held())
        return limits

    def reservations(self) -> Iterator[Reservation]:
        """Yield what is spoken for anywhere."""
        for key in self.unsettled:
            yield from self._accounts[key].reservations

    # -- reservations -------------------------------------------------------------------------

    def reserve(
        self,
        key: AccountKey,
        used: Mapping[str, int],
        *,
        base: int,
        now: float,
        grant: Grant | None = None,
    ) -> None:
        """Count `used` as held from now on; it takes the place of a hold."""
        account = self._accounts[key]
        account.granted_at = now
        self.openings.grows(key)
        account.happen(Happening.GRANTED)
        deadline = now + self.timing.touch_after
        account.reservations.append(
            Reservation(State.PENDING, base=base, used=dict(used), deadline=deadline, grant=grant)
        )
        self._post(key, account)

    def tighten(self, key: AccountKey, tightening: Tightening, *, used: Mapping[str, int]) -> None:
        """Note a tightening, and keep room up to `used` for the retry that follows it."""
        account = self._accounts[key]
        deadline = tightening.since + self.timing.hold
        account.reservations.append(
            Reservation(State.HELD, base=tightening.base, used=dict(used), deadline=deadline)
        )
        account.tightening = tightening
        self.tightenings.begin(key)
        self._post(key, account)

    def hold_until(self, key: AccountKey, deadline: float) -> None:
        """Let the room of a tightening be kept no longer than until `deadline`."""
        account = self._accounts.get(key)
        for reservation in account.reservations if account is not None else ():
            if reservation.state is State.HELD:
                reservation.deadline = min(reservation.deadline, deadline)

    def release_hold(self, key: AccountKey) -> None:
        """Give the held room back: the tightening lost, or there was none."""
        account = self._accounts.get(key)
        if account is not None:
            account.release_hold()
            self._post(key, account)

    def expire(self, now: float) -> tuple[list[AccountKey], list[Namespace]]:
        """Let time happen; returns the managed quotas and the namespaces to touch.

        Their deadlines are set anew, so that a touch which fails is asked for again.
        """
        self.tightenings.pass_time(now)
        quotas = [key for key in list(self.unsettled) if self._expire_account(key, now)]
        return quotas, self.moves.pass_time(now)

    def touched(
        self, key: AccountKey, resource_version: int, *, asked: Collection[Reservation]
    ) -> None:
        """Take in that a touch was committed; `asked` was overdue when it was sent."""
        account = self._accounts.get(key)
        if account is not None:
            account.touched(resource_version, asked=asked)
            self._post(key, account)

    def _expire_account(self, key: AccountKey, now: float) -> bool:
        account = self._accounts[key]
        if not any(r.deadline <= now for r in account.reservations):
            return False
        touch = account.pass_time(now, again=self.timing.touch_after)
        self._post(key, account)
        return touch

    def loosen(self, now: float) -> list[Namespace]:
        """End the tightenings that are over; returns whose `status.hard` may rise again."""
        return [name for name, _ in self.tightenings.end(now, self.room)]

    def recounts(self, now: float) -> list[Namespace]:
        """Return the namespaces that are quiet by now and in which usage may be too high."""
        return [name for name, _ in self.tightenings.doubts.ripen(now, self._accounts.get)]

    def asks(self, key: AccountKey, now: float) -> bool:
        """Whether a namespace has asked for growth just now, and will again if it must."""
        account = self._accounts[key]
        return max(account.granted_at, account.pressed_at) + self.timing.retry > now

    def room(
        self,
        key: AccountKey,
        resources: Iterable[str],
        *,
        used: Mapping[str, int] = NOTHING,
    ) -> Amounts:
        """Return how far each resource may grow above the committed usage.

        `used` is a usage that is said to be committed and that the watch may not have shown yet.
        What the namespace holds above these and the truth (a grant in flight) is its own, and a
        retry may use it.
        """
        name, scopes = key
        account = self._accounts[key]
        node = self.forest.node(name)
        held, floor = node.book(scopes).held, account.floor
        found: Amounts = {}
        for resource in resources:
            available = room.available(node, scopes, resource)
            if available is not None:
                known = max(f.get(resource, 0) for f in (account.used, floor, used))
                found[resource] = available + max(0, held.get(resource, 0) - known)
        return found
