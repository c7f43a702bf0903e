"""Effects to requests: the one place that changes the cluster.

One request an effect, but for ownerReferences and finalizers, which are lists and are read first,
and for managed ResourceQuotas, which are emptied before they go.
A write that lost its compare-and-swap, or whose object is gone, raises `ClusterError` (409, 404):
the event that made it lose is on its way and asks for a new plan.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, assert_never

from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.cluster.letting_go import let_go
from quotatree.codec import managed, namespaces, quotas
from quotatree.errors import ClusterError
from quotatree.manifests import gate, quota_policies
from quotatree.model import effect, names
from quotatree.model.names import Namespace, Uid
from quotatree.model.quota import FailurePolicy, Quota
from quotatree.model.scope import ScopeSet
from quotatree.units.resources import Resources

Apply = Callable[[effect.Effect], Awaitable[dict[str, Any]]]
"""Carries an effect out and returns what the API server answered. Raises: ClusterError."""
JSON_PATCH: Final = "application/json-patch+json"


async def carry_out(  # noqa: C901, PLR0911 - one case each
    client: Client,
    what: effect.Effect,
    *,
    now: datetime,
    conditions: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Do one effect and return the object as the API server answered it.

    `conditions` are those that a TreeQuota shows, so that unchanged ones keep their times.
    """
    match what:
        case effect.PatchNamespace() | effect.Remember():
            return await _patch_namespace(client, what)
        case effect.SetOwner():
            return await _set_owner(client, what)
        case effect.SetFinalizer():
            return await _set_finalizer(client, what)
        case effect.CreateManaged():
            body = _managed_body(what)
            return await client.create(paths.RESOURCE_QUOTAS, body, namespace=what.namespace)
        case effect.PatchManaged() | effect.PatchManagedStatus() | effect.WriteSlice():
            return await patch_managed(client, what)
        case effect.AskRecount():
            return await _ask_recount(client, what)
        case effect.DeleteManaged():
            return await let_go(client, what)
        case effect.WriteStatus():
            return await _write_status(client, what, now=now, conditions=conditions)
        case effect.Emit():
            body = event_body(what, now)
            return await client.create(paths.EVENTS, body, namespace=what.namespace)
        case effect.GateKinds():
            return await _gate(client, what)
        case _:
            assert_never(what)


async def _patch_namespace(
    client: Client, what: effect.PatchNamespace | effect.Remember
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"uid": what.uid}
    if isinstance(what, effect.Remember):
        metadata["annotations"] = {names.ANNOTATION_HELD: namespaces.held_to_text(what.held)}
    else:
        metadata |= {"labels": dict(what.labels), "annotations": dict(what.annotations)}
    body = {"metadata": {key: value for key, value in metadata.items() if value}}
    return await client.patch(paths.NAMESPACES, what.namespace, body=body)


async def _set_owner(client: Client, what: effect.SetOwner) -> dict[str, Any]:
    """Write the reference with the UID of the parent as it lives now, never from a cache."""
    owners: list[dict[str, Any]] = []
    if what.parent is not None:
        parent = await client.get(paths.NAMESPACES, what.parent)
        if parent["metadata"].get("deletionTimestamp"):
            raise ClusterError(f"namespace {what.parent} is terminating", status=409)
        owners = [owner_reference(what.parent, Uid(parent["metadata"]["uid"]))]
    child = await _living(client, what.namespace, what.uid)
    others = [o for o in child.get("ownerReferences", ()) if o.get("kind") != "Namespace"]
    return await _patch_list(client, what.namespace, child, ownerReferences=others + owners)


