"""What would not go well: a forecast judged, each finding with its numbers and the next step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from quotatree.engine import explain, lint
from quotatree.engine.account import AccountKey
from quotatree.engine.forecast import Trial
from quotatree.engine.lint import Finding, found
from quotatree.engine.whatif import Refused
from quotatree.engine.world import World
from quotatree.model import scope
from quotatree.model.forecast import Change, NodeForecast, Row
from quotatree.model.names import Namespace
from quotatree.model.report import Level, Rule
from quotatree.model.scope import ScopeSet
from quotatree.model.treefile import Spot
from quotatree.model.verdict import Limit
from quotatree.units import resource_names

OVER: Final = Rule(
    code="over-hard",
    title="A namespace would be over its limit at once.",
    level=Level.ERROR,
    help="A limit below what is charged is accepted and evicts nothing, but no growth passes until "
    "usage is below it.",
)
STILL_OVER: Final = Rule(
    code="still-over-hard",
    title="A namespace is over its limit and stays so.",
    level=Level.WARNING,
)
NO_ROOM: Final = Rule(
    code="guarantee-does-not-fit",
    title="A guarantee would wait: an ancestor has no room for it.",
    level=Level.ERROR,
    help="A guarantee takes effect all at once, when every ancestor has room for it.",
)
STILL_WAITS: Final = Rule(
    code="guarantee-still-waits",
    title="A guarantee waits for room already, and goes on waiting.",
    level=Level.WARNING,
)
MOVE_REFUSED: Final = Rule(
    code="place-refused",
    title="A namespace cannot take its place in the tree.",
    level=Level.ERROR,
    help="Namespaces are moved before limits change, so a move is judged by the limits that are "
    "in force now.",
)
SCOPES_FIXED: Final = Rule(
    code="scopes-are-fixed",
    title="The scopes of a TreeQuota cannot be changed.",
    level=Level.ERROR,
    help="Give the TreeQuota with the new scopes another name.",
)
TERMINATING: Final = Rule(
    code="namespace-terminating",
    title="A namespace of the file is being deleted.",
    level=Level.ERROR,
)
CHILDREN_LEFT: Final = Rule(
    code="children-left",
    title="A namespace cannot be deleted while it has children.",
    level=Level.ERROR,
)
MISSING_PARENT: Final = Rule(
    code="missing-parent",
    title="A namespace names a parent that does not exist.",
    level=Level.WARNING,
    help="Nothing above it is known, so no limit above it holds.",
)
UNMEASURED: Final = Rule(
    code="usage-not-measured",
    title="A resource would be limited whose usage is not measured yet.",
    level=Level.NOTE,
    help="A plan in a cluster counts the objects themselves. What it may not list, counts of "
    "custom resources, and what a state file has no figures for are taken for nothing.",
)
MUST_SAY: Final = Rule(
    code="pods-must-say",
    title="Pods would have to name what a new limit counts.",
    level=Level.NOTE,
    help='Native admission refuses pods that do not ("must specify"); a LimitRange sets defaults.',
)
RULES: Final = (
    OVER,
    STILL_OVER,
    NO_ROOM,
    STILL_WAITS,
    MOVE_REFUSED,
    SCOPES_FIXED,
    TERMINATING,
    CHILDREN_LEFT,
    MISSING_PARENT,
    UNMEASURED,
    MUST_SAY,
)

_SHOWN: Final = 3  # of those who are in the way


def findings(trial: Trial) -> Iterator[Finding]:
    """Yield everything that would not go as one may think."""
    yield from _refused(trial)
    yield from over(trial)
    yield from _waiting(trial)
    yield from _fixed(trial)
    yield from _terminating(trial)
    yield from _children_left(trial)
    yield from _missing_parents(trial)
    yield from _unmeasured(trial)
    yield from _must_say(trial)


# -- places ---------------------------------------------------------------------------------


def _refused(trial: Trial) -> Iterator[Finding]:
    for item in trial.outcome.refused:
        spot = Spot(namespace=item.namespace)
        yield found(MOVE_REFUSED, spot, item.reason, remedy=_in_two_steps(trial, item))


def _in_two_steps(trial: Trial, item: Refused) -> str:
    """Return the way round a move that only fits once the file's own limits are in force."""
    if not item.limits or not all(_has_room(trial, limit) for limit in item.limits):
        return ""
    raised = ", ".join(sorted({limit.ancestor for limit in item.limits}))
    return f"this file raises {raised} far enough: apply that first, then move"


def _has_room(trial: Trial, limit: Limit) -> bool:
    """Whether the file's own limit at the level of `limit` would let it through."""
    node = trial.by_name.get(limit.ancestor)
    hard = lint.ceiling(node.quotas if node is not None else (), ())
    resource = resource_names.equivalent(limit.resource)
    return hard.nano(resource) >= limit.charged + limit.requested


