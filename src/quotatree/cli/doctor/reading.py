"""What the doctor looks at in the cluster. Reads only; its one write is a trial (`dryRun`)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from quotatree.cli import install, observe
from quotatree.cli.doctor import installed, standing
from quotatree.cli.doctor.installed import Answer, Right
from quotatree.cli.doctor.standing import Look
from quotatree.cluster import paths, recount, together
from quotatree.cluster.client import Client
from quotatree.codec import charges, defaults, leases
from quotatree.errors import ClusterError
from quotatree.importers import objects, reading
from quotatree.importers.reading import Versions
from quotatree.manifests.objects import LEASE, Manifest
from quotatree.manifests.webhook import WEBHOOK_CONFIGURATION
from quotatree.model.charge import Charge
from quotatree.model.names import Namespace
from quotatree.units import resource_names
from quotatree.webhook import tls
from quotatree.webhook.certificates import Issued

_AUTHORIZATION: Final = "authorization.k8s.io"
_REVIEWS: Final = paths.Kind(_AUTHORIZATION, "v1", "subjectaccessreviews", False)
_OWN_REVIEWS: Final = paths.Kind(_AUTHORIZATION, "v1", "selfsubjectaccessreviews", False)

FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
BUSY: Final = 429


# -- the installation -----------------------------------------------------------------------


async def server(client: Client) -> str:
    """Return what the API server says of itself. Raises: ClusterError when it cannot be reached."""
    answer = await client.request("GET", "/version", timeout=5.0, retry=False)
    return f"Kubernetes {answer.get('gitVersion', 'unknown')} at {client.server}"


async def configuration(client: Client) -> tuple[dict[str, Any] | None, str]:
    """Return the webhook's configuration, if it is there, or why it cannot be read."""
    try:
        return await client.find(paths.VALIDATING_WEBHOOKS, WEBHOOK_CONFIGURATION), ""
    except ClusterError as error:
        if error.status != FORBIDDEN:
            raise
        return None, str(error)


async def parts(client: Client, wanted: Sequence[Manifest]) -> tuple[dict[str, Any] | None, ...]:
    """Return the objects of an installation as they are, None for each that is not there."""
    return await together.all_of(
        *(
            client.find(
                paths.of_object(manifest),
                manifest["metadata"]["name"],
                namespace=manifest["metadata"].get("namespace"),
            )
            for manifest in wanted
        )
    )


async def allowed(client: Client, user: str, rights: Iterable[Right]) -> tuple[bool, ...]:
    """Return which of these rights a ServiceAccount has. Raises: ClusterError, 403 for us."""
    namespace = user.split(":")[2]
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"]
    who = {"user": user, "groups": [*groups, "system:authenticated"]}
    return await together.all_of(
        *(_allowed(client, _REVIEWS, right=right, who=who) for right in rights)
    )


async def mine(client: Client, right: Right) -> bool:
    """Whether the person at the screen has a right. Raises: ClusterError."""
    return await _allowed(client, _OWN_REVIEWS, right=right, who={})


async def _allowed(
    client: Client, kind: paths.Kind, *, right: Right, who: Mapping[str, Any]
) -> bool:
    body = {
        "apiVersion": kind.api_version,
        "kind": "SubjectAccessReview" if who else "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": right.attributes(), **who},
    }
    answer = await client.request("POST", kind.path(), body=body)
    return bool(answer.get("status", {}).get("allowed"))


async def trial(client: Client) -> Answer:
    """Ask for what only the webhook refuses, on trial: nothing is created."""
    begun = time.monotonic()
    error = await install.probe(client)
    seconds = time.monotonic() - begun
    if error is None:
        return Answer(seconds=seconds)
    said = str(error)
    if "failed calling webhook" in said:
        return Answer(wrong=said)
    return Answer(
        wrong=said,
        forbidden=error.status == FORBIDDEN,
        busy=error.status == BUSY,
        seconds=seconds,
    )


