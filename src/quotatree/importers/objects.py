"""The objects to import, by what they say they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from quotatree.codec import fields, kinds

Object = Mapping[str, Any]
KindName = tuple[str, str]
"""API group and kind, such as `("hnc.x-k8s.io", "HierarchyConfiguration")`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What selectors and tools read of a namespace."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """Everything that was given, without looking into it."""

    by_kind: Mapping[KindName, tuple[Object, ...]] = field(default_factory=dict)

    def of(self, group: str, kind: str) -> tuple[Object, ...]:
        """Return the objects of one kind, whatever their version, by namespace and name."""
        found = self.by_kind.get((group, kind), ())
        return tuple(sorted(found, key=lambda obj: (namespace_of(obj), name_of(obj))))

    def namespaces(self) -> dict[str, Facts]:
        """Return the Namespaces, and OpenShift's Projects, which show the same ones."""
        found = (*self.of("project.openshift.io", "Project"), *self.of("", "Namespace"))
        return {
            name_of(obj): Facts(
                labels=_texts(obj, "labels"), annotations=_texts(obj, "annotations")
            )
            for obj in found
            if name_of(obj)
        }

    def counts(self) -> Counter[KindName]:
        """Return how many objects of each kind there are."""
        return Counter({kind: len(found) for kind, found in self.by_kind.items()})


def of(found: Iterable[Object]) -> Objects:
    """Return objects by kind."""
    by_kind: dict[KindName, list[Object]] = {}
    for obj in found:
        by_kind.setdefault(kinds.of(obj), []).append(obj)
    return Objects(by_kind={kind: tuple(items) for kind, items in by_kind.items()})


def name_of(obj: Object) -> str:
    """Return the object's name, empty when it has none."""
    return fields.text(fields.mapping(obj, "metadata"), "name")


def namespace_of(obj: Object) -> str:
    """Return the object's namespace, empty when it has none."""
    return fields.text(fields.mapping(obj, "metadata"), "namespace")


def source_of(obj: Object) -> str:
    """Return e.g. `resourcequota/compute -n team`, as messages name it."""
    namespace = namespace_of(obj)
    place = f" -n {namespace}" if namespace else ""
    return f"{fields.text(obj, 'kind').lower()}/{name_of(obj)}{place}"


def _texts(obj: Object, key: str) -> dict[str, str]:
    found = fields.mapping(fields.mapping(obj, "metadata"), key)
    return {name: value for name, value in found.items() if isinstance(value, str)}
