"""Slices: leases of capacity, within which a namespace grows without asking anybody.

A slice stands on the managed ResourceQuota itself, so the API server reads it with the usage that
it judges. The ledger counts it as held (`engine.ledger`), used or not. This is who gets how much::

    idle(a)  = charge(a) - charge(a) with every slice reduced to what its namespace uses
    free(a)  = hard(a) - charge(a) with every slice reduced to what its namespace uses
    offered: idle(a) ≤ free(a) / share     at every level above

- A namespace that grows is offered room ahead of its use, more each time the last offer is used up
  quickly. Its own guarantee is a slice from the beginning, as long as it has no children: that room
  is kept from everybody else anyhow.
- As a tree fills, what may stand idle in it shrinks, and the slices that were used least recently
  are taken back. A request that does not fit only because slices stand idle elsewhere *presses*:
  all of those below the level that is in its way are taken back at once, it waits for that, and no
  new ones are offered there for a while. So near a limit every growth is decided centrally.
- A slice that grows is a grant: counted from before the write on, until an event shows what came of
  it. One that shrinks is counted in full until the event that shows it smaller: the write is a
  compare-and-swap on everything that may have grown within it meanwhile.
- Written only by the leader whose epoch the object carries, in a tree that is fenced altogether.

No I/O, no clock: `now` is in seconds of the caller's monotonic clock. Amounts are integers of 10⁻⁹.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from quotatree.engine import room
from quotatree.engine.account import Account, AccountKey
from quotatree.engine.forest import Amounts, Node
from quotatree.engine.reservation import Reservation, State
from quotatree.model import names
from quotatree.model.effect import WriteSlice
from quotatree.model.names import Namespace
from quotatree.model.scope import ScopeSet
from quotatree.model.verdict import Limit
from quotatree.units.resources import Resources

if TYPE_CHECKING:
    from quotatree.engine.ledger import Ledger

_T = TypeVar("_T")
_QUICKEST: Final = 2
"""An offer is at most so many times what was used since the last one."""
_WIDER: Final = 10
"""How much more is offered of what nobody limits, since it takes nothing from anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceSettings:
    """Who may grow how far without asking."""

    enabled: bool = True
    """Whether slices are handed out. Without, every growth asks the webhook, and nothing grows while
    no replica answers; those that stand are taken back."""
    share: int = 4
    """Which part of a level's free room may stand in slices unused: one in so many. More: slices are
    smaller and taken back earlier, as the tree fills; fewer: requests near a limit wait oftener."""
    first: int = 4
    """The first offer, in multiples of the growth that asked for it. More: fewer calls in a short
    burst, more room that stands idle after it."""
    horizon: float = 5.0
    """Seconds of growth that an offer is to last. Longer: fewer writes, more idle room."""
    most: int = 64
    """Namespaces of one tree with idle slices at a time. More: more of them grow without a call;
    a request near a limit may wait for as many writes."""
    rest: float = 5.0
    """Seconds without new slices below a level where some stood in a request's way. Longer: more
    calls near a limit; shorter: more requests wait for slices that were only just handed out."""
    wait: float = 0.6
    """Seconds that a request waits for slices that are being taken back, before it is told to ask
    again. It must leave time for an answer in the second that the API server gives."""
    every: float = 1.0
    """Seconds between looks at which slices no longer fit. Shorter: a lowered limit is enforced
    sooner, more work."""
    writes: float = 20.0
    """Slices written a second, but for those that a request waits for. More: slices follow use and
    limits sooner, the API server is busier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The last offer to an account: when, at which usage, and how far ahead of it."""

    since: float
    used: Amounts
    ahead: Amounts