# -- limits ---------------------------------------------------------------------------------


def over(trial: Trial) -> Iterator[Finding]:
    """Yield each limit that is below what is charged."""
    for node in trial.forecast.nodes:
        if node.change is Change.REMOVE:
            continue
        for row in node.rows:
            if row.over:
                worse = row.over > row.over_before
                rule = OVER if worse else STILL_OVER
                yield found(
                    rule,
                    _spot(trial, node.namespace, row, field="hard"),
                    _over_message(row, worse=worse),
                    remedy=_over_remedy(trial, node.namespace, row),
                    resource=scope.label(row.resource, row.scopes),
                )


def _over_message(row: Row, *, worse: bool) -> str:
    assert row.hard is not None
    charged = explain.amount(row.resource, row.charged)
    what = "in use" if row.used >= row.charged else "in use or kept for guarantees"
    when = "at once" if worse else "as it is now"
    return (
        f"{charged} {what}, {explain.amount(row.resource, row.hard)} allowed: "
        f"over by {explain.amount(row.resource, row.over)} {when}"
    )


def _over_remedy(trial: Trial, name: Namespace, row: Row) -> str:
    who = _takers(trial.outcome.world, (name, row.scopes), row.resource)
    most = f"; most is with {who}" if who else ""
    return (
        f"nothing is evicted, growth is refused until it is below; free "
        f"{explain.amount(row.resource, row.over)}, or keep hard at "
        f"{explain.amount(row.resource, row.charged)}{most}"
    )


def charged_below(
    world: World,
    key: AccountKey,
    resource: str,
    *,
    but: frozenset[Namespace] = frozenset(),
) -> list[tuple[Namespace, int]]:
    """Return who is charged directly below a namespace, and it itself, the greatest first."""
    name, scopes = key
    node = world.ledger.forest.get(name)
    if node is None:
        return []
    charges = [
        (child, book.charge(resource))
        for child in node.children - but
        if (book := world.ledger.forest.node(child).books.get(scopes)) is not None
    ]
    own = (name, node.book(scopes).held.get(resource, 0))
    return sorted((f for f in (*charges, own) if f[1]), key=lambda f: (-f[1], f[0]))


def _takers(
    world: World, key: AccountKey, resource: str, *, but: frozenset[Namespace] = frozenset()
) -> str:
    """Return the greatest of `charged_below` in words, e.g. `b 5, c 2, a itself 1, 4 more`."""
    found = charged_below(world, key, resource, but=but)
    words = [
        f"{n}{' itself' if n == key[0] else ''} {explain.amount(resource, a)}"
        for n, a in found[:_SHOWN]
    ]
    more = len(found) - _SHOWN
    return ", ".join([*words, f"{more} more"] if more > 0 else words)


# -- guarantees -----------------------------------------------------------------------------


def _waiting(trial: Trial) -> Iterator[Finding]:
    world = trial.outcome.world
    overpromised = {
        (finding.spot.namespace, finding.scopes, finding.spot.resource)
        for finding in lint.overpromised(trial.tree, lint.levels(trial.tree, world))
    }
    for node in trial.forecast.nodes:
        for scopes in sorted({row.scopes for row in node.rows if row.kept}):
            limits = world.limits.obstacles(node.namespace, scopes)
            if limits and not {(li.ancestor, scopes, li.resource) for li in limits} <= overpromised:
                yield _waits(trial, node, scopes, limits=limits)


def _waits(
    trial: Trial, node: NodeForecast, scopes: ScopeSet, *, limits: Sequence[Limit]
) -> Finding:
    name, world = node.namespace, trial.outcome.world
    level = explain.nearest(limits)
    path = frozenset(world.ledger.forest.path(name))
    ways = [
        f"{li.resource}: {who}"
        for li in level
        if (who := _takers(world, (li.ancestor, scopes), li.resource, but=path))
    ]
    rows = {row.resource: row for row in node.rows if row.scopes == scopes}
    waited = trial.before.limits.waits(name, scopes)
    more = any(rows[r].kept > rows[r].kept_before for r in rows)
    rule = STILL_WAITS if waited and not more else NO_ROOM
    where = level[0].ancestor
    in_the_way = f"; in the way: {'; '.join(ways)}" if ways else ""
    resource = level[0].resource if level[0].resource in rows else next(iter(rows))
    return found(
        rule,
        _spot(trial, name, rows[resource], field="guaranteed"),
        f"{explain.guarantee_pending(limits)}{in_the_way}",
        remedy=f"free that much below {where}, raise {where}, or lower the guarantee",
    )


