"""`quotatree uninstall`: out of the cluster again, without a moment of wrong refusals.

The order, and why:

1. The webhook configurations: from now on nothing waits for an answer of ours. Native quota goes on
   holding each namespace to the ceiling that it has.
2. The policies: the gate at a namespace's birth refuses while there is no managed ResourceQuota, so
   it must not stand when those go.
3. The controller, which would put back what follows.
4. TreeQuotas, then managed ResourceQuotas, then labels, annotations, finalizers and
   ownerReferences of Namespaces; the last in one write for each.

No Namespace is deleted, and what does not act any more (the kind TreeQuota, roles, the namespace
of the installation) is left to its owner, with the commands that remove it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import click

from quotatree.cli import options, plan_uninstall
from quotatree.cluster import letting_go, paths, together
from quotatree.cluster.client import Client
from quotatree.codec import managed
from quotatree.errors import ClusterError
from quotatree.manifests import objects
from quotatree.manifests.settings import DEFAULT_NAMESPACE
from quotatree.model import names
from quotatree.model.effect import DeleteManaged

PART_OF: Final = f"app.kubernetes.io/part-of={objects.NAME}"
"""Selects everything of the installation."""

POLICY_LAG: Final = 3.0
"""Seconds until every API server has dropped a deleted policy; it looks about once a second."""
LEASE_LOOK: Final = 6.0
"""Seconds to watch the Lease for signs of a controller that still runs."""
CLEAN_WITHIN: Final = 60.0
"""Seconds after which it is no use to go on removing what comes back."""
_PAUSE: Final = 0.5  # seconds between two passes
_QUIET_PASSES: Final = 2  # one may fall between two writes of a controller that still runs
_AT_ONCE: Final = 20

_JUDGES: Final = (paths.VALIDATING_WEBHOOKS, paths.MUTATING_WEBHOOKS)
_GATES: Final = (paths.POLICY_BINDINGS, paths.POLICIES)
_LEFT: Final = (
    paths.CRDS,
    paths.CLUSTER_ROLES,
    paths.CLUSTER_ROLE_BINDINGS,
    paths.FLOW_SCHEMAS,
    paths.PRIORITY_LEVELS,
    paths.PRIORITY_CLASSES,
    paths.ROLES,
    paths.ROLE_BINDINGS,
    paths.NAMESPACES,
)


@click.command(epilog=options.examples("quotatree uninstall", "quotatree uninstall --yes -o json"))
@click.option(
    "--namespace",
    default=DEFAULT_NAMESPACE,
    show_default=True,
    help="Where the controller lives.",
)
@options.yes_option
@options.output_option("text", "json")
@options.cluster_options
def uninstall(
    *, namespace: str, yes: bool, output: str, kubeconfig: str | None, context: str | None
) -> None:
    """Take quotatree out of the cluster; no Namespace is deleted, no workload refused wrongly.

    Removes its webhook, policies and controller, all TreeQuotas, all managed ResourceQuotas, and
    its labels, annotations, finalizers and ownerReferences on Namespaces.
    """
    options.run(
        _uninstall(kubeconfig, context, namespace=namespace, yes=yes, report=_Report(output))
    )


class _Report:
    """What was done, said as it happens or as one document at the end."""

    def __init__(self, output: str) -> None:
        self.as_json = output == "json"
        self.done: list[dict[str, Any]] = []

    def say(self, step: str, number: int) -> None:
        self.done.append({"step": step, "objects": number})
        if not self.as_json and number:
            click.echo(f"{step}: {number}")

    def end(self, left: list[str]) -> None:
        if self.as_json:
            click.echo(json.dumps({"steps": self.done, "left": left}, indent=2))
        elif left:
            options.talk("What is left limits nothing any more; to remove it too:")
            for command in left:
                options.talk(f"  {command}")


async def _uninstall(
    kubeconfig: str | None, context: str | None, *, namespace: str, yes: bool, report: _Report
) -> None:
    async with await options.connect(kubeconfig, context) as client:
        quotas = await _list(client, paths.TREE_QUOTAS)
        options.talk(f"{client.server}: {len(quotas)} TreeQuotas will be removed with their limits")
        options.confirm("Take quotatree out of this cluster?", yes=yes)
        report.say("webhook configurations removed", await _clear(client, _JUDGES))
        gates = await _clear(client, _GATES)
        report.say("policies removed", gates)
        report.say("controllers removed", await _stop(client, namespace))
        if gates:
            await asyncio.sleep(POLICY_LAG)
        await _until_clean(client, report)
        await _warn_of_a_controller(client, namespace)
        report.end(plan_uninstall.removal_commands(await _left(client, namespace)))


async def _until_clean(client: Client, report: _Report) -> None:
    """Remove until nothing is left: a controller that still runs sees each step a moment later.

    Raises:
        ClusterError: there is something again and again.
    """
    deadline = asyncio.get_running_loop().time() + CLEAN_WITHIN
    quiet = 0
    while quiet < _QUIET_PASSES:
        quiet = 0 if await _pass(client, report) else quiet + 1
        if asyncio.get_running_loop().time() > deadline:
            raise ClusterError(
                "something puts back what is removed: a controller still runs; stop it, then "
                "run quotatree uninstall again"
            )
        await asyncio.sleep(_PAUSE)


async def _pass(client: Client, report: _Report) -> int:
    """Remove what there is; returns how much it was."""
    quotas = await _delete_all(client, paths.TREE_QUOTAS, await _list(client, paths.TREE_QUOTAS))
    selector = f"{names.LABEL_MANAGED}=true"
    counted = await _let_go_of(client, await _list(client, paths.RESOURCE_QUOTAS, selector))
    spaces = await _clean_namespaces(client)
    report.say("TreeQuotas removed", quotas)
    report.say("managed ResourceQuotas removed", counted)
    report.say("Namespaces cleaned", spaces)
    return quotas + counted + spaces


async def _list(
    client: Client, kind: paths.Kind, selector: str | None = None
) -> list[dict[str, Any]]:
    """Return all objects of a kind; a kind that the server does not know has none."""
    try:
        return (await client.list_all(kind, label_selector=selector))[0]
    except ClusterError as error:
        if error.status == 404:
            return []
        raise


async def _clear(client: Client, kinds: Iterable[paths.Kind]) -> int:
    number = 0
    for kind in kinds:
        number += await _delete_all(client, kind, await _list(client, kind, PART_OF))
    return number


async def _delete_all(client: Client, kind: paths.Kind, found: list[dict[str, Any]]) -> int:
    async def delete(obj: dict[str, Any]) -> None:
        metadata = obj["metadata"]
        await client.delete(
            kind, metadata["name"], namespace=metadata.get("namespace"), uid=metadata["uid"]
        )

    await _each(found, delete)
    return len(found)


async def _let_go_of(client: Client, found: list[dict[str, Any]]) -> int:
    async def let_go(obj: dict[str, Any]) -> None:
        quota = managed.parse(obj)
        what = DeleteManaged(namespace=quota.namespace, quota=quota.name, uid=quota.uid)
        await letting_go.let_go(client, what)

    await _each(found, let_go)
    return len(found)


async def _clean_namespaces(client: Client) -> int:
    patches = [
        (obj["metadata"]["name"], patch)
        for obj in await _list(client, paths.NAMESPACES)
        if (patch := plan_uninstall.cleaned(obj)) is not None
    ]

    async def clean(item: tuple[str, dict[str, Any]]) -> None:
        try:
            await client.patch(paths.NAMESPACES, item[0], body=item[1])
        except ClusterError as error:
            # Changed or gone since it was read: the next pass sees it as it is then.
            if error.status not in {404, 409}:
                raise

    await _each(patches, clean)
    return len(patches)


async def _each(items: list[Any], work: Callable[[Any], Awaitable[None]]) -> None:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(item: Any) -> None:  # noqa: ANN401 - whatever `work` takes
        async with gate:
            await work(item)

    await together.all_of(*(one(item) for item in items))


async def _stop(client: Client, namespace: str) -> int:
    """Delete the controller's Deployment and wait until its pods are gone."""
    found = [
        obj
        for obj in await _list(client, paths.DEPLOYMENTS, PART_OF)
        if obj["metadata"]["namespace"] == namespace
    ]
    await _delete_all(client, paths.DEPLOYMENTS, found)
    selector = ",".join(f"{key}={value}" for key, value in objects.selector().items())
    for _ in range(60):
        pods = await client.list_all(paths.PODS, namespace=namespace, label_selector=selector)
        if not found or not pods[0]:
            break
        await asyncio.sleep(0.5)
    return len(found)


async def _warn_of_a_controller(client: Client, namespace: str) -> None:
    """Say so when somebody still renews the Lease: a controller outside the cluster."""
    before = await client.find(paths.LEASES, objects.LEASE, namespace=namespace)
    if not plan_uninstall.holder(before):
        return
    await asyncio.sleep(LEASE_LOOK)
    after = await client.find(paths.LEASES, objects.LEASE, namespace=namespace)
    if plan_uninstall.renewed(after) != plan_uninstall.renewed(before):
        options.talk(
            f"Warning: the controller {plan_uninstall.holder(after)} still runs, outside the "
            "cluster; stop it: it would manage the next TreeQuota again"
        )


async def _left(client: Client, namespace: str) -> list[tuple[str, str, str | None]]:
    found: list[tuple[str, str, str | None]] = []
    for kind in _LEFT:
        where = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
        found += [
            (where, obj["metadata"]["name"], obj["metadata"].get("namespace"))
            for obj in await _list(client, kind, PART_OF)
            if kind is not paths.NAMESPACES or obj["metadata"]["name"] == namespace
        ]
    return found
