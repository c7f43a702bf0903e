"""A wrong usage counted again, by the native controller itself.

Nothing is computed here and written: what the objects cost is counted by whoever counts them
always. The native controller counts a ResourceQuota anew when its `spec.hard` changes (Kubernetes
1.36, `pkg/controller/resourcequota/resource_quota_controller.go`), so one ceiling of a managed
ResourceQuota is made smaller by the least amount and put back. Those ceilings are wider than any
cluster (decision 0004), so nothing is limited otherwise, no name is added that would have to be
measured first, and both writes carry the resourceVersion: neither undoes anybody's.
"""

from __future__ import annotations

from typing import Final

from quotatree.cluster import apply, paths
from quotatree.cluster.client import Client
from quotatree.codec import managed
from quotatree.errors import ClusterError
from quotatree.model.effect import PatchManaged
from quotatree.model.names import Namespace
from quotatree.model.observed import ManagedQuota
from quotatree.units.quantity import NANO
from quotatree.units.resources import Resources

TRIES: Final = 5
CONFLICT: Final = 409


async def count_again(client: Client, namespace: Namespace, quota: str) -> None:
    """Have a managed ResourceQuota counted anew.

    Raises:
        ClusterError: it may not be changed, or changes faster than we can.
    """
    hard = (await _read(client, namespace, quota)).spec_hard
    await _swap(client, namespace, quota, hard=hard, to=nudged(hard))
    # The controller, where one is running, puts it back before we do; that counts as well.
    await _swap(client, namespace, quota, hard=nudged(hard), to=hard)


def nudged(hard: Resources) -> Resources:
    """Return the ceilings with the greatest one smaller by one: another spec, the same limits."""
    name = max(sorted(hard), key=hard.nano)
    return hard - Resources.from_nano({name: NANO})


async def _read(client: Client, namespace: Namespace, quota: str) -> ManagedQuota:
    return managed.parse(await client.get(paths.RESOURCE_QUOTAS, quota, namespace=namespace))


async def _swap(
    client: Client, namespace: Namespace, quota: str, *, hard: Resources, to: Resources
) -> None:
    """Change spec.hard from one value to another; what has changed otherwise stays."""
    for _ in range(TRIES):
        seen = await _read(client, namespace, quota)
        if seen.spec_hard != hard:
            return
        what = PatchManaged(
            namespace=namespace, quota=quota, resource_version=seen.resource_version, hard=to
        )
        try:
            await apply.patch_managed(client, what)
        except ClusterError as error:
            if error.status != CONFLICT:
                raise
        else:
            return
    raise ClusterError(
        f"resourcequota/{quota} -n {namespace} changes faster than it can be counted again; "
        "next: try again when less is created there",
        status=CONFLICT,
    )