async def leader(client: Client, namespace: str) -> str:
    """Return who holds the lease, empty when nobody does or it may not be read."""
    try:
        found = await client.find(paths.LEASES, LEASE, namespace=namespace)
    except ClusterError as error:
        if error.status != FORBIDDEN:
            raise
        return ""
    return leases.parse(found).holder if found is not None else ""


async def certificate(client: Client, namespace: str) -> tuple[Issued | None, str]:
    """Return the webhook's certificates, or why they cannot be read."""
    try:
        secret = await client.find(paths.SECRETS, installed.SECRET, namespace=namespace)
    except ClusterError as error:
        if error.status != FORBIDDEN:
            raise
        return None, str(error)
    if secret is None:
        return None, f"there is no Secret {namespace}/{installed.SECRET}"
    found = tls.read(secret)
    return found, "" if found is not None else f"Secret {namespace}/{installed.SECRET} is unusable"


# -- the tree -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look, and the resources that could not be listed, with the reason."""

    look: Look
    unread: Mapping[str, str]


async def look(client: Client, versions: Versions) -> Seen:
    """Return the tree, its measurements and what all objects in it cost. Raises: ClusterError."""
    seen = (await observe.lists(client, managed_by_name=True)).observed()
    names = {name for quota in seen.managed for name in quota.spec_hard}
    wanted = {resource for name in names for resource in resource_names.sources(name)}
    extended = any(map(resource_names.is_extended, names))
    within = frozenset(quota.namespace for quota in seen.managed)
    costs, unread = await _costs(client, versions, wanted=wanted, extended=extended, within=within)
    return Seen(
        look=Look(
            seen=seen,
            world=standing.world(seen),
            charges=costs,
            counted=frozenset(wanted - unread.keys()),
        ),
        unread=unread,
    )


async def _costs(
    client: Client,
    versions: Versions,
    *,
    wanted: set[str],
    extended: bool,
    within: frozenset[Namespace],
) -> tuple[dict[Namespace, tuple[Charge, ...]], dict[str, str]]:
    found: dict[Namespace, list[Charge]] = {}
    unread: dict[str, str] = {}
    for resource in sorted(wanted):
        known = defaults.NONE
        try:
            items = await _listed(client, resource, versions)
            if resource == resource_names.DEVICE_CLAIMS and items and extended:
                known = defaults.gather(device_classes=await recount.device_classes(client))
        except ClusterError as error:
            if error.status not in (FORBIDDEN, NOT_FOUND):
                raise
            if resource != resource_names.DEVICE_CLAIMS or error.status == FORBIDDEN:
                unread[resource] = str(error)
            continue  # a cluster that does not have the kind ResourceClaim has no claims
        now = datetime.fromtimestamp(time.time(), UTC)
        for item in items:
            namespace = Namespace(objects.namespace_of(item))
            if namespace in within:
                cost = charges.of_resource(resource, item, defaults=known, now=now)
                found.setdefault(namespace, []).append(cost)
    return {name: tuple(costs) for name, costs in found.items()}, unread


async def _listed(client: Client, resource: str, versions: Versions) -> list[dict[str, Any]]:
    plural, _, group = resource.partition(".")
    tried = ("v1",) if not group else versions.get(group, ())
    for version in tried:
        try:
            return (await client.list_all(paths.Kind(group, version, plural, True)))[0]
        except ClusterError as error:
            # A group may serve this kind in another of its versions only.
            if error.status != NOT_FOUND or version == tried[-1]:
                raise
    raise ClusterError(f"the API server knows no group {group}", status=NOT_FOUND)


async def limit_ranges(client: Client) -> dict[str, list[dict[str, Any]]]:
    """Return the LimitRanges by namespace. Raises: ClusterError."""
    found, _ = await client.list_all(paths.LIMIT_RANGES)
    by_namespace: dict[str, list[dict[str, Any]]] = {}
    for item in found:
        by_namespace.setdefault(objects.namespace_of(item), []).append(item)
    return by_namespace


async def foreign(client: Client) -> objects.Objects:
    """Return the objects of other tools, as far as they may be read."""
    return await reading.read(client)
