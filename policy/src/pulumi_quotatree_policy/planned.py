"""What a program plans for a cluster: its Kubernetes objects, each with its URN."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pulumi_quotatree_policy import plain
from quotatree.codec import defaults, kinds, workloads
from quotatree.codec.expansion import Context
from quotatree.model.names import LABEL_PARENT, Namespace
from quotatree.model.workload import Workload

PREFIX: Final = "kubernetes:"
OPAQUE: Final = frozenset({"kubernetes:helm.sh/v3:Release"})
"""Resources whose objects are made behind Pulumi's back."""

_NOT_OBJECTS: Final = ("kubernetes:helm.sh/", "kubernetes:kustomize", "kubernetes:yaml")
_PATCH: Final = "Patch"
DEFAULT_NAMESPACE: Final = Namespace("default")


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One Kubernetes object. A `patch` names some fields of an object that somebody else makes."""

    urn: str
    obj: Mapping[str, Any]
    patch: bool = False

    @property
    def kind(self) -> tuple[str, str]:
        """API group and kind."""
        return kinds.of(self.obj)

    @property
    def name(self) -> str:
        """Name of the object, empty when it is not known yet."""
        return plain.text(self.obj, "metadata", "name")

    @property
    def label(self) -> str:
        """What people call it, e.g. `deployment/trainer`."""
        return f"{self.kind[1].lower()}/{self.name or self.urn.rpartition('::')[2]}"

    @property
    def namespace(self) -> Namespace | None:
        """The namespace that it lies in, None when that is not known yet."""
        if plain.is_unknown(self.obj, "metadata") or plain.is_unknown(
            self.obj, "metadata", "namespace"
        ):
            return None
        return Namespace(plain.text(self.obj, "metadata", "namespace")) or DEFAULT_NAMESPACE

    @property
    def parent(self) -> str:
        """The parent that a Namespace names, empty for none or one that is not known yet."""
        return plain.text(self.obj, "metadata", "labels", LABEL_PARENT)

    @property
    def exists(self) -> bool:
        """Whether the cluster has it already: only what is stored has a resourceVersion."""
        return bool(plain.text(self.obj, "metadata", "resourceVersion"))

    def unknown(self, *steps: str) -> tuple[str, ...]:
        """Return where in a part of it values are not known yet."""
        return tuple(plain.unknown_paths(plain.part(self.obj, *steps), steps))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All objects of a program, sorted by URN; `opaque` are those that cannot be looked into."""

    objects: tuple[Planned, ...] = ()
    opaque: tuple[Planned, ...] = ()

    def of(self, group: str, kind: str) -> Iterator[Planned]:
        """Yield the objects of one kind that the program itself makes."""
        return (it for it in self.objects if it.kind == (group, kind) and not it.patch)

    def namespaces(self) -> Iterator[Planned]:
        """Yield the Namespaces that the program makes."""
        return self.of("", "Namespace")

    def named_namespaces(self) -> dict[Namespace, list[Planned]]:
        """Return what the program says of each namespace, patches included."""
        found: dict[Namespace, list[Planned]] = {}
        for it in self.objects:
            if it.kind == ("", "Namespace") and it.name:
                found.setdefault(Namespace(it.name), []).append(it)
        return found

    def tree_quotas(self) -> Iterator[Planned]:
        """Yield the TreeQuotas."""
        return self.of("quotatree.dev", "TreeQuota")

    def resource_quotas(self) -> Iterator[Planned]:
        """Yield the ResourceQuotas."""
        return self.of("", "ResourceQuota")

    def workloads(self) -> Iterator[tuple[Planned, Workload]]:
        """Yield every object of a namespace with all that it leads to."""
        contexts: dict[Namespace | None, Context] = {}
        for it in self.objects:
            if it.patch or kinds.KNOWN.get(it.kind) == "":
                continue
            if it.namespace not in contexts:
                contexts[it.namespace] = self._context(it.namespace)
            yield it, workloads.read(it.obj, contexts[it.namespace])

    def _context(self, namespace: Namespace | None) -> Context:
        inside = [it for it in self.objects if not it.patch and it.namespace == namespace]
        ranges = [it.obj for it in inside if it.kind == ("", "LimitRange")]
        context = Context(defaults=defaults.gather(limit_ranges=ranges))
        return context.knowing(it.obj for it in inside)


def pod_template(it: Planned) -> Planned:
    """Return an object whose pods are of the same template and can be counted.

    How many pods a DaemonSet has depends on the nodes; what each of them is like does not.
    """
    if it.kind != ("apps", "DaemonSet"):
        return it
    return replace(it, obj={**it.obj, "kind": "ReplicaSet"})


def templates(plan: Plan) -> Plan:
    """Return the plan for questions about pods, whatever their number."""
    return replace(plan, objects=tuple(pod_template(it) for it in plan.objects))


def read(resources: Iterable[tuple[str, str, Mapping[str, Any]]]) -> Plan:
    """Return the plan of resources: URN, type and properties of each."""
    objects, opaque = [], []
    for urn, token, props in sorted(resources, key=lambda it: it[0]):
        if token in OPAQUE:
            opaque.append(Planned(urn=urn, obj={"kind": "Release", **props}))
        elif token.startswith(PREFIX) and not token.startswith(_NOT_OBJECTS):
            objects.append(_planned(urn, token, props))
    return Plan(objects=tuple(objects), opaque=tuple(opaque))


def _planned(urn: str, token: str, props: Mapping[str, Any]) -> Planned:
    _, version, kind = token.split(":", 2)
    patch = kind.endswith(_PATCH) and len(kind) > len(_PATCH)
    return Planned(
        urn=urn,
        patch=patch,
        obj={
            **props,
            "apiVersion": version.removeprefix("core/"),
            "kind": kind.removesuffix(_PATCH) if patch else kind,
        },
    )
