"""The lessor: who has a slice, who is to get one, who is to give it back. Rules: `engine.slices`.

- A slice that grows is a grant: counted from before the write on, until an event shows what came of
  it. One that shrinks is counted in full until the event that shows it smaller: the write is a
  compare-and-swap on everything that may have grown within it meanwhile.
- One grows only where the object is open in this leader's epoch, in a tree that is fenced
  altogether.

No I/O, no clock: `now` is a parameter, in seconds of any monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from quotatree.engine import room, slices
from quotatree.engine.account import Account, AccountKey
from quotatree.engine.forest import Amounts, Node
from quotatree.engine.holders import Holders
from quotatree.engine.pace import Pace
from quotatree.engine.reservation import Reservation, State
from quotatree.engine.slices import Level, Offer, SliceSettings
from quotatree.model.effect import WriteSlice
from quotatree.model.names import Namespace
from quotatree.model.scope import ScopeSet
from quotatree.model.verdict import Limit, Open
from quotatree.units.resources import EMPTY, Resources

if TYPE_CHECKING:
    from quotatree.engine.ledger import Ledger

_T = TypeVar("_T")


class Lessor:
    """The slices of a ledger's forest; `post` brings what an account holds into the forest.

    `closed` are accounts that have to be opened before they get a slice.
    """

    def __init__(
        self,
        ledger: Ledger,
        settings: SliceSettings,
        *,
        post: Callable[[AccountKey, Account], None],
    ) -> None:
        self.settings = settings
        self._ledger = ledger
        self._post = post
        self._pace = Pace(ledger.forest)
        self._holders = Holders(ledger.forest)
        self._steps: dict[AccountKey, tuple[Resources, Resources]] = {}
        self._offers: dict[AccountKey, Offer] = {}
        self._due: dict[AccountKey, float] = {}
        self._fresh: set[AccountKey] = set()
        self._undo: dict[AccountKey, tuple[bool, Offer | None]] = {}
        self.closed: set[AccountKey] = set()
        self._revoking: dict[AccountKey, float] = {}
        self._urgent: set[AccountKey] = set()
        self._pressed: dict[tuple[Namespace, ScopeSet], float] = {}
        self._told = 0.0
        self._next_round = 0.0
        self._writes = settings.writes

    # -- facts --------------------------------------------------------------------------------

    def note(self, key: AccountKey, account: Account) -> None:
        """Take in that an account has changed."""
        floor = self._floor(key, account)
        if floor and any(amount > account.slice.get(r, 0) for r, amount in floor.items()):
            self._due.setdefault(key, 0.0)
        if not account.slice:
            if not account.reservations:  # else one may be on its way
                self._release(key)
            return
        self._holders.add(key)
        offer = self._offers.get(key)
        if offer is not None and offer.is_low(account.slice, account.used):
            self._due.setdefault(key, 0.0)

    def drop(self, key: AccountKey) -> None:
        """Take in that an account is gone."""
        self._release(key)
        self._offers.pop(key, None)
        self._steps.pop(key, None)
        self._due.pop(key, None)
        self._fresh.discard(key)
        self._undo.pop(key, None)
        self.closed.discard(key)

    def _release(self, key: AccountKey) -> None:
        self._holders.discard(key)
        self._revoking.pop(key, None)
        self._urgent.discard(key)

    def asked(self, key: AccountKey, old: Resources, new: Resources, *, now: float) -> None:
        """Take in that a growth of usage from `old` to `new` was granted centrally."""
        if self.settings.enabled:
            self._pace.note(key, now)
            self._steps[key] = (old, new)
            self._fresh.add(key)
            self._due.setdefault(key, now + self.settings.after)

    def look(self, key: AccountKey) -> None:
        """Note that the guarantee of a namespace, which is its slice, may be another one.

        Where there is none now and none before, there is nothing to write: after a start, that is
        nearly everywhere.
        """
        account = self._ledger.account(*key)
        if not self.settings.enabled or account is None:
            return
        if account.slice or self._floor(key, account):
            self._due.setdefault(key, 0.0)

    # -- what stands idle ---------------------------------------------------------------------

    def without(
        self, key: AccountKey, ask: Callable[[], _T], *, but: AccountKey | None = None
    ) -> _T:
        """Return the answer there would be if no slice in the tree of `key` stood idle.

        Except that of `but`, whose own it is to use.
        """
        forest, scopes = self._ledger.forest, key[1]
        aside: list[tuple[Node, Amounts]] = []
        for other in self._holders.in_tree(key) - {but}:
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

    def _floor(self, key: AccountKey, account: Account) -> Amounts:
        """Return what a namespace may keep whatever others need: its own guarantee."""
        node = self._ledger.forest.get(key[0])
        book = node.books.get(key[1]) if node is not None else None
        if node is None or book is None or not book.guaranteed or node.children:
            return {}
        if not self.settings.enabled:
            return {}
        return {
            r: amount if r not in book.hard else min(amount, book.hard[r])
            for r, amount in book.guaranteed.items()
            if r in account.used and slices.is_nameable([r])
        }

    def _reclaimable(self, key: AccountKey) -> Amounts:
        """Return what would be free without the slice of an account."""
        account = self._ledger.account(*key)
        if account is None:
            return {}
        kept = slices.greatest(account.solid(), self._floor(key, account))
        return {r: a - kept.get(r, 0) for r, a in account.slice.items() if a > kept.get(r, 0)}

    # -- taking back --------------------------------------------------------------------------

    def press(
        self,
        limits: Iterable[Limit],
        tree: AccountKey,
        *,
        but: AccountKey | None = None,
        now: float | None = None,
    ) -> None:
        """Take back at once what stands idle below these levels; nothing is offered there soon.

        `tree` is any account of their tree; without `now` it is when time was told last.
        """
        forest = self._ledger.forest
        for limit in limits:
            self._pressed[limit.ancestor, tree[1]] = self._told if now is None else now
            for key in self._holders.in_tree(tree) - {but}:
                below = forest.is_charged_to(key[0], {limit.ancestor})
                if below and self._reclaimable(key).get(limit.resource):
                    self._revoking.setdefault(key, self._told)
                    self._urgent.add(key)
                    self._offers.pop(key, None)

    def give_back(self, key: AccountKey) -> tuple[str, ...]:
        """Return of which resources the slice of an account that is tightened is to end.

        That goes with the write of the tightening: one of its own would cost the retry.
        """
        account = self._ledger.account(*key)
        self._offers.pop(key, None)
        self._due.pop(key, None)
        self._fresh.discard(key)
        kept = {} if account is None else self._floor(key, account)
        return tuple(sorted(account.slice.keys() - kept.keys())) if account is not None else ()

    def pressed_at(self, limits: Iterable[Limit], scopes: ScopeSet) -> float:
        """Return when slices were in the way at one of these levels last; 0 if not lately."""
        return max(self._pressed.get((limit.ancestor, scopes), 0.0) for limit in limits)

    def _resting(self, key: AccountKey, now: float) -> bool:
        forest, rest = self._ledger.forest, self.settings.rest
        return any(
            self._pressed.get((level.name, key[1]), now - rest) + rest > now
            for level in forest.above(forest.node(key[0]))
        )

    def _round(self, now: float) -> None:
        """Find the slices that no longer fit."""
        rest = self.settings.rest
        self._pressed = {level: t for level, t in self._pressed.items() if t + rest > now}
        self._pace.forget(now)
        if not self.settings.enabled:
            self._revoking = dict.fromkeys(self._holders, now) | self._revoking
            return
        for root in {self._holders.root(key) for key in self._holders}:
            self._trim(root, now)

    def _trim(self, root: AccountKey, now: float) -> None:
        """Take slices back where too much of a level is idle, those offered longest ago first."""
        forest = self._ledger.forest
        since = {key: offer.since for key, offer in self._offers.items()}
        holders = sorted(self._holders.in_tree(root), key=lambda key: (since.get(key, 0.0), key[0]))
        lines = {key: set(forest.path(key[0])) for key in holders}
        nodes = [forest.node(name) for name in sorted(set().union(*lines.values()))]
        limited = {r for node in nodes for r in node.book(root[1]).hard}
        for r, levels in self._line(root, nodes, sorted(limited)):
            for node, level in zip(nodes, levels, strict=True):
                left = level.excess(self.settings)
                for key in holders:
                    if left <= 0:
                        break
                    found = self._reclaimable(key).get(r, 0) if node.name in lines[key] else 0
                    if found:
                        self._revoking.setdefault(key, now)
                        left -= found

    # -- writing ------------------------------------------------------------------------------

    def pass_time(self, now: float) -> list[AccountKey]:
        """Let time happen; returns the accounts whose slice may have to be written now."""
        passed, self._told = max(0.0, now - self._told), now
        if not self._holders and not self._due:
            return []
        if now >= self._next_round:
            self._next_round = now + self.settings.every
            self._round(now)
        writes = self.settings.writes
        self._writes = min(writes, self._writes + writes * passed)
        urgent = [key for key in self._urgent if self._quiet(key)]
        # In a namespace that is never quiet nothing is put off for ever.
        gentle = self._timely(self._revoking, now=now, patience=self.settings.rest)
        due = self._timely(self._due, now=now, patience=self.settings.after)
        more = [*gentle, *(key for key in due if key not in self._revoking)]
        return [*urgent, *more[: max(0, int(self._writes))]]

    def _timely(
        self, since: Mapping[AccountKey, float], *, now: float, patience: float
    ) -> list[AccountKey]:
        return [
            key
            for key, moment in since.items()
            if key not in self._urgent and moment <= (now if self._quiet(key) else now - patience)
        ]

    def _quiet(self, key: AccountKey) -> bool:
        """Whether a write is in no growth's way, or if others wait for it, in none granted."""
        ledger, account = self._ledger, self._ledger.account(*key)
        if account is not None and account.awaits_growth(ledger.timing, self._told):
            return False
        return key in self._urgent or not ledger.tightenings.in_use(key)

    def write(self, key: AccountKey, *, now: float) -> WriteSlice | None:
        """Return the slice to be written for an account, counted from here on; None for nothing."""
        asked = key in self._fresh
        self._due.pop(key, None)
        self._fresh.discard(key)
        self._undo[key] = (asked, self._offers.get(key))
        account = self._ledger.account(*key)
        if account is None or not account.quota:
            return None  # gone, or only remembered of a Namespace that terminates
        if not self._ledger.fenced(*key):
            self.lost(key)  # until all of the tree is
            return None
        wanted = self._wanted(key, account, now=now, asked=asked)
        if wanted is None or (new := slices.writable(wanted, account.used)) == account.slice:
            return None
        grows = any(amount > account.slice.get(r, 0) for r, amount in new.items())
        if grows and not self._ledger.openings.is_sure(key, epoch=self._ledger.epoch):
            self.lost(key)  # until it is opened: what grows is a grant
            self.closed.add(key)
            return None
        if key not in self._urgent:
            self._writes -= 1
        if grows:
            self._count(key, account, new, now=now)
        return WriteSlice(
            namespace=key[0],
            quota=account.quota,
            resource_version=account.resource_version,
            slice=Resources.from_nano(new),
            dropped=tuple(sorted(account.slice.keys() - new.keys())),
        )

    def opening(self, key: AccountKey) -> Open | None:
        """Return how to open an account that is to get a slice, None where that is no use now."""
        self.closed.discard(key)
        account = self._ledger.account(*key)
        if account is None or not self._ledger.fenced(*key):
            return None
        return Open(
            namespace=key[0],
            quota=account.quota,
            resource_version=account.resource_version,
            epoch=self._ledger.epoch if account.epoch is None else None,
        )

    def lost(self, key: AccountKey) -> None:
        """Take in that the last write lost: what it offered is to be offered again."""
        asked, offer = self._undo.pop(key, (False, None))
        self._due[key] = 0.0
        if asked:
            self._fresh.add(key)
        self._offers.pop(key, None)
        if offer is not None:
            self._offers[key] = offer

    def _wanted(
        self, key: AccountKey, account: Account, *, now: float, asked: bool
    ) -> Amounts | None:
        """Return the slice that an account is to have, None for the one it has."""
        floor = self._floor(key, account)
        if key in self._revoking:
            if self._reclaimable(key):
                return floor
            del self._revoking[key]
            self._urgent.discard(key)
        offered = self._offer(key, account, now=now, asked=asked)
        if offered is None and all(a <= account.slice.get(r, 0) for r, a in floor.items()):
            return None
        return slices.greatest(offered or account.slice, floor)

    def _count(self, key: AccountKey, account: Account, new: Amounts, *, now: float) -> None:
        """Count a slice that is about to grow, as a grant is counted."""
        self._holders.add(key)
        deadline = now + self._ledger.timing.touch_after
        account.reservations.append(
            Reservation(
                State.PENDING,
                base=account.resource_version,
                used=new,
                deadline=deadline,
                lease=True,
            )
        )
        self._post(key, account)

    # -- offering -----------------------------------------------------------------------------

    def _offer(
        self, key: AccountKey, account: Account, *, now: float, asked: bool
    ) -> Amounts | None:
        """Return the slice that a namespace is to have by its use, None for the one it has."""
        old, new = self._steps.get(key, (EMPTY, EMPTY))
        used, step = account.solid(), new.growth(old).nanos()
        fresh = step if asked else {}
        wanted = slices.ahead(used, fresh, self._offers.get(key), now=now, settings=self.settings)
        if not wanted or not slices.is_nameable(wanted) or not self._may_offer(key, wanted, now):
            return None
        forest = self._ledger.forest
        line = [forest.node(name) for name in forest.path(key[0])]
        most = {r: slices.allowed(x, self.settings) for r, x in self._line(key, line, wanted)}
        held = line[0].book(key[1]).held
        least = {r: amount * self.settings.least for r, amount in step.items()}
        top = slices.reach(wanted, least, used=used, held=held, most=most)
        if top is None:
            return None
        growth = {r: amount - held.get(r, 0) for r, amount in top.items()}
        if room.obstacles(line[0], key[1], growth):
            return None
        ahead = {r: amount - used.get(r, 0) for r, amount in top.items()}
        self._offers[key] = Offer(since=now, used=used, ahead=ahead)
        return slices.greatest({r: a for r, a in account.slice.items() if r in used}, top)

    def _may_offer(self, key: AccountKey, wanted: Mapping[str, int], now: float) -> bool:
        """Whether new slices are handed out at this place now."""
        if self._resting(key, now) or self._ledger.unmeasured.below(key, wanted.keys()):
            return False
        others, most = self._holders.in_tree(key), self.settings.most
        if len(others) < most or key in others:
            return True
        return sum(map(self._counts, others)) < most

    def _counts(self, key: AccountKey) -> bool:
        """Whether an account has a slice that stands idle, or that is on its way."""
        account = self._ledger.account(*key)
        return bool(self._reclaimable(key)) or (account is not None and not account.slice)

    def _line(
        self, key: AccountKey, nodes: Sequence[Node], resources: Iterable[str]
    ) -> list[tuple[str, list[Level]]]:
        """Return for each resource how these levels stand, nearest first."""
        books, resources = [node.book(key[1]) for node in nodes], list(resources)

        def charges() -> list[Amounts]:
            return [{r: book.charge(r) for r in resources} for book in books]

        solid, charged = self.without(key, charges), charges()
        return [
            (
                r,
                [
                    Level(
                        hard=book.hard.get(r),
                        charge=have[r],
                        solid=least[r],
                        slack=have[r] - book.gross.get(r, 0),
                        pace=self._pace.of(node.name, key[1], r, now=self._told),
                    )
                    for node, book, have, least in zip(nodes, books, charged, solid, strict=True)
                ],
            )
            for r in resources
        ]
