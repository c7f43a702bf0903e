"""What is wrong or pointless in a tree, whatever runs in it.

Levels are compared by what is measured: `requests.cpu` is `cpu`. A quota with scopes counts a part
of what one without counts, so the latter bounds it too.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from quotatree.engine import explain, rollup
from quotatree.engine.world import World
from quotatree.model import names, scope
from quotatree.model.names import Namespace
from quotatree.model.observed import Lifecycle
from quotatree.model.offers import Offers
from quotatree.model.quota import Quota
from quotatree.model.report import Item, Level, Rule
from quotatree.model.scope import UNSCOPED, ScopeSet
from quotatree.model.treefile import Spot, TreeFile, TreeNode
from quotatree.units import resource_names
from quotatree.units.resources import EMPTY, Resources

NEVER_BITES: Final = Rule(
    code="limit-never-bites",
    title="A limit that can never bite: another one that counts the same is tighter.",
    level=Level.WARNING,
    help="The tightest limit on the way to the root wins. Lower this one, raise the tighter one, "
    "or take this one out.",
)
OVERPROMISED: Final = Rule(
    code="promised-too-much",
    title="Guarantees below a namespace add up to more than it may have.",
    level=Level.ERROR,
    help="What is guaranteed is reserved in every ancestor. Lower a guarantee or raise the limit.",
)
BURST_ONLY: Final = Rule(
    code="limits-without-requests",
    title="limits.* is limited and requests.* is not.",
    level=Level.WARNING,
    help="Nodes are filled by requests, so a ceiling on limits alone divides no capacity fairly; "
    "limit the request as well.",
)
UNOWNED: Final = Rule(
    code="owned-without-permission",
    title="lifecycle: Owned under a parent that does not allow cascading deletion.",
    level=Level.WARNING,
    help=f'Annotate the parent with {names.ANNOTATION_CASCADE}: "true".',
)
UNOFFERED: Final = Rule(
    code="device-not-offered",
    title="A limit on a device that no node and no DeviceClass of the cluster offers.",
    level=Level.WARNING,
    help="Nothing is ever counted under this name: correct it, or install what offers it.",
)
RULES: Final = (NEVER_BITES, OVERPROMISED, BURST_ONLY, UNOWNED, UNOFFERED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A finding and the spot of the tree that it is about.

    `said` is its message for readers who are shown the spot anyway, `scopes` what is counted there.
    """

    item: Item
    spot: Spot
    said: str
    scopes: ScopeSet = UNSCOPED


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """Who is below whom, with which TreeQuotas."""

    parents: Mapping[Namespace, Namespace | None]
    quotas: Mapping[Namespace, tuple[Quota, ...]]

    def above(self, name: Namespace) -> list[Namespace]:
        """Return the ancestors, the nearest first."""
        return rollup.path_up(self.parents, name)[1:]


def levels(tree: TreeFile, world: World | None = None) -> Levels:
    """Return the levels of a tree, in the midst of those of `world` where there is one.

    A TreeQuota of `world` that the file does not name goes on counting beside those of the file.
    One that only observes bounds and promises nothing.
    """
    parents: dict[Namespace, Namespace | None] = {}
    quotas: dict[Namespace, tuple[Quota, ...]] = {}
    for name in world.namespaces if world is not None else ():
        assert world is not None
        path = world.ledger.forest.path(name)
        parents[name] = path[1] if len(path) > 1 else None
        quotas[name] = world.limits.enforced(name)
    parents |= {node.namespace: node.parent for node in tree.nodes}
    for node in tree.nodes:
        named = {quota.name: quota for quota in (*quotas.get(node.namespace, ()), *node.quotas)}
        quotas[node.namespace] = tuple(q for q in named.values() if q.enforced)
    return Levels(parents=rollup.acyclic(parents), quotas=quotas)


def found(rule: Rule, spot: Spot, message: str, *, remedy: str = "", resource: str = "") -> Finding:
    """Return a finding at the level of its rule; `resource` is what its numbers count."""
    item = Item(
        code=rule.code,
        level=rule.level,
        message=f"{resource}: {message}" if resource else message,
        remedy=remedy,
        subject=f"namespace/{spot.namespace}",
        namespace=spot.namespace,
    )
    return Finding(item=item, spot=spot, said=message)


def findings(tree: TreeFile, levels: Levels) -> Iterator[Finding]:
    """Yield all that the tree itself shows."""
    yield from never_bites(tree, levels)
    yield from overpromised(tree, levels)
    yield from burst_only(tree, levels)
    yield from unowned(tree)


def _is_of(quota: Quota, scopes: ScopeSet) -> bool:
    return quota.enforced and quota.scopes == scopes


def _in_force(node: TreeNode) -> list[Quota]:
    return [quota for quota in node.quotas if quota.enforced]