# -- objects --------------------------------------------------------------------------------


def _fixed(trial: Trial) -> Iterator[Finding]:
    for step in trial.forecast.steps:
        for change in step.fields:
            if step.quota is not None and change.field == "scopes":
                yield found(
                    SCOPES_FIXED,
                    Spot(namespace=step.namespace, quota=step.quota),
                    f"TreeQuota {step.quota} counts {change.before or 'everything'}, the file "
                    f"wants {change.after or 'everything'}: scopes cannot be changed",
                    remedy="give it another name",
                )


def _terminating(trial: Trial) -> Iterator[Finding]:
    for node in trial.tree.nodes:
        seen = trial.before.namespaces.get(node.namespace)
        if seen is not None and seen.terminating:
            yield found(
                TERMINATING,
                Spot(namespace=node.namespace),
                f"namespace {node.namespace} is being deleted: nothing can be created in it",
                remedy="apply again when it is gone",
            )


def _children_left(trial: Trial) -> Iterator[Finding]:
    gone = set(trial.removals.namespaces)
    world = trial.before
    for name in trial.removals.namespaces if not trial.outcome.refused else ():
        node = world.ledger.forest.get(name)
        left = sorted(node.children - gone) if node is not None else []
        # A child that is moved out of it before is in nobody's way.
        left = [n for n in left if _parent_after(trial, n) == name]
        if left and not world.cascades(name):
            yield found(
                CHILDREN_LEFT,
                Spot(namespace=name),
                f"namespace {name} cannot be deleted: {', '.join(left)} is below it",
                remedy="move or delete what is below it first",
            )


def _parent_after(trial: Trial, name: Namespace) -> Namespace | None:
    seen = trial.outcome.world.namespaces.get(name)
    return None if seen is None else seen.parent


def _missing_parents(trial: Trial) -> Iterator[Finding]:
    world = trial.outcome.world
    for node in trial.forecast.nodes:
        parent = _parent_after(trial, node.namespace)
        if parent is not None and parent not in world.namespaces:
            yield found(
                MISSING_PARENT,
                Spot(namespace=node.namespace),
                f"namespace {node.namespace} names the parent {parent}, which does not exist; "
                "no limit above it is known",
                remedy=f"create namespace {parent}, or put {node.namespace} elsewhere",
            )


# -- what is not known, and what changes for pods -------------------------------------------


def _unmeasured(trial: Trial) -> Iterator[Finding]:
    concerned = {node.namespace for node in trial.forecast.nodes}
    for (name, scopes), resources in sorted(trial.outcome.unmeasured.items()):
        if name in concerned:
            words = f" [{scope.describe(scopes)}]" if scopes else ""
            yield found(
                UNMEASURED,
                Spot(namespace=name),
                f"what namespace {name} uses of {', '.join(resources)}{words} is not measured "
                "yet and counts as nothing here",
            )


def _must_say(trial: Trial) -> Iterator[Finding]:
    """Yield a note where a tree begins to count what pods may have left unsaid."""
    forest = trial.outcome.world.ledger.forest
    said: dict[Namespace, set[str]] = {}
    for node in trial.tree.nodes:
        path = forest.path(node.namespace)
        known = {key for name in path for key in said.get(name, ())}
        keys = sorted(_new_compute(trial, node.namespace) - known)
        if keys:
            said[node.namespace] = set(keys)
            yield found(
                MUST_SAY,
                Spot(namespace=node.namespace),
                f"pods in {node.namespace} and below must now say their {', '.join(keys)}; "
                'others are refused with "must specify"',
                remedy="a LimitRange in each namespace can set defaults",
            )


def _new_compute(trial: Trial, name: Namespace) -> set[str]:
    def limited(world: World) -> set[str]:
        quotas = [q for n in world.ledger.forest.path(name) for q in world.limits.enforced(n)]
        return {resource for q in quotas if not q.scopes for resource in q.hard}

    if name not in trial.before.namespaces:
        return set()
    new = limited(trial.outcome.world) - limited(trial.before)
    return new & resource_names.MUST_BE_SAID


def _spot(trial: Trial, name: Namespace, row: Row, *, field: str) -> Spot:
    """Return where the file sets an amount: the least hard, the greatest guarantee."""
    quotas = trial.by_name[name].quotas if name in trial.by_name else ()
    wanted = row.hard if field == "hard" else row.kept
    for quota in quotas:
        amounts = quota.hard if field == "hard" else quota.guaranteed
        if quota.scopes == row.scopes and amounts.nanos().get(row.resource) == wanted:
            return lint.spot_of(quota, field, row.resource)
    return Spot(namespace=name)
