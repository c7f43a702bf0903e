"""Carrying out a plan of `quotatree apply`, one object after the other."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from quotatree.cli import observe
from quotatree.cli.plan_apply import ApplyNamespace, ApplyQuota, Cluster, Marked, Plan
from quotatree.cluster import paths, together
from quotatree.cluster.client import Client
from quotatree.codec import desired, namespaces, quotas
from quotatree.errors import ClusterError
from quotatree.model import names
from quotatree.model.names import Namespace

CREATED: Final = "created"
CONFIGURED: Final = "configured"
UNCHANGED: Final = "unchanged"
REMOVED: Final = "removed"
DETACHED: Final = "detached"
DELETED: Final = "deleted"
REFUSED: Final = "refused"
SKIPPED: Final = "skipped"

_POLL: Final = 0.2  # seconds
_CHILDREN_SEEN: Final = 5.0  # seconds
_NOT_YET: Final = 429  # the controller is not ready to judge: it says nothing against the object


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The cluster before the first step: `objects` by kind, namespace and name."""

    cluster: Cluster
    objects: Mapping[tuple[str, str, str], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one object."""

    name: str
    outcome: str
    error: str = ""


async def look(client: Client) -> Before:
    """Return what is there. Raises: ClusterError."""
    (spaces, _), (limits, _) = await together.all_of(
        client.list_all(paths.NAMESPACES), observe.tree_quotas(client)
    )
    seen = [(namespaces.parse(item), desired.applied_root(item)) for item in spaces]
    marked = [
        Marked(namespace=ns.name, uid=ns.uid, root=root, parent=ns.parent)
        for ns, root in seen
        if root
    ]
    for item in limits:
        quota, root = quotas.parse(item), desired.applied_root(item)
        if root:
            marked.append(
                Marked(namespace=quota.namespace, uid=quota.uid, root=root, quota=quota.name)
            )
    objects = {("Namespace", "", o["metadata"]["name"]): {**o, "kind": "Namespace"} for o in spaces}
    objects |= {
        (quotas.KIND, o["metadata"]["namespace"], o["metadata"]["name"]): {**o, "kind": quotas.KIND}
        for o in limits
    }
    return Before(
        cluster=Cluster(namespaces={ns.name: ns.parent for ns, _ in seen}, marked=tuple(marked)),
        objects=objects,
    )


class Doer:
    """Does the steps of one plan and keeps the results."""

    def __init__(
        self, client: Client, before: Before, *, dry_run: bool, force: bool, timeout: float
    ) -> None:
        self.results: list[Result] = []
        self._client = client
        self._before = before
        self._dry_run = dry_run
        self._force = force
        self._timeout = timeout
        self._broken: set[Namespace] = set()

    @property
    def failed(self) -> bool:
        """Whether anything was refused."""
        return any(result.error for result in self.results)

    async def carry_out(self, plan: Plan) -> AsyncIterator[Result]:
        """Do each step and yield what became of it; a refusal spares only what depends on it.

        Nothing is removed after a refusal: the file and the cluster do not agree then.
        """
        for space in plan.namespaces:
            yield self._keep(await self._namespace(space))
        for step in plan.quotas:
            yield self._keep(await self._quota(step))
        if self.failed:
            return
        for item in plan.delete_quotas:
            yield self._keep(await self._remove_quota(item))
        for item in plan.detach:
            yield self._keep(await self._detach(item))
        for item in plan.delete_namespaces:
            yield self._keep(await self._delete(item))

    def _keep(self, result: Result) -> Result:
        self.results.append(result)
        return result

    async def _namespace(self, step: ApplyNamespace) -> Result:
        node = step.node
        name = f"namespace/{node.namespace}"
        if node.parent in self._broken:
            self._broken.add(node.namespace)
            return Result(name=name, outcome=SKIPPED, error=f"its parent {node.parent} failed")
        result = await self._apply(name, desired.namespace(node, step.root), blind=step.blind)
        if result.error:
            self._broken.add(node.namespace)
        return result

    async def _quota(self, step: ApplyQuota) -> Result:
        quota = step.quota
        name = f"treequota/{quota.name} -n {quota.namespace}"
        if quota.namespace in self._broken:
            return Result(name=name, outcome=SKIPPED, error=f"namespace {quota.namespace} failed")
        return await self._apply(name, desired.tree_quota(quota, step.root), blind=step.blind)

    async def _apply(self, name: str, body: dict[str, Any], *, blind: bool) -> Result:
        if self._dry_run and blind:
            return Result(name=name, outcome=CREATED)
        metadata = body["metadata"]
        key = (body["kind"], metadata.get("namespace", ""), metadata["name"])
        before = self._before.objects.get(key)
        try:
            after = await self._patiently(body)
        except ClusterError as error:
            hint = "; --force-conflicts takes the fields over" if error.status == 409 else ""
            return Result(name=name, outcome=REFUSED, error=f"{error}{hint}")
        if before is None:
            return Result(name=name, outcome=CREATED)
        same = desired.same(before, after)
        return Result(name=name, outcome=UNCHANGED if same else CONFIGURED)

    async def _patiently(self, body: dict[str, Any]) -> dict[str, Any]:
        """Apply, again while the controller says that it cannot judge yet."""
        deadline = asyncio.get_running_loop().time() + self._timeout
        while True:
            try:
                return await self._client.apply(body, force=self._force, dry_run=self._dry_run)
            except ClusterError as error:
                if error.status != _NOT_YET or asyncio.get_running_loop().time() > deadline:
                    raise
            await asyncio.sleep(_POLL)

    # -- removals ---------------------------------------------------------------------------

    async def _remove_quota(self, item: Marked) -> Result:
        name = f"treequota/{item.quota} -n {item.namespace}"
        path = paths.TREE_QUOTAS.path(item.namespace, item.quota)
        return await self._removal("DELETE", path, body=_only(item), done=(name, REMOVED))

    async def _detach(self, item: Marked) -> Result:
        labels = dict.fromkeys((names.LABEL_PARENT, names.LABEL_LIFECYCLE, desired.LABEL_APPLIED))
        body = {"metadata": {"uid": item.uid, "labels": labels}}
        name = f"namespace/{item.namespace}"
        path = paths.NAMESPACES.path(None, item.namespace)
        return await self._removal("PATCH", path, body=body, done=(name, DETACHED))

    async def _delete(self, item: Marked) -> Result:
        """Delete a Namespace and wait until it is gone: only then its parent has one child less."""
        name = f"namespace/{item.namespace}"
        path = paths.NAMESPACES.path(None, item.namespace)
        loop = asyncio.get_running_loop()
        # The guard of parents counts children that are gone only once the controller has seen it.
        patience = loop.time() + (0 if self._dry_run else _CHILDREN_SEEN)
        while True:
            result = await self._removal("DELETE", path, body=_only(item), done=(name, DELETED))
            if not result.error or loop.time() > patience:
                break
            await asyncio.sleep(_POLL)
        if result.error or self._dry_run:
            return result
        deadline = loop.time() + self._timeout
        while await self._client.find(paths.NAMESPACES, item.namespace) is not None:
            if loop.time() > deadline:
                error = f"still terminating after {self._timeout:g} s; apply again when it is gone"
                return Result(name=name, outcome=DELETED, error=error)
            await asyncio.sleep(_POLL)
        return result

    async def _removal(
        self, method: str, path: str, *, body: dict[str, Any], done: tuple[str, str]
    ) -> Result:
        name, outcome = done
        content = {"PATCH": "application/merge-patch+json"}.get(method, "application/json")
        params = {"dryRun": "All"} if self._dry_run else {}
        try:
            await self._client.request(method, path, body=body, params=params, content_type=content)
        except ClusterError as error:
            if error.status != 404:
                return Result(name=name, outcome=REFUSED, error=str(error))
        return Result(name=name, outcome=outcome)


def _only(item: Marked) -> dict[str, Any]:
    """Return the options of a deletion that spares a re-created object of the same name."""
    return {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": item.uid}}


def summary(results: list[Result]) -> str:
    """Return e.g. `3 created, 2 unchanged`."""
    counted = Counter(result.outcome for result in results)
    return (
        ", ".join(f"{number} {outcome}" for outcome, number in counted.items()) or "nothing to do"
    )
