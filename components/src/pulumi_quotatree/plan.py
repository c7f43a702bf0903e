"""What a tree means before anything is made: its mistakes, and what its author should know. Pure.

Three sources: the rules of quotatree.yaml, which know names, quantities and scopes; quotatree's own
numbers (`engine.rollup`), by which a guarantee fits or does not; and the ceilings above each node.
Levels are compared by what is measured: `requests.cpu` is `cpu`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pulumi_quotatree.errors import TreeError
from quotatree.codec import findings, treefile
from quotatree.engine import explain, rollup
from quotatree.model import names
from quotatree.model.names import Namespace
from quotatree.model.observed import Lifecycle
from quotatree.model.problem import Problem
from quotatree.model.quota import Quota
from quotatree.model.scope import ScopeSet
from quotatree.model.treefile import DEFAULT_QUOTA, TreeFile, TreeNode
from quotatree.units import resource_names
from quotatree.units.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A tree that can be made, and what its author should know about it."""

    tree: TreeFile
    warnings: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a tree is judged. `rooted`: its roots are put under a namespace outside of it."""

    title: str
    rooted: bool = False
    strict: bool = False


def of_document(document: Mapping[str, Any], terms: Terms, *found: Problem) -> Plan:
    """Return the plan of a tree that a program's values hold; `found` is wrong with it already.

    Raises:
        TreeError: it cannot be made; all mistakes are in the message.
    """
    tree = document["tree"]
    owned = _owned_roots(tree) if terms.rooted else frozenset()
    for name in owned:
        # To the rules a root has no owner; here it has one, outside of this document.
        del tree[name]["lifecycle"]
    read = treefile.from_data(document)
    if not isinstance(read, TreeFile) or found:
        raise _error(terms, (*found, *(() if isinstance(read, TreeFile) else read)))
    return of_tree(_with_owned(read, owned), terms)


def of_text(data: bytes, terms: Terms, *, name: str) -> Plan:
    """Return the plan of a quotatree.yaml; `name` is what the text is called in messages.

    Raises:
        TreeError: it cannot be made; all mistakes are in the message, with their lines.
    """
    read = treefile.parse(data)
    if not isinstance(read, TreeFile):
        raise _error(replace(terms, title=f"{terms.title}: {name}"), read)
    return of_tree(read, terms)


def of_tree(tree: TreeFile, terms: Terms) -> Plan:
    """Return the plan of a tree that the rules accept.

    Raises:
        TreeError: a guarantee does not fit, or with `strict` a limit never bites.
    """
    overfull = tuple(_overfull(tree))
    looser = tuple(_looser(tree))
    wrong = (*overfull, *looser) if terms.strict else overfull
    if wrong:
        raise _error(terms, wrong)
    return Plan(tree=tree, warnings=(*looser, *_unowned(tree)))


def refuse(title: str, path: str, message: str, *, hint: str = "") -> TreeError:
    """Return the error of a single mistake."""
    return _error(Terms(title=title), (Problem(path=path, message=message, hint=hint),))


def _error(terms: Terms, problems: Iterable[Problem]) -> TreeError:
    lines = [str(problem) for problem in problems]
    if len(lines) == 1:
        return TreeError(f"{terms.title}: {lines[0]}")
    shown = "".join(f"\n  {line}" for line in lines)
    return TreeError(f"{terms.title}: {len(lines)} mistakes:{shown}")


# -- roots that are owned by a namespace outside ---------------------------------------------


def _owned_roots(tree: object) -> frozenset[str]:
    owned = Lifecycle.OWNED.value
    return frozenset(
        name
        for name, node in (tree.items() if isinstance(tree, dict) else ())
        if isinstance(node, dict) and node.get("lifecycle") == owned
    )


def _with_owned(tree: TreeFile, owned: frozenset[str]) -> TreeFile:
    return TreeFile(
        nodes=tuple(
            replace(node, lifecycle=Lifecycle.OWNED) if node.namespace in owned else node
            for node in tree.nodes
        )
    )


# -- numbers --------------------------------------------------------------------------------


def path_of(tree: TreeFile, name: Namespace) -> str:
    """Return where a node stands, e.g. `tree.org.children.vision`."""
    parents = {node.namespace: node.parent for node in tree.nodes}
    chain = reversed(rollup.path_up(parents, name))
    steps = [step for member in chain for step in ("children", str(member))]
    return findings.path_text(("tree", *steps[1:]))


def _overfull(tree: TreeFile) -> Iterator[Problem]:
    """Yield each namespace whose subtree is promised more than its own hard.

    That is the invariant of the whole project, charge ≤ hard, in a tree in which nothing runs: what
    fails it then can never be granted.
    """
    parents = {node.namespace: node.parent for node in tree.nodes}
    for scopes in _scope_sets(tree):
        hard = {n.namespace: _ceiling(n, scopes) for n in tree.nodes}
        kept = {n.namespace: _floor(n, scopes) for n in tree.nodes}
        numbers = rollup.rollup(parents, hard=hard, guaranteed=kept, held={})
        charged = {name: found.charged for name, found in numbers.items()}
        for node in tree.nodes:
            for resource in charged[node.namespace].exceeding(hard[node.namespace]):
                yield _overfull_problem(tree, node, resource, charged=charged, hard=hard)


def _overfull_problem(
    tree: TreeFile,
    node: TreeNode,
    resource: str,
    *,
    charged: Mapping[Namespace, Resources],
    hard: Mapping[Namespace, Resources],
) -> Problem:
    def amount(name: Namespace, of: Mapping[Namespace, Resources]) -> str:
        return explain.amount(resource, of[name].nano(resource))

    keepers = [
        f"{child.namespace} keeps {amount(child.namespace, charged)}"
        for child in tree.nodes
        if child.parent == node.namespace and charged[child.namespace].nano(resource)
    ]
    who = f"; {', '.join(keepers)}" if keepers else ""
    return Problem(
        path=f'{path_of(tree, node.namespace)}.hard["{resource}"]',
        message=f"guarantees of {amount(node.namespace, charged)} do not fit "
        f"into {amount(node.namespace, hard)}{who}",
        hint=f"lower a guarantee, or raise the hard of {node.namespace}",
    )


def _looser(tree: TreeFile) -> Iterator[Problem]:
    """Yield each limit that is above one of an ancestor: the tightest wins, so it never bites."""
    parents = {node.namespace: node.parent for node in tree.nodes}
    nodes = {node.namespace: node for node in tree.nodes}
    for node in tree.nodes:
        above = [nodes[name] for name in rollup.path_up(parents, node.namespace)[1:]]
        for quota in node.quotas:
            for resource, hard in sorted(quota.hard.nanos().items()):
                tightest = _tightest(above, quota.scopes, resource_names.equivalent(resource))
                if tightest is not None and hard > tightest[0]:
                    yield Problem(
                        path=_hard_path(tree, node, quota, resource=resource),
                        message=f"{explain.amount(resource, hard)} is more than the "
                        f"{explain.amount(resource, tightest[0])} of {tightest[1]} above it; "
                        "the tightest wins",
                        hint=f"lower it, or raise {tightest[1]}",
                    )


def _tightest(
    above: Iterable[TreeNode], scopes: ScopeSet, resource: str
) -> tuple[int, Namespace] | None:
    found = [
        (hard[resource], node.namespace)
        for node in above
        if resource in (hard := _ceiling(node, scopes).nanos())
    ]
    return min(found, default=None)


def _hard_path(tree: TreeFile, node: TreeNode, quota: Quota, *, resource: str) -> str:
    where = path_of(tree, node.namespace)
    own = f".quotas[{quota.name}]" if quota.name != DEFAULT_QUOTA else ""
    return f'{where}{own}.hard["{resource}"]'


def _scope_sets(tree: TreeFile) -> list[ScopeSet]:
    return sorted({quota.scopes for node in tree.nodes for quota in node.quotas})


def _ceiling(node: TreeNode, scopes: ScopeSet) -> Resources:
    """Return the least hard of a node's quotas, by the names under which levels are compared."""
    found: dict[str, int] = {}
    for resource, nano in _of(node, scopes, "hard"):
        found[resource] = min(nano, found.get(resource, nano))
    return Resources.from_nano(found)


