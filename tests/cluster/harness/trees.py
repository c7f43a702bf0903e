"""Trees on a real cluster, written as words; each test has names of its own.

`plant("org: cpu 20 > team > a, b, c")` makes the namespaces and TreeQuotas, and returns when pods
can be created in all of them. What a name means in the test is its last part: `tree["a"]`.
"""

import asyncio
import itertools
import os
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.errors import ClusterError
from quotatree.model import names
from quotatree.model.names import Namespace
from quotatree.testing import words
from quotatree.units.resources import Resources

HANG = 120.0
"""Seconds after which a test gives up waiting: no bar of ours, only an end for what hangs."""
LATER = 20
"""How often the answer "later" is taken, half a second apart, while a tree is planted."""

_SERIAL = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The tree as the test wrote it down: what the judge believes, whatever quotatree thinks."""

    prefix: str
    parents: dict[Namespace, Namespace | None]
    hard: dict[Namespace, Resources]

    def __getitem__(self, short: str) -> Namespace:
        name = Namespace(f"{self.prefix}-{short}")
        assert name in self.parents, f"no {short} in {sorted(self.parents)}"
        return name

    def line(self, name: Namespace) -> list[Namespace]:
        """The namespace and its ancestors, the root last."""
        found = [name]
        while (above := self.parents[found[-1]]) is not None:
            found.append(above)
        return found

    def limited(self, name: Namespace) -> set[str]:
        """The resource names that the namespace or an ancestor limits."""
        return {r for level in self.line(name) for r in self.hard.get(level, ())}


def sketch(text: str) -> Tree:
    """Return the tree that `text` describes, nothing of it planted yet."""
    prefix = f"t{os.getpid() % 10000}-{next(_SERIAL)}"
    world = words.world(_siblings(text))

    def full(name: str) -> Namespace:
        return Namespace(f"{prefix}-{name}")

    return Tree(
        prefix=prefix,
        parents={
            full(name): None if seen.parent is None else full(seen.parent)
            for name, seen in world.namespaces.items()
        },
        hard={full(quota.namespace): quota.hard for quota in world.limits.all()},
    )


def _siblings(text: str) -> str:
    """Write `a > b1..b3` out as three chains."""
    chains = []
    for chain in text.split(";"):
        match = re.search(r"([a-z-]+)(\d+)\.\.(?:[a-z-]+)?(\d+)", chain)
        if match is None:
            chains.append(chain)
            continue
        for number in range(int(match[2]), int(match[3]) + 1):
            chains.append(chain.replace(match[0], f"{match[1]}{number}"))
    return ";".join(_siblings(c) if ".." in c else c for c in chains)


async def plant(client: Client, text: str) -> Tree:
    """Make what `text` describes and wait until it is enforced everywhere."""
    tree = sketch(text)
    for level in _levels(tree):
        await asyncio.gather(*(_make(client, tree, name) for name in level))
    await eventually(lambda: _enforced(client, tree), what=f"{tree.prefix} is enforced")
    return tree


def _levels(tree: Tree) -> Iterable[list[Namespace]]:
    depths = {name: len(tree.line(name)) for name in tree.parents}
    for depth in sorted(set(depths.values())):
        yield [name for name, at in depths.items() if at == depth]


async def _make(client: Client, tree: Tree, name: Namespace) -> None:
    body = namespace(name, tree.parents[name])
    await patiently(lambda: client.create(paths.NAMESPACES, body))
    if name in tree.hard:
        await limit(client, name, tree.hard[name])


def namespace(name: str, parent: str | None) -> dict[str, object]:
    """Return the body of a Namespace under `parent`."""
    labels = {} if parent is None else {names.LABEL_PARENT: parent}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels},
    }


async def limit(client: Client, name: Namespace, hard: Resources) -> None:
    """Put the TreeQuota `limit` on a namespace."""
    body = {
        "apiVersion": "quotatree.dev/v1alpha1",
        "kind": "TreeQuota",
        "metadata": {"name": "limit"},
        "spec": {"hard": hard.to_strings()},
    }
    await patiently(lambda: client.create(paths.TREE_QUOTAS, body, namespace=name))


async def patiently(ask: Callable[[], Awaitable[object]]) -> None:
    """Ask again while the answer is "later", or nobody answers the API server's own question.

    A test before may have changed the leader, or started it anew.
    """
    for _ in range(LATER):
        try:
            await ask()
        except ClusterError as error:
            if error.status != 429 and "failed calling webhook" not in str(error):
                raise
            await asyncio.sleep(0.5)
        else:
            return
    await ask()


async def _enforced(client: Client, tree: Tree) -> bool:
    selector = f"{names.LABEL_ENFORCED}=true"
    found, _ = await client.list_all(paths.NAMESPACES, label_selector=selector)
    standing = {item["metadata"]["name"] for item in found}
    if not tree.parents.keys() <= standing:
        return False
    accounts, _ = await client.list_all(paths.SERVICE_ACCOUNTS)
    served = {
        item["metadata"]["namespace"] for item in accounts if item["metadata"]["name"] == "default"
    }
    return tree.parents.keys() <= served


async def clear(client: Client, tree: Tree, *shorts: str) -> None:
    """Delete all pods of the tree, or of these namespaces in it, and wait for their room.

    And until nothing is tightened any more: whoever asks then asks in a quiet tree.
    """
    chosen = [tree[short] for short in shorts] or list(tree.parents)
    await asyncio.gather(*(delete_pods(client, name) for name in chosen))

    async def quiet() -> bool:
        quotas = await managed(client)
        empty = not any(any(used_in(quotas[name]).nanos().values()) for name in chosen)
        parts = [(quotas[name]["status"]["hard"], quotas[name]["spec"]["hard"]) for name in chosen]
        return empty and all(applied == asked for applied, asked in parts)

    await eventually(quiet, what=f"{tree.prefix} is empty and quiet")


async def managed(client: Client) -> dict[str, dict[str, Any]]:
    """Return the managed ResourceQuota of every namespace."""
    found, _ = await client.list_all(
        paths.RESOURCE_QUOTAS, label_selector=f"{names.LABEL_MANAGED}=true"
    )
    return {quota["metadata"]["namespace"]: quota for quota in found}


def used_in(quota: dict[str, Any]) -> Resources:
    """Return the usage that a ResourceQuota shows."""
    return Resources.parse(quota["status"].get("used", {}))


async def used(client: Client, chosen: Iterable[Namespace]) -> dict[Namespace, Resources]:
    """Return what the managed ResourceQuotas of these namespaces say is used."""
    quotas = await managed(client)
    return {name: used_in(quotas[name]) for name in chosen}


async def delete_pods(client: Client, name: Namespace) -> None:
    """Delete all pods of a namespace at once."""
    await client.request("DELETE", paths.PODS.path(name), params={"gracePeriodSeconds": "0"})


async def fell(client: Client, tree: Tree) -> None:
    """Take the pods and the limits of a tree away; its namespaces go with the sandbox."""
    await asyncio.gather(*(delete_pods(client, name) for name in tree.parents))
    for name in tree.hard:
        await client.delete(paths.TREE_QUOTAS, "limit", namespace=name)


async def eventually(check: Callable[[], Awaitable[bool]], *, what: str) -> None:
    """Wait until `check` holds; errors of the API server count as "not yet"."""
    end = time.monotonic() + HANG
    said = ""
    while True:
        try:
            if await check():
                return
        except ClusterError as error:
            said = f" ({error})"
        if time.monotonic() > end:
            raise AssertionError(f"not within {HANG:.0f} s: {what}{said}")
        await asyncio.sleep(0.1)
