"""What `quotatree explain` asks about: an object of the cluster by its name, and its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from quotatree.cli.explain_report import Asked
from quotatree.cli.surroundings import Surroundings
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.codec import controllers, fields, kinds, workloads
from quotatree.codec.findings import closest
from quotatree.engine import fit
from quotatree.errors import ClusterError, InputError
from quotatree.model.names import Namespace

Body = Mapping[str, Any]

_SHORT: Final[Mapping[str, str]] = {
    "po": "pods",
    "rc": "replicationcontrollers",
    "deploy": "deployments",
    "rs": "replicasets",
    "sts": "statefulsets",
    "ds": "daemonsets",
    "cj": "cronjobs",
    "pvc": "persistentvolumeclaims",
    "svc": "services",
    "wf": "workflows",
    "pr": "pipelineruns",
}
_SINGLE: Final = frozenset({"Pod", "PersistentVolumeClaim", "Service", "ResourceClaim"})
"""Kinds that stand for themselves: what is there was let in."""

_QUOTA_WORDS: Final = ("exceeded quota", "failed quota", "quotatree")
_MOST_EVENTS: Final = 3
_MOST_ROLES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """An object that is named on the command line."""

    kind: paths.Kind
    name: str


def named(text: str) -> Named:
    """Return the kind and name of e.g. `job/train`, `deploy/web`, `pytorchjobs.kubeflow.org/t`.

    Raises:
        InputError: no kind is called so.
    """
    word, _, name = text.partition("/")
    if not name or "/" in name:
        raise InputError(f"{text}: write KIND/NAME, e.g. job/train")
    words = _words()
    found = words.get(word.lower())
    if found is None:
        hint = closest(word.lower(), words) or "quotatree explain -f takes a file of any kind"
        raise InputError(f"{text}: no kind of workload is called {word}; {hint}")
    return Named(kind=found, name=name)


def _words() -> dict[str, paths.Kind]:
    """Return every word for a kind whose pods are known: kind, plural, with and without group."""
    found: dict[str, paths.Kind] = {}
    for group, kind in (*workloads.KINDS, ("", "Service"), ("resource.k8s.io", "ResourceClaim")):
        plural = kinds.KNOWN[group, kind]
        where = paths.Kind(group, kinds.version(group), plural, True, kind)
        for word in (kind.lower(), plural):
            found.setdefault(word, where)
            if group:
                found[f"{word}.{group}"] = where
    return found | {short: found[plural] for short, plural in _SHORT.items()}


async def object_of(client: Client, what: Named, namespace: Namespace) -> Body:
    """Return the object. Raises: ClusterError, which says so where there is none."""
    found = await client.find(what.kind, what.name, namespace=namespace)
    if found is None:
        raise ClusterError(
            f"{what.kind.kind.lower()}/{what.name} -n {namespace}: not found on {client.server}; "
            f"quotatree explain -f takes a manifest",
            status=404,
        )
    return {"apiVersion": what.kind.api_version, "kind": what.kind.kind, **found}


async def events(
    client: Client, body: Body, namespace: Namespace
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what the events of an object and of what it made say of quotas, the newest first.

    And beside it what could not be looked at.
    """
    try:
        found, _ = await client.list_all(
            paths.CORE_EVENTS, namespace=namespace, field_selector="type=Warning"
        )
    except ClusterError as error:
        if error.status != 403:
            raise
        unread = f"events in {namespace} may not be listed: what they say is not known"
        return (), (unread,)
    metadata = fields.mapping(body, "metadata")
    name, uid = fields.text(metadata, "name"), fields.text(metadata, "uid")
    return told(found, name=name, uid=uid), ()


def told(found: Iterable[Body], *, name: str, uid: str) -> tuple[str, ...]:
    """Return the different messages about quotas among events of `name`, the newest first. Pure."""
    newest: dict[str, str] = {}
    for event in found:
        about = fields.mapping(event, "involvedObject")
        its = fields.text(about, "name")
        mine = fields.text(about, "uid") == uid or its == name or its.startswith(f"{name}-")
        message = fields.text(event, "message")
        if mine and any(words in message for words in _QUOTA_WORDS):
            time = fields.text(event, "lastTimestamp") or fields.text(event, "eventTime")
            about_kind = fields.text(about, "kind").lower()
            text = f"{time} {about_kind}/{its}: {_without_name(message)}".strip()
            key = _without_name(message)
            newest[key] = max(newest.get(key, ""), text)
    return tuple(sorted(newest.values(), reverse=True)[:_MOST_EVENTS])


def _without_name(message: str) -> str:
    """Return a message without the name of the pod, which is another in each of them."""
    head, found, rest = message.partition(" is forbidden: ")
    return rest if found and head else message


def asked_of(
    body: Body, around: Surroundings, namespace: Namespace, *, told: tuple[str, ...] = ()
) -> list[Asked]:
    """Return the questions about an object that is in the cluster: its next pods, or itself.

    One for each kind of pod that it may create next.
    """
    workload = workloads.read(body, around.context(namespace))
    subject = f"{workload.label} -n {namespace}"
    pods = [part for part in workload.parts if part.is_pods]
    if workload.kind in _SINGLE or not pods:
        request = fit.Request(namespace=namespace, workload=workload, standing=workload)
        alone = Asked(
            subject=subject, request=request, namespace=namespace, events=told, exists=True
        )
        return [alone]
    found: list[Asked] = []
    for part in pods[:_MOST_ROLES]:
        one = replace(workload, parts=(replace(part, count=1, total=1),), at_most=None)
        found.append(
            Asked(
                subject=f"the next {f'{part.role} pod' if part.role else 'pod'} of {subject}",
                request=fit.Request(namespace=namespace, workload=one),
                namespace=namespace,
                events=() if found else told,
                notes=() if found else _standing(body),
            )
        )
    return found


def _standing(body: Body) -> tuple[str, ...]:
    """Say how many of its pods a controller has."""
    found = controllers.standing(body)
    if found is None:
        return ()
    wanted, have = found
    if have >= wanted:
        return (f"it has all its {wanted} pods: this is the answer for one more",)
    return (f"it has {have} of its {wanted} pods",)