def _floor(node: TreeNode, scopes: ScopeSet) -> Resources:
    found: dict[str, int] = {}
    for resource, nano in _of(node, scopes, "guaranteed"):
        found[resource] = max(nano, found.get(resource, nano))
    return Resources.from_nano(found)


def _of(node: TreeNode, scopes: ScopeSet, kind: str) -> Iterator[tuple[str, int]]:
    for quota in node.quotas:
        if quota.scopes == scopes:
            amounts = quota.hard if kind == "hard" else quota.guaranteed
            for resource, nano in amounts.nanos().items():
                yield resource_names.equivalent(resource), nano


def _unowned(tree: TreeFile) -> Iterator[Problem]:
    """Yield the `Owned` namespaces whose parent does not allow it: they stay when it goes."""
    nodes = {node.namespace: node for node in tree.nodes}
    for node in tree.nodes:
        parent = nodes.get(node.parent) if node.parent is not None else None
        if node.lifecycle is not Lifecycle.OWNED or parent is None:
            continue
        if parent.annotations.get(names.ANNOTATION_CASCADE) != "true":
            yield Problem(
                path=f"{path_of(tree, node.namespace)}.lifecycle",
                message=f"Owned has no effect until {parent.namespace} allows it",
                hint=f'annotate {parent.namespace} with {names.ANNOTATION_CASCADE}: "true"',
            )
