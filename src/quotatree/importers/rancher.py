"""Rancher: projects (`management.cattle.io/v3`) and what it writes on namespaces.

A namespace says by annotation which project it belongs to and which part of the project's quota it
has; the project itself lies in Rancher's own cluster. Without it the project's limit is unknown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from quotatree.codec import fields
from quotatree.importers import draft
from quotatree.importers.draft import Link, Note, Part, StandIn
from quotatree.importers.objects import Facts, Object, Objects, name_of, source_of

GROUP: Final = "management.cattle.io"
PROJECT: Final = "field.cattle.io/projectId"
QUOTA: Final = "field.cattle.io/resourceQuota"

NATIVE: Final = {
    "pods": "pods",
    "services": "services",
    "replicationControllers": "replicationcontrollers",
    "secrets": "secrets",
    "configMaps": "configmaps",
    "persistentVolumeClaims": "persistentvolumeclaims",
    "servicesNodePorts": "services.nodeports",
    "servicesLoadBalancers": "services.loadbalancers",
    "requestsCpu": "requests.cpu",
    "requestsMemory": "requests.memory",
    "requestsStorage": "requests.storage",
    "limitsCpu": "limits.cpu",
    "limitsMemory": "limits.memory",
}
"""Rancher's name of a limit → the native one."""


def read(objects: Objects) -> Part:
    """Return projects as parents of their namespaces, with both their quotas."""
    members = {
        name: facts.annotations[PROJECT].rpartition(":")[2]
        for name, facts in sorted(objects.namespaces().items())
        if facts.annotations.get(PROJECT)
    }
    projects = {name_of(obj): obj for obj in objects.of(GROUP, "Project")}
    unknown = sorted(set(members.values()) - projects.keys())
    facts = objects.namespaces()
    return draft.join(
        (
            *(_project(obj) for obj in projects.values()),
            *(_unknown(project) for project in unknown),
            *(_member(name, project, facts[name]) for name, project in members.items()),
        )
    )


def _project(obj: Object) -> Part:
    spec, source, project = fields.mapping(obj, "spec"), source_of(obj), name_of(obj)
    stand_in = _stand_in(project, fields.text(spec, "displayName") or project, source)
    found = fields.mapping(fields.mapping(spec, "resourceQuota"), "limit")
    quota = _limit(found, node=stand_in.key, source=source) if found else Part()
    notes = []
    if fields.mapping(fields.mapping(spec, "namespaceDefaultResourceQuota"), "limit"):
        message = "spec.namespaceDefaultResourceQuota: a new namespace gets no quota by itself"
        notes.append(Note(source=source, message=message))
    if spec.get("containerDefaultResourceLimit"):
        message = "spec.containerDefaultResourceLimit: no quota; it stays a LimitRange"
        notes.append(Note(source=source, message=message))
    return draft.join((Part(stand_ins=(stand_in,), notes=tuple(notes)), quota))


def _unknown(project: str) -> Part:
    source = f"project/{project}"
    message = "its own limit lies in Rancher's cluster; give the Project object too"
    return Part(
        stand_ins=(_stand_in(project, project, source),),
        notes=(Note(source=source, message=message),),
    )


def _stand_in(project: str, name: str, source: str) -> StandIn:
    return StandIn(key=f"project/{project}", name=name, suffix="project", source=source)


def _member(name: str, project: str, facts: Facts) -> Part:
    source = f"namespace/{name}"
    link = Part(links=(Link(child=name, parent=f"project/{project}", source=source),))
    text = facts.annotations.get(QUOTA, "")
    if not text:
        return link
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        message = f"annotation {QUOTA}: it is no JSON object"
        return draft.join((link, Part(notes=(Note(source=source, message=message),))))
    limits = fields.mapping(found, "limit")
    quota = _limit(limits, node=name, source=source, subtree=False) if limits else Part()
    return draft.join((link, quota))


def _limit(found: Object, *, node: str, source: str, subtree: bool = True) -> Part:
    hard: dict[str, Any] = {NATIVE[key]: value for key, value in found.items() if key in NATIVE}
    # Set by its own name and as an extended one, the extended one is what Rancher takes.
    hard |= fields.mapping(found, "extended")
    others = _unknown_keys(found)
    quota = draft.limit({"hard": hard}, node=node, name="rancher", source=source, subtree=subtree)
    return draft.join((Part(notes=draft.ignored(source, others, why="no name of a limit")), quota))


def _unknown_keys(found: Object) -> Iterable[str]:
    return [key for key in found if key not in NATIVE and key != "extended"]
