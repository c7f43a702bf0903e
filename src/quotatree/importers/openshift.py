"""OpenShift's ClusterResourceQuota (`quota.openshift.io/v1`): a quota over picked projects.

Projects are picked by labels and annotations, both of which must match. Where no Namespace (or
Project) is given, the namespaces that the quota's own status lists are taken.
"""

from __future__ import annotations

from typing import Final

from quotatree.codec import fields
from quotatree.importers import draft, selectors
from quotatree.importers.draft import Part, StandIn
from quotatree.importers.objects import Facts, Object, Objects, name_of, source_of

GROUP: Final = "quota.openshift.io"


def read(objects: Objects) -> Part:
    """Return a quota over a set of namespaces for each ClusterResourceQuota."""
    return draft.join(_one(obj, objects) for obj in objects.of(GROUP, "ClusterResourceQuota"))


def _one(obj: Object, objects: Objects) -> Part:
    spec, name, source = fields.mapping(obj, "spec"), name_of(obj), source_of(obj)
    key = f"clusterresourcequota/{name}"
    return draft.selection(
        StandIn(key=key, name=name, suffix="quota", source=source),
        _members(obj, objects),
        draft.limit(fields.mapping(spec, "quota"), node=key, name=name, source=source),
    )


def _members(obj: Object, objects: Objects) -> frozenset[str]:
    selector = fields.mapping(fields.mapping(obj, "spec"), "selector")
    known = objects.namespaces()
    if known:
        return frozenset(name for name, facts in known.items() if _picks(selector, facts))
    listed = fields.items(fields.mapping(obj, "status"), "namespaces")
    return frozenset(fields.text(item, "namespace") for item in listed) - {""}


def _picks(selector: Object, facts: Facts) -> bool:
    labels, annotations = selector.get("labels"), fields.mapping(selector, "annotations")
    # With neither, nothing is selected: at least one has to be there.
    if not isinstance(labels, dict) and not annotations:
        return False
    return all(facts.annotations.get(k) == v for k, v in annotations.items()) and selectors.matches(
        fields.mapping(selector, "labels"), facts.labels
    )
