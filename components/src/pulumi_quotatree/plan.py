"""What a tree means before anything is made: its mistakes, and what its author should know. Pure.

Two sources: the rules of quotatree.yaml, which know names, quantities and scopes; and the findings
of the engine (`engine.lint`), which `quotatree plan` shows too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pulumi_quotatree.errors import TreeError
from quotatree.codec import findings, treefile
from quotatree.engine import lint, rollup
from quotatree.model.names import Namespace
from quotatree.model.observed import Lifecycle
from quotatree.model.problem import Problem
from quotatree.model.treefile import DEFAULT_QUOTA, TreeFile


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
    levels = lint.levels(tree)
    overpromised = [_problem(tree, finding) for finding in lint.overpromised(tree, levels)]
    loose = [_problem(tree, finding) for finding in lint.never_bites(tree, levels)]
    wrong = [*overpromised, *loose] if terms.strict else overpromised
    if wrong:
        raise _error(terms, wrong)
    unowned = [_problem(tree, finding) for finding in lint.unowned(tree)]
    return Plan(tree=tree, warnings=(*loose, *unowned))


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


# -- what the tree shows --------------------------------------------------------------------


def path_of(tree: TreeFile, name: Namespace) -> str:
    """Return where a node stands, e.g. `tree.org.children.vision`."""
    parents = {node.namespace: node.parent for node in tree.nodes}
    chain = reversed(rollup.path_up(parents, name))
    steps = [step for member in chain for step in ("children", str(member))]
    return findings.path_text(("tree", *steps[1:]))


def _problem(tree: TreeFile, finding: lint.Finding) -> Problem:
    spot = finding.spot
    own = f".quotas[{spot.quota}]" if spot.quota not in (None, DEFAULT_QUOTA) else ""
    resource = f'["{spot.resource}"]' if spot.resource else ""
    return Problem(
        path=f"{path_of(tree, spot.namespace)}{own}.{spot.field}{resource}",
        message=finding.said,
        hint=finding.item.remedy,
    )
