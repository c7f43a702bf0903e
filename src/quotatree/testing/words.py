"""Trees written as words: `world("org: cpu 20 > team: cpu 5 > alice; org > bob: keeps cpu 3")`.

Chains are separated by `;` or new lines, levels by `>`. A level is a name, and after a colon the
resources of its TreeQuota: `cpu 20` is a hard, `keeps cpu 3` a guarantee, `holds pods 2` committed
usage. A name that appears again needs no colon.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from quotatree.engine import room
from quotatree.engine.ledger import Ledger
from quotatree.engine.world import World
from quotatree.errors import InputError
from quotatree.model.names import Namespace, QuotaName, Uid
from quotatree.model.observed import ManagedQuota, ObservedNamespace
from quotatree.model.quota import Quota
from quotatree.model.scope import UNSCOPED, ScopeSet, managed_name
from quotatree.units.resources import Resources

_LEVEL: Final = re.compile(r"^\s*(?P<name>[a-z0-9-]+)\s*(?::\s*(?P<amounts>.*))?$")
_AMOUNT: Final = re.compile(r"^(?:(?P<verb>keeps|holds)\s+)?(?P<name>\S+)\s+(?P<amount>\S+)$")


class Versions:
    """Hands out resourceVersions, each greater than the one before."""

    def __init__(self) -> None:
        self.last = 0

    def next(self) -> int:
        """Return the next resourceVersion."""
        self.last += 1
        return self.last


def world(
    text: str, *, epoch: int = 1, versions: Versions | None = None, into: World | None = None
) -> World:
    """Return a world in which everything that `text` says is committed and in force.

    With `into` it is brought into that world, whose epoch then counts.

    Raises:
        InputError: the text does not follow the grammar above.
    """
    versions = versions or Versions()
    found = into or World(Ledger(epoch=epoch))
    parents: dict[str, str | None] = {}
    amounts: dict[str, dict[str, dict[str, str]]] = {}
    for chain in filter(str.strip, re.split(r"[;\n]", text)):
        above: str | None = None
        for level in chain.split(">"):
            name, said = _level(level)
            if above is not None or name not in parents:
                parents[name] = above
            for verb, entries in said.items():
                amounts.setdefault(name, {}).setdefault(verb, {}).update(entries)
            above = name
    for name, parent in parents.items():
        found.see_namespace(namespace(name, parent=parent, version=versions.next()))
    for name, said in amounts.items():
        if said.keys() & {"", "keeps"}:
            found.see_quota(quota(name, hard=said.get("", {}), guaranteed=said.get("keeps", {})))
    found.limits.settle()
    for name in parents:
        used = amounts.get(name, {}).get("holds", {})
        found.see_managed(managed(found, name, used=used, version=versions.next()))
    return found


def _level(text: str) -> tuple[str, dict[str, dict[str, str]]]:
    match = _LEVEL.match(text)
    if match is None:
        raise InputError(f"{text!r}: expected `name` or `name: resource amount, …`")
    said: dict[str, dict[str, str]] = {}
    for part in filter(str.strip, (match["amounts"] or "").split(",")):
        entry = _AMOUNT.match(part.strip())
        if entry is None:
            raise InputError(f"{part!r}: expected `resource amount`, `keeps …` or `holds …`")
        said.setdefault(entry["verb"] or "", {})[entry["name"]] = entry["amount"]
    return match["name"], said


def namespace(
    name: str, *, parent: str | None = None, version: int = 1, uid: str = ""
) -> ObservedNamespace:
    """Return a Namespace as the API server shows it."""
    return ObservedNamespace(
        name=Namespace(name),
        uid=Uid(uid or f"uid-{name}"),
        resource_version=version,
        parent=None if parent is None else Namespace(parent),
    )


def quota(
    name: str,
    *,
    hard: Mapping[str, str] | None = None,
    guaranteed: Mapping[str, str] | None = None,
    scopes: ScopeSet = UNSCOPED,
    generation: int = 1,
) -> Quota:
    """Return the TreeQuota `quota` of a namespace."""
    return Quota(
        namespace=Namespace(name),
        name=QuotaName("quota"),
        uid=Uid(f"uid-quota-{name}"),
        generation=generation,
        hard=Resources.parse(hard or {}),
        guaranteed=Resources.parse(guaranteed or {}),
        scopes=scopes,
    )


def managed(
    world: World,
    name: str,
    *,
    used: Mapping[str, str],
    version: int,
    scopes: ScopeSet = UNSCOPED,
) -> ManagedQuota:
    """Return the managed ResourceQuota of a namespace, measured, fenced and open."""
    ceilings = room.ceilings(world.ledger.forest.get(Namespace(name)), scopes)
    hard = Resources.from_nano({r: 10**27 if a is None else a for r, a in ceilings.items()})
    zero = dict.fromkeys(ceilings, 0)
    return ManagedQuota(
        namespace=Namespace(name),
        name=managed_name(scopes),
        uid=Uid(f"uid-managed-{name}"),
        resource_version=version,
        scopes=scopes,
        spec_hard=hard,
        status_hard=hard,
        used=Resources.from_nano({**zero, **Resources.parse(used).nanos()}),
        epoch=world.ledger.epoch,
        ready=True,
    )
