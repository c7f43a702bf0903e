"""`QuotaTree`: a whole tree of namespaces, checked before anything is made."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

import pulumi

from pulumi_quotatree import arguments, namespaces, plan, source, values
from pulumi_quotatree.kubernetes import KubernetesObject
from pulumi_quotatree.namespaces import Place, Site
from pulumi_quotatree.plan import Terms
from pulumi_quotatree.source import Source
from pulumi_quotatree.tree_args import (
    ListedNodeArgs,
    NodeArgs,
    QuotaArgs,
    QuotaTreeArgs,
    ScopeSelectorArgs,
    ScopeTermArgs,
)
from quotatree.codec import findings, treefile
from quotatree.engine import rollup
from quotatree.model.names import Namespace
from quotatree.model.treefile import TreeFile

__all__ = [
    "ListedNodeArgs",
    "NodeArgs",
    "QuotaArgs",
    "QuotaTree",
    "QuotaTreeArgs",
    "ScopeSelectorArgs",
    "ScopeTermArgs",
]

TYPE: Final = "pulumi-quotatree:index:QuotaTree"
_FORMS: Final = ("tree", "nodes", "file", "text")


class QuotaTree(pulumi.ComponentResource):
    """A tree of namespaces with hierarchical quotas, checked as a whole at preview.

    Its namespaces are made parents first, each enforced before anything is put into it, and deleted
    children first.
    """

    namespaces: pulumi.Output[Mapping[str, str]]
    """Names by path (`org/vision/ai-pipeline`), to be had once each of them is enforced."""

    def __init__(
        self, name: str, args: QuotaTreeArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Check the tree, then register its resources.

        Raises:
            TreeError: the tree cannot be made; the message names every node that is wrong.
        """
        title = f"QuotaTree {findings.quoted(name)}"
        given = arguments.known(args, QuotaTreeArgs, title=title)
        parent = arguments.parent(given, title=title)
        terms = Terms(
            title=title,
            rooted=parent is not None,
            # What stands already may have such limits; it is not refused for them.
            strict=arguments.flag(given, "strict", title=title, default="take_over" not in given),
        )
        found = _source(given, terms, lambda: self)
        adopted = _listed(given, "adopt", found.tree, title=title)
        taken_over = _taken_over(given, found.tree, adopted, title=title)
        protect = arguments.flag(given, "protect", title=title)
        import_only = arguments.flag(given, "import_only", title=title)
        timeout = arguments.seconds(given, title=title)
        look = arguments.look(given, title=title)
        super().__init__(TYPE, name, None, opts)
        source.warn(found.warnings, self)
        site = Site(component=self, source=found, timeout_seconds=timeout, import_only=import_only)
        first = arguments.first_waits(name, look, component=self, opts=opts)
        self._names = _make(
            found.tree,
            site,
            name=name,
            roots=Place(parent=parent, waits=first, adopt=False, protect=protect),
            adopted=adopted,
            taken_over=taken_over,
        )
        self.namespaces = _by_path(found.tree, self._names)
        self.register_outputs({"namespaces": self.namespaces})

    def namespace(self, name: str) -> pulumi.Output[str]:
        """Return the name of one namespace of the tree, to be had once it is enforced.

        Raises:
            TreeError: the tree has no such namespace.
        """
        found = self._names.get(Namespace(name))
        if found is None:
            title = f"QuotaTree {findings.quoted(self._name)}"
            message = f"there is no namespace {findings.quoted(name)} in this tree"
            raise plan.refuse(title, "", message, hint=findings.closest(name, self._names))
        return found