# -- limits that never bite -----------------------------------------------------------------


def never_bites(tree: TreeFile, levels: Levels) -> Iterator[Finding]:
    """Yield each limit above one that counts all that it counts: the tightest wins."""
    for node in tree.nodes:
        for quota in _in_force(node):
            for resource, hard in sorted(quota.hard.nanos().items()):
                tightest = _tightest(levels, quota, resource)
                if tightest is not None and hard > tightest[0]:
                    yield _never_bites(quota, resource, hard, tightest=tightest)


def _tightest(levels: Levels, quota: Quota, resource: str) -> tuple[int, Namespace] | None:
    """Return the least other hard that bounds this one, and whose it is."""
    same = resource_names.equivalent(resource)
    here = [q for q in levels.quotas.get(quota.namespace, ()) if q.name != quota.name]
    others = [*here, *(q for n in levels.above(quota.namespace) for q in levels.quotas.get(n, ()))]
    bounds = [
        (hard, other.namespace)
        for other in others
        if other.scopes in (quota.scopes, UNSCOPED)
        for name, hard in other.hard.nanos().items()
        if resource_names.equivalent(name) == same
    ]
    return min(bounds, default=None)


def _never_bites(
    quota: Quota, resource: str, hard: int, *, tightest: tuple[int, Namespace]
) -> Finding:
    limit, whose = tightest
    own = whose == quota.namespace
    whom = "another quota of this namespace" if own else f"{whose} above it"
    remedy = "take it out, or lower it" if own else f"lower it, or raise {whose}"
    spot = spot_of(quota, "hard", resource)
    message = (
        f"{explain.amount(resource, hard)} is more than the "
        f"{explain.amount(resource, limit)} of {whom}; the tightest wins"
    )
    label = scope.label(resource, quota.scopes)
    return found(NEVER_BITES, spot, message, remedy=remedy, resource=label)


def spot_of(quota: Quota, field: str, resource: str) -> Spot:
    """Return where an amount of a quota stands."""
    return Spot(namespace=quota.namespace, quota=quota.name, field=field, resource=resource)


# -- guarantees that cannot all be kept -----------------------------------------------------


def overpromised(tree: TreeFile, levels: Levels) -> Iterator[Finding]:
    """Yield each namespace whose subtree is promised more than its own hard.

    That is the invariant charge ≤ hard in a tree in which nothing runs: what fails it then can
    never be granted.
    """
    for scopes in sorted({quota.scopes for node in tree.nodes for quota in _in_force(node)}):
        hard = {n: ceiling(quotas, scopes) for n, quotas in levels.quotas.items()}
        kept = {n: floor(quotas, scopes) for n, quotas in levels.quotas.items()}
        numbers = rollup.rollup(levels.parents, hard=hard, guaranteed=kept, held={})
        charged = {name: number.charged for name, number in numbers.items()}
        for node in tree.nodes:
            limit = hard.get(node.namespace, EMPTY)
            for resource in charged[node.namespace].exceeding(limit):
                yield _overpromised(
                    levels, node.namespace, scopes, resource=resource, charged=charged, hard=limit
                )


def _overpromised(
    levels: Levels,
    name: Namespace,
    scopes: ScopeSet,
    *,
    resource: str,
    charged: Mapping[Namespace, Resources],
    hard: Resources,
) -> Finding:
    def kept(of: Namespace) -> str:
        return explain.amount(resource, charged[of].nano(resource))

    keepers = [
        f"{child} keeps {kept(child)}"
        for child, parent in sorted(levels.parents.items())
        if parent == name and charged[child].nano(resource)
    ]
    who = f"; {', '.join(keepers)}" if keepers else ""
    message = (
        f"guarantees of {kept(name)} do not fit "
        f"into {explain.amount(resource, hard.nano(resource))}{who}"
    )
    remedy = f"lower a guarantee, or raise the hard of {name}"
    quota, written = _written(levels.quotas[name], scopes, resource)
    spot, label = spot_of(quota, "hard", written), scope.label(written, scopes)
    finding = found(OVERPROMISED, spot, message, remedy=remedy, resource=label)
    return replace(finding, scopes=scopes)


def _written(quotas: Iterable[Quota], scopes: ScopeSet, resource: str) -> tuple[Quota, str]:
    """Return the quota whose hard on `resource` is the least, and the name that it has there."""
    candidates = [
        (hard, quota.name, written, quota)
        for quota in quotas
        if quota.scopes == scopes
        for written, hard in quota.hard.nanos().items()
        if resource_names.equivalent(written) == resource
    ]
    _, _, written, quota = min(candidates, key=lambda found: found[:3])
    return quota, written