def owner_reference(parent: Namespace, uid: Uid) -> dict[str, Any]:
    """Return the ownerReference that makes a namespace follow its parent's deletion."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "name": parent,
        "uid": uid,
        "blockOwnerDeletion": False,
        "controller": False,
    }


async def _set_finalizer(client: Client, what: effect.SetFinalizer) -> dict[str, Any]:
    found = await _living(client, what.namespace, what.uid)
    kept = [f for f in found.get("finalizers", ()) if f != names.FINALIZER_PARENT]
    if what.present:
        kept.append(names.FINALIZER_PARENT)
    annotations = {"annotations": dict(what.annotations)} if what.annotations else {}
    return await _patch_list(client, what.namespace, found, finalizers=kept, **annotations)


async def _living(client: Client, name: Namespace, uid: Uid) -> dict[str, Any]:
    """Return the metadata of a Namespace, if it still is the one that was decided on."""
    metadata: dict[str, Any] = (await client.get(paths.NAMESPACES, name))["metadata"]
    if metadata["uid"] != uid:
        raise ClusterError(f"namespace {name} was re-created meanwhile", status=409)
    return metadata


async def _patch_list(
    client: Client, name: Namespace, seen: Mapping[str, Any], **fields: list[Any] | dict[str, Any]
) -> dict[str, Any]:
    metadata = {"resourceVersion": seen["resourceVersion"], **fields}
    return await client.patch(paths.NAMESPACES, name, body={"metadata": metadata})


def _managed_body(what: effect.CreateManaged) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {
            "name": what.quota,
            "namespace": what.namespace,
            "labels": {k: v for k, v in _labels(what.failure_policy).items() if v is not None},
            "annotations": _annotations({}, what.limits or None),
        },
        "spec": {"hard": what.hard.to_strings(), **scopes_of(what.scopes)},
    }


def scopes_of(scopes: ScopeSet) -> dict[str, Any]:
    """Return the spec fields of a scope set."""
    return quotas.scopes_to_dict(scopes)


async def patch_managed(
    client: Client, what: effect.PatchManaged | effect.PatchManagedStatus | effect.WriteSlice
) -> dict[str, Any]:
    """Change a managed ResourceQuota or its status. Raises: ClusterError, 409 when it lost."""
    if isinstance(what, effect.WriteSlice):
        return await _write_slice(client, what)
    metadata: dict[str, Any] = {"resourceVersion": str(what.resource_version)}
    limits = what.limits if isinstance(what, effect.PatchManaged) else None
    if annotations := _annotations(what.annotations, limits):
        metadata["annotations"] = annotations
    body: dict[str, Any] = {"metadata": metadata}
    part, subresource = ("status", "status")
    if isinstance(what, effect.PatchManaged):
        part, subresource = ("spec", "")
        metadata["labels"] = _labels(what.failure_policy)
    if what.hard is not None:
        body[part] = {"hard": _hard(what.hard, what.dropped)}
    if isinstance(what, effect.PatchManagedStatus) and what.used:
        body.setdefault(part, {})["used"] = what.used.to_strings()
    return await client.patch(
        paths.RESOURCE_QUOTAS,
        what.quota,
        body=body,
        namespace=what.namespace,
        subresource=subresource or None,
    )


def _labels(policy: FailurePolicy | None) -> dict[str, str | None]:
    said = {} if policy is None else managed.policy_label(policy)
    return {names.LABEL_MANAGED: "true", **said}


async def _ask_recount(client: Client, what: effect.AskRecount) -> dict[str, Any]:
    body = {
        "metadata": {"resourceVersion": str(what.resource_version)},
        "spec": {"hard": {names.RECOUNT: "1" if what.present else None}},
    }
    return await client.patch(
        paths.RESOURCE_QUOTAS, what.quota, body=body, namespace=what.namespace
    )


async def _write_slice(client: Client, what: effect.WriteSlice) -> dict[str, Any]:
    metadata = {
        "resourceVersion": str(what.resource_version),
        "annotations": managed.slice_to_annotations(what.slice, what.dropped),
    }
    return await client.patch(
        paths.RESOURCE_QUOTAS, what.quota, body={"metadata": metadata}, namespace=what.namespace
    )


def _annotations(
    others: Mapping[str, str | None], limits: tuple[Quota, ...] | None
) -> dict[str, str | None]:
    remembered = None if limits is None else managed.limits_to_text(limits)
    return {**others} if limits is None else {**others, names.ANNOTATION_LIMITS: remembered}


def _hard(hard: Resources, dropped: Iterable[str]) -> dict[str, str | None]:
    return {**dict.fromkeys(dropped), **hard.to_strings()}


async def _write_status(
    client: Client,
    what: effect.WriteStatus,
    *,
    now: datetime,
    conditions: Iterable[Mapping[str, Any]],
) -> dict[str, Any]:
    status = quotas.status_to_dict(what.status, conditions, now)
    body = [
        {"op": "test", "path": "/metadata/uid", "value": what.uid},
        {
            "op": "test",
            "path": "/metadata/resourceVersion",
            "value": str(what.resource_version),
        },
        {"op": "add", "path": "/status", "value": status},
    ]
    return await client.patch(
        paths.TREE_QUOTAS,
        what.quota,
        body=body,
        namespace=what.namespace,
        subresource="status",
        content_type=JSON_PATCH,
    )


def event_body(what: effect.Emit, now: datetime) -> dict[str, Any]:
    """Return an Event; its name is fixed by what it says and when, to the second."""
    moment = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    text = f"{what.uid}/{what.reason}/{what.message}/{moment}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{what.name}.{digest}", "namespace": what.namespace},
        "eventTime": moment,
        "type": "Warning" if what.warning else "Normal",
        "reason": what.reason,
        "action": what.reason,
        "note": what.message[:1024],  # the API's bound
        "regarding": {
            "apiVersion": what.api_version,
            "kind": what.kind,
            "name": what.name,
            "namespace": what.namespace,
            "uid": what.uid,
        },
        "reportingController": "quotatree.dev/controller",
        "reportingInstance": "quotatree",
    }


async def _gate(client: Client, what: effect.GateKinds) -> dict[str, Any]:
    body = {"spec": {"matchConstraints": {"resourceRules": gate.birth_rules(what.resources)}}}
    return await client.patch(paths.POLICIES, quota_policies.BIRTH_GATE, body=body)