def _source(
    given: Mapping[str, Any], terms: Terms, component: Callable[[], pulumi.Resource]
) -> Source:
    forms = [form for form in _FORMS if given.get(form) is not None]
    if len(forms) != 1:
        got = " and ".join(forms) or "none of them"
        raise plan.refuse(
            terms.title, "", f"needs exactly one of {', '.join(_FORMS)}; it has {got}"
        )
    value = given[forms[0]]
    match forms[0]:
        case "tree":
            return source.of_draft(values.nested(value), terms, component)
        case "nodes":
            return source.of_draft(values.listed(value), terms, component)
        case "file":
            data = _read(value, terms.title)
            return source.of_plan(plan.of_text(data, terms, name=str(value)))
        case _:
            if not isinstance(value, str):
                raise _plain_error(terms.title, "text", value)
            return source.of_plan(plan.of_text(value.encode(), terms, name="text"))


def _read(path: object, title: str) -> bytes:
    if not isinstance(path, str | Path):
        raise _plain_error(title, "file", path)
    try:
        # One byte more than is allowed tells too much from just enough.
        with Path(path).open("rb") as file:
            return file.read(treefile.MAX_BYTES + 1)
    except OSError as error:
        raise plan.refuse(title, f"file {findings.quoted(path)}", str(error.strerror)) from error


def _plain_error(title: str, path: str, value: object) -> Exception:
    kind = "an Output" if values.is_later(value) else findings.kind_of(value)
    return plan.refuse(title, path, f"must be a text that is known at the start, is {kind}")


def _listed(given: Mapping[str, Any], key: str, tree: TreeFile, *, title: str) -> frozenset[str]:
    """Return the namespaces that an argument lists; all of them have to be in the tree."""
    known = {str(node.namespace) for node in tree.nodes}
    listed = arguments.names(given, key, title=title)
    for index, name in enumerate(listed):
        if name not in known:
            message = f"{findings.quoted(name)} is no namespace of this tree"
            raise plan.refuse(title, f"{key}[{index}]", message, hint=findings.closest(name, known))
    return frozenset(listed)


def _taken_over(
    given: Mapping[str, Any], tree: TreeFile, adopted: frozenset[str], *, title: str
) -> frozenset[str]:
    listed = _listed(given, "take_over", tree, title=title)
    for name in sorted(listed & adopted):
        message = f"{findings.quoted(name)} is adopted too"
        hint = "what is adopted stays somebody else's; keep it in one of the two"
        raise plan.refuse(title, "take_over", message, hint=hint)
    return listed


def _make(
    tree: TreeFile,
    site: Site,
    *,
    name: str,
    roots: Place,
    adopted: frozenset[str],
    taken_over: frozenset[str],
) -> dict[Namespace, pulumi.Output[str]]:
    """Register all namespaces with their TreeQuotas; return their names, each when it stands."""
    with_children = {node.parent for node in tree.nodes}
    standing: dict[Namespace, list[KubernetesObject]] = {}
    for node in tree.nodes:
        logical = f"{name}-{node.namespace}"
        place = replace(
            roots,
            adopt=node.namespace in adopted,
            taken_over=node.namespace in taken_over,
            protect=roots.protect and node.namespace in with_children,
        )
        if node.parent is not None:
            above = pulumi.ResourceOptions(depends_on=standing[node.parent])
            place = replace(place, parent=str(node.parent), waits=above)
        made = namespaces.namespace(logical, node, site, place=place)
        # A dot cannot stand in a namespace: no two quotas of a tree come to one name.
        limits = namespaces.tree_quotas(
            f"{logical}.", node, site, needs=[made], taken_over=place.taken_over
        )
        standing[node.namespace] = limits or [made]
    return {space: namespaces.name_when(space, *needs) for space, needs in standing.items()}


def _by_path(
    tree: TreeFile, found: Mapping[Namespace, pulumi.Output[str]]
) -> pulumi.Output[Mapping[str, str]]:
    parents = {node.namespace: node.parent for node in tree.nodes}
    paths = {name: "/".join(reversed(rollup.path_up(parents, name))) for name in found}
    together: Any = pulumi.Output.from_input({paths[name]: ready for name, ready in found.items()})
    return cast("pulumi.Output[Mapping[str, str]]", together)