def ceiling(quotas: Iterable[Quota], scopes: ScopeSet) -> Resources:
    """Return the least hard of some quotas, by the names under which levels are compared."""
    least: dict[str, int] = {}
    for quota in quotas:
        for written, nano in quota.hard.nanos().items() if _is_of(quota, scopes) else ():
            resource = resource_names.equivalent(written)
            least[resource] = min(nano, least.get(resource, nano))
    return Resources.from_nano(least)


def floor(quotas: Iterable[Quota], scopes: ScopeSet) -> Resources:
    """Return the greatest guarantee of some quotas, by the same names."""
    greatest: dict[str, int] = {}
    for quota in quotas:
        for written, nano in quota.guaranteed.nanos().items() if _is_of(quota, scopes) else ():
            resource = resource_names.equivalent(written)
            greatest[resource] = max(nano, greatest.get(resource, nano))
    return Resources.from_nano(greatest)


# -- limits without requests ----------------------------------------------------------------


def burst_only(tree: TreeFile, levels: Levels) -> Iterator[Finding]:
    """Yield each `limits.X` where X itself is limited neither here nor above."""
    for node in tree.nodes:
        path = [node.namespace, *levels.above(node.namespace)]
        for quota in _in_force(node):
            for resource in sorted(quota.hard):
                request = resource.removeprefix(resource_names.LIMITS)
                if request != resource and not _limits(levels, path, quota.scopes, name=request):
                    message = f"{resource} is limited, requests.{request} is not, here or above"
                    remedy = f"limit requests.{request} too: nodes are filled by requests"
                    yield found(
                        BURST_ONLY, spot_of(quota, "hard", resource), message, remedy=remedy
                    )


def _limits(levels: Levels, path: Iterable[Namespace], scopes: ScopeSet, *, name: str) -> bool:
    return any(
        quota.scopes in (scopes, UNSCOPED)
        and any(resource_names.equivalent(written) == name for written in quota.hard)
        for member in path
        for quota in levels.quotas.get(member, ())
    )


# -- lifecycle ------------------------------------------------------------------------------


def unowned(tree: TreeFile) -> Iterator[Finding]:
    """Yield the `Owned` namespaces whose parent does not allow it: they stay when it goes."""
    nodes = {node.namespace: node for node in tree.nodes}
    for node in tree.nodes:
        parent = nodes.get(node.parent) if node.parent is not None else None
        if node.lifecycle is not Lifecycle.OWNED or parent is None:
            continue
        if parent.annotations.get(names.ANNOTATION_CASCADE) != "true":
            yield found(
                UNOWNED,
                Spot(namespace=node.namespace, field="lifecycle"),
                f"Owned has no effect until {parent.namespace} allows it",
                remedy=f'annotate {parent.namespace} with {names.ANNOTATION_CASCADE}: "true"',
            )


# -- devices --------------------------------------------------------------------------------


def unoffered(tree: TreeFile, offers: Offers) -> Iterator[Finding]:
    """Yield each amount of a device that the cluster does not offer."""
    for node in tree.nodes:
        for quota in node.quotas:
            for field_name, amounts in (("hard", quota.hard), ("guaranteed", quota.guaranteed)):
                for resource in sorted(amounts):
                    message, meant = _missing(resource, offers)
                    if message:
                        yield found(
                            UNOFFERED, spot_of(quota, field_name, resource), message, remedy=meant
                        )


def is_device(resource: str) -> bool:
    """Whether nodes or classes of devices have to offer what `resource` counts."""
    return resource_names.is_extended(resource) or resource.endswith(resource_names.DEVICE_CLASS)


def _missing(resource: str, offers: Offers) -> tuple[str, str]:
    """Return what is wrong with the name of a device and what it should be; nothing if it is."""
    if not is_device(resource):
        return "", ""
    implicit = resource_names.REQUESTS + resource_names.IMPLICIT_DEVICE_CLASS
    for before, after in (("", resource_names.DEVICE_CLASS), (implicit, "")):
        if resource.startswith(before) and resource.endswith(after):
            name = resource.removeprefix(before).removesuffix(after)
            if name in offers.device_classes:
                return "", ""
            meant = _closest(name, offers.device_classes, before=before, after=after)
            return f"{resource}: the cluster has no DeviceClass {name}", meant
    name = resource.removeprefix(resource_names.REQUESTS)
    if name in offers.resources:
        return "", ""
    meant = _closest(name, offers.resources, before=resource_names.REQUESTS, after="")
    return f"{resource}: no node and no DeviceClass of the cluster offers {name}", meant


def _closest(name: str, known: frozenset[str], *, before: str, after: str) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    if near:
        return f"did you mean {before}{near[0]}{after}?"
    offered = ", ".join(f"{before}{other}{after}" for other in sorted(known)[:5])
    return f"offered: {offered}" if offered else "none is offered at all"