class Slices:
    """The slices of the forest: who has one, who is to get one, who is to give it back."""

    def __init__(
        self,
        ledger: Ledger,
        settings: SliceSettings,
        post: Callable[[AccountKey, Account], None],
    ) -> None:
        self.settings = settings
        self._ledger = ledger
        self._post = post
        self._holders: set[AccountKey] = set()
        self._trees: dict[AccountKey, set[AccountKey]] = {}
        self._shape = -1
        self._steps: dict[AccountKey, Mapping[str, int]] = {}
        self._offers: dict[AccountKey, Offer] = {}
        self._due: dict[AccountKey, bool] = {}
        self._revoking: dict[AccountKey, bool] = {}
        self._pressed: dict[tuple[Namespace, ScopeSet], float] = {}
        self._next_round = 0.0
        self._tokens = settings.writes
        self._told = 0.0

    # -- facts --------------------------------------------------------------------------------

    def note(self, key: AccountKey, account: Account) -> None:
        """Take in that an account has changed."""
        if not account.slice:
            self._release(key)
            return
        if key not in self._holders:
            self._holders.add(key)
            self._shape = -1
        offer = self._offers.get(key)
        if offer is not None and any(
            2 * (account.slice.get(r, 0) - account.used.get(r, 0)) < ahead
            for r, ahead in offer.ahead.items()
        ):
            self._due.setdefault(key, False)

    def _release(self, key: AccountKey) -> None:
        if key in self._holders:
            self._holders.discard(key)
            self._shape = -1
        self._revoking.pop(key, None)

    def drop(self, key: AccountKey) -> None:
        """Take in that an account is gone."""
        self._release(key)
        self._offers.pop(key, None)
        self._steps.pop(key, None)
        self._due.pop(key, None)

    def asked(self, key: AccountKey, growth: Mapping[str, int]) -> None:
        """Take in that a growth was granted centrally."""
        if self.settings.enabled:
            self._steps[key] = growth
            self._due[key] = True

    def look(self, key: AccountKey) -> None:
        """Note that the guarantee of a namespace, which is its slice, may be another one."""
        if self.settings.enabled:
            self._due.setdefault(key, False)

    # -- what stands idle ---------------------------------------------------------------------

    def without(
        self, key: AccountKey, ask: Callable[[], _T], *, but: AccountKey | None = None
    ) -> _T:
        """Return the answer there would be if no slice in the tree of `key` stood idle.

        Except that of `but`, whose own it is to use.
        """
        forest, scopes = self._ledger.forest, key[1]
        aside: list[tuple[Node, Amounts]] = []
        for other in self._in_tree(key) - {but}:
            account = self._ledger.account(*other)
            node = forest.node(other[0])
            held = node.book(scopes).held
            if account is not None and (solid := account.solid()) != held:
                aside.append((node, held))
                forest.set_held(node, scopes, solid)
        try:
            return ask()
        finally:
            for node, held in aside:
                forest.set_held(node, scopes, held)

    def idle(self, limits: Iterable[Limit], asking: AccountKey) -> list[int]:
        """Return how much of the charge of each level is slices of others that nobody uses."""
        nodes = [(self._ledger.forest.node(x.ancestor), x.resource) for x in limits]

        def charges() -> list[int]:
            return [node.book(asking[1]).charge(resource) for node, resource in nodes]

        if not self._in_tree(asking) - {asking}:
            return [0 for _ in nodes]
        solid = self.without(asking, charges, but=asking)
        return [have - least for have, least in zip(charges(), solid, strict=True)]

    def _in_tree(self, key: AccountKey) -> set[AccountKey]:
        """Return who has a slice in the tree of an account."""
        forest = self._ledger.forest
        if self._shape != forest.shape:
            self._shape = forest.shape
            self._trees = {}
            for holder in self._holders:
                self._trees.setdefault(self._root(holder), set()).add(holder)
        return self._trees.get(self._root(key), set())

    def _root(self, key: AccountKey) -> AccountKey:
        path = self._ledger.forest.path(key[0])
        return (path[-1] if path else key[0], key[1])

    def _floor(self, key: AccountKey, account: Account) -> Amounts:
        """Return what a namespace may keep whatever others need: its own guarantee."""
        node = self._ledger.forest.get(key[0])
        book = node.books.get(key[1]) if node is not None else None
        if node is None or book is None or node.children or not self.settings.enabled:
            return {}
        return {
            r: amount if r not in book.hard else min(amount, book.hard[r])
            for r, amount in book.guaranteed.items()
            if r in account.used and names.slice_annotation(r)
        }

    def _reclaimable(self, key: AccountKey) -> Amounts:
        """Return what would be free without the slice of an account."""
        account = self._ledger.account(*key)
        if account is None:
            return {}
        solid, floor = account.solid(), self._floor(key, account)
        kept = {r: max(solid.get(r, 0), floor.get(r, 0)) for r in account.slice}
        return {r: a - kept[r] for r, a in account.slice.items() if a > kept[r]}

    # -- taking back --------------------------------------------------------------------------

    def press(self, limits: Iterable[Limit], asking: AccountKey, *, now: float) -> None:
        """Take back at once what stands idle below these levels; nothing is offered there soon."""
        forest = self._ledger.forest
        for limit in limits:
            target = forest.node(limit.ancestor)
            self._pressed[limit.ancestor, asking[1]] = now
            for key in self._in_tree(asking) - {asking}:
                below = target in forest.above(forest.node(key[0]))
                if below and self._reclaimable(key).get(limit.resource):
                    self._revoking[key] = True
                    self._offers.pop(key, None)

    def _resting(self, node: Node, scopes: ScopeSet, now: float) -> bool:
        rest = self.settings.rest
        return any(
            self._pressed.get((level.name, scopes), now - rest) + rest > now
            for level in self._ledger.forest.above(node)
        )

    def _round(self, now: float) -> None:
        """Find the slices that no longer fit."""
        rest = self.settings.rest
        self._pressed = {level: t for level, t in self._pressed.items() if t + rest > now}
        if not self.settings.enabled:
            self._revoking = dict.fromkeys(self._holders, False) | self._revoking
            return
        for root in {self._root(key) for key in self._holders}:
            self._trim(root)

    def _trim(self, root: AccountKey) -> None:
        """Take slices back, the least recently used first, where too much of a level is idle."""
        forest, share, scopes = self._ledger.forest, self.settings.share, root[1]
        holders = sorted(self._in_tree(root), key=lambda key: (self._offered_at(key), key[0]))
        lines = {key: forest.path(key[0]) for key in holders}
        nodes = [forest.node(name) for name in {n for line in lines.values() for n in line}]
        levels = [(node, r, hard) for node in nodes for r, hard in node.book(scopes).hard.items()]

        def charges() -> list[int]:
            return [node.book(scopes).charge(r) for node, r, _ in levels]

        for (node, r, hard), have, least in zip(
            levels, charges(), self.without(root, charges), strict=True
        ):
            idle, free = have - least, max(0, hard - least)
            # Twice what is offered: else each growth of somebody else would cost somebody a slice.
            over = idle - free // share if idle * share > _QUICKEST * free else 0
            for key in holders:
                if over > 0 and node.name in lines[key]:
                    found = self._reclaimable(key).get(r, 0)
                    if found:
                        self._revoking.setdefault(key, False)
                        over -= found

    def _offered_at(self, key: AccountKey) -> float:
        offer = self._offers.get(key)
        return offer.since if offer is not None else 0.0

    def revoking(self, node: Node, scopes: ScopeSet, resource: str) -> int:
        """Return how much of the charge of a level stands idle in slices."""
        limit = Limit(
            ancestor=node.name,
            resource=names.ResourceName(resource),
            requested=0,
            charged=0,
            hard=0,
        )
        return self.idle([limit], (Namespace(""), scopes))[0]

    # -- writing ------------------------------------------------------------------------------

    def pass_time(self, now: float) -> list[AccountKey]:
        """Let time happen; returns the accounts whose slice may have to be written now."""
        if not self._holders and not self._due:
            self._told = now
            return []
        if now >= self._next_round:
            self._next_round = now + self.settings.every
            self._round(now)
        writes = self.settings.writes
        self._tokens = min(writes, self._tokens + writes * max(0.0, now - self._told))
        self._told = now
        urgent = [key for key, pressed in self._revoking.items() if pressed]
        gentle = [key for key, pressed in self._revoking.items() if not pressed]
        return [*urgent, *(*gentle, *self._due)[: int(self._tokens)]]

    def write(self, key: AccountKey, *, now: float) -> WriteSlice | None:
        """Return the slice to be written for an account, counted from here on; None for nothing."""
        asked = self._due.pop(key, False)
        account = self._ledger.account(*key)
        if account is None or account.epoch != self._ledger.epoch or not self._ledger.fenced(*key):
            return None
        if key in self._revoking and not self._reclaimable(key):
            del self._revoking[key]
        new = self._floor(key, account)
        if key not in self._revoking:
            offered = self._offer(key, account, now=now, asked=asked)
            if offered is None and all(a <= account.slice.get(r, 0) for r, a in new.items()):
                return None
            new = _greatest(offered or account.slice, new)
        new = _bounded({r: a for r, a in new.items() if a > account.used.get(r, 0)})
        if new == account.slice:
            return None
        self._count(key, account, new, now=now)
        return WriteSlice(
            namespace=key[0],
            quota=account.quota,
            resource_version=account.resource_version,
            slice=Resources.from_nano(new),
            dropped=tuple(sorted(account.slice.keys() - new.keys())),
        )

    def _count(self, key: AccountKey, account: Account, new: Amounts, *, now: float) -> None:
        """Count a slice that is about to grow, as a grant is counted."""
        if not self._revoking.get(key):
            self._tokens -= 1
        if all(amount <= account.slice.get(r, 0) for r, amount in new.items()):
            return
        account.reservations.append(
            Reservation(
                state=State.PENDING,
                base=account.resource_version,
                used=new,
                deadline=now + self._ledger.timing.touch_after,
            )
        )
        self._post(key, account)

    # -- offering -----------------------------------------------------------------------------

    def _offer(
        self, key: AccountKey, account: Account, *, now: float, asked: bool
    ) -> Amounts | None:
        """Return the slice that a namespace is to have by its use, None for what it has."""
        node, used = self._ledger.forest.node(key[0]), account.solid()
        step = self._steps.get(key, {})
        ahead = self._ahead(key, used, step if asked else {}, now=now)
        if not ahead or not all(map(names.slice_annotation, ahead)):
            return None
        if self._resting(node, key[1], now) or self._crowded(key):
            return None
        if self._ledger.unmeasured.below(key, ahead):
            return None
        new = self._within(key, used, ahead, step=step)
        if new is None:
            return None
        found = _greatest({r: a for r, a in account.slice.items() if r in account.used}, new)
        held = node.book(key[1]).held
        if room.obstacles(node, key[1], {r: a - held.get(r, 0) for r, a in found.items()}):
            return None
        ahead = {r: amount - used.get(r, 0) for r, amount in new.items()}
        self._offers[key] = Offer(since=now, used=used, ahead=ahead)
        return found

    def _ahead(
        self, key: AccountKey, used: Amounts, step: Mapping[str, int], *, now: float
    ) -> Amounts:
        """Return how far ahead of its use a namespace is to be, by how fast it grew lately."""
        found = {r: amount * self.settings.first for r, amount in step.items()}
        last = self._offers.get(key)
        if last is None:
            return found
        passed = max(1, int(1000 * (now - last.since)))  # milliseconds
        horizon = min(int(1000 * self.settings.horizon), _QUICKEST * passed)
        for r, amount in used.items():
            grown = amount - last.used.get(r, 0)
            if grown > 0:
                found[r] = max(found.get(r, 0), grown * horizon // passed)
        return found

    def _within(
        self, key: AccountKey, used: Amounts, ahead: Amounts, *, step: Mapping[str, int]
    ) -> Amounts | None:
        """Return the part of `ahead` that fits, above `used`; None where it would be of no use."""
        held = self._ledger.forest.node(key[0]).book(key[1]).held
        allowed = self._allowed(key, ahead)
        found: Amounts = {}
        for r, amount in ahead.items():
            here, most = used.get(r, 0), allowed[r]
            top = here + (_WIDER * amount if most is None else amount)
            if most is not None:
                top = min(top, held.get(r, 0) + most)
            top -= top % _unit(r)
            if top < here + max(1, step.get(r, 0)):
                return None
            found[r] = top
        return found

    def _allowed(self, key: AccountKey, resources: Iterable[str]) -> dict[str, int | None]:
        """Return by how much each may be held more, None for what nobody limits."""
        forest, scopes, share = self._ledger.forest, key[1], self.settings.share
        books = [forest.node(name).book(scopes) for name in forest.path(key[0])]

        def charges() -> list[Amounts]:
            return [{r: book.charge(r) for r in resources} for book in books]

        solid = self.without(key, charges)
        found: dict[str, int | None] = {}
        for r in resources:
            slack, most = 0, None
            for level, book in enumerate(books):
                own = book.charge(r) - book.gross.get(r, 0)
                slack += own // share if level else own
                if r in book.hard:
                    idle = book.charge(r) - solid[level][r]
                    here = slack + max(0, (book.hard[r] - solid[level][r]) // share - idle)
                    most = here if most is None else min(most, here)
            found[r] = most
        return found

    def _crowded(self, key: AccountKey) -> bool:
        """Whether as many namespaces of the tree as may have idle slices have one."""
        others = self._in_tree(key)
        if len(others) < self.settings.most or key in others:
            return False
        return sum(1 for other in others if self._reclaimable(other)) >= self.settings.most


def _greatest(one: Mapping[str, int], other: Mapping[str, int]) -> Amounts:
    return {r: max(one.get(r, 0), other.get(r, 0)) for r in {**one, **other}}


def _bounded(amounts: Amounts) -> Amounts:
    """Return no more names than an object is to carry, always the same ones."""
    named: Iterator[str] = (r for r in sorted(amounts) if names.slice_annotation(r))
    return {r: amounts[r] for _, r in zip(range(names.MOST_SLICES), named, strict=False)}


def _unit(resource: str) -> int:
    """Return what an amount is rounded to, so that it is short and can be used up."""
    return 10**6 if resource.endswith("cpu") else 10**9
