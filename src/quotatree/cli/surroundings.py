"""What a question about workloads is asked against: a cluster as it shows itself, or a state file.

Only the tree itself has to be readable. Whatever else the credentials do not allow (defaults of the
cluster, a namespace's own quotas) is left out and said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from quotatree.cli import observe, plan_inputs
from quotatree.cluster import paths, together
from quotatree.cluster.client import Client
from quotatree.codec import defaults, fields, kinds, managed, namespaces, references
from quotatree.codec.expansion import Context
from quotatree.codec.kinds import Kind, Plurals
from quotatree.engine import whatif
from quotatree.engine.fit import Situation
from quotatree.errors import ClusterError
from quotatree.model.names import Namespace, Uid
from quotatree.model.observed import ManagedQuota, ObservedNamespace

Body = Mapping[str, Any]

_HIDDEN: Final = frozenset({401, 403})
_UNSERVED: Final = frozenset({404, 405})
_AT_ONCE: Final = 16
"""Requests for single objects that are under way at the same time."""

_STORAGE_CLASSES: Final = paths.Kind("storage.k8s.io", "v1", "storageclasses", False)
_RUNTIME_CLASSES: Final = paths.Kind("node.k8s.io", "v1", "runtimeclasses", False)
_WIDE: Final = frozenset({"ClusterTrainingRuntime", "ClusterWorkflowTemplate"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Everything that answers depend on. `contexts` are by namespace, `standing` by object."""

    where: str
    situation: Situation
    contexts: Mapping[Namespace, Context] = field(default_factory=dict)
    standing: Mapping[tuple[Kind, Namespace, str], Body] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def context(self, namespace: Namespace) -> Context:
        """Return what is known for reading manifests of a namespace."""
        return self.contexts.get(namespace, Context())


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """The objects that are asked about: by namespace, and those of none."""

    objects: Mapping[Namespace, Sequence[Body]] = field(default_factory=dict)
    wide: Sequence[Body] = ()

    def everything(self) -> list[Body]:
        """Return all of them."""
        return [*self.wide, *(body for bodies in self.objects.values() for body in bodies)]


def offline(state_file: str, coming: Coming) -> Surroundings:
    """Return what a state file shows. Raises: InputError."""
    where = "<stdin>" if state_file == "-" else state_file
    seen = whatif.revive(plan_inputs.state_file(state_file))
    found = Surroundings(
        where=where,
        situation=Situation(seen=seen, complete=False),
        contexts={
            name: _context({}, [*coming.wide, *bodies]) for name, bodies in coming.objects.items()
        },
        notes=("a state file says nothing of LimitRanges and of the namespaces' own quotas",),
    )
    return _with_new_namespaces(found, coming.wide)


def _context(base: Mapping[str, list[Body]], bodies: Iterable[Body]) -> Context:
    """Return the context of a namespace: the cluster's objects, and those that come with it."""
    bodies = tuple(bodies)
    coming = [b for b in bodies if kinds.of(b) == ("", "LimitRange")]
    found = defaults.gather(
        limit_ranges=[*base.get("limitranges", ()), *coming],
        storage_classes=base.get("storageclasses", ()),
        priority_classes=base.get("priorityclasses", ()),
        runtime_classes=base.get("runtimeclasses", ()),
        device_classes=base.get("deviceclasses", ()),
    )
    return Context(defaults=found).knowing(bodies)


def _with_new_namespaces(found: Surroundings, bodies: Iterable[Body]) -> Surroundings:
    """Return the surroundings with the Namespaces that come with the manifests, as far as new."""
    known = {namespace.name for namespace in found.situation.seen.namespaces}
    new: list[ObservedNamespace] = []
    for body in bodies:
        if kinds.of(body) == ("", "Namespace"):
            namespace = namespaces.parse(body)
            if namespace.name and namespace.name not in known:
                # As if the API server had just made it: no version means "never seen".
                new.append(replace(namespace, uid=Uid(namespace.name), resource_version=1))
    seen = found.situation.seen
    seen = replace(seen, namespaces=(*seen.namespaces, *new))
    return replace(found, situation=replace(found.situation, seen=seen))


async def live(client: Client, coming: Coming, *, look_for_standing: bool = True) -> Surroundings:
    """Return what a cluster shows of these namespaces; nothing is written. Raises: ClusterError."""
    reader = _Reader(client)
    seen, plurals, shared = await together.all_of(
        observe.observe(client), reader.plurals(coming.everything()), reader.cluster_defaults()
    )
    own: dict[Namespace, tuple[ManagedQuota, ...]] = {}
    contexts = {}
    for namespace, bodies in coming.objects.items():
        quotas, ranges = await together.all_of(
            reader.all(paths.RESOURCE_QUOTAS, namespace), reader.all(paths.LIMIT_RANGES, namespace)
        )
        own[namespace] = tuple(managed.parse(q) for q in quotas if not managed.is_managed(q))
        here = [*coming.wide, *bodies]
        referred = await reader.referred(namespace, here)
        known = _context({**shared, "limitranges": ranges}, [*referred, *here])
        contexts[namespace] = replace(known, plurals=plurals)
    standing = await reader.standing(coming.objects, plurals) if look_for_standing else {}
    found = Surroundings(
        where=client.server,
        situation=Situation(seen=seen, own=own),
        contexts=contexts,
        standing=standing,
        notes=tuple(sorted(reader.notes)),
    )
    return _with_new_namespaces(found, coming.wide)


class _Reader:
    """Reads what it may; `notes` say what it may not."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self.notes: set[str] = set()

    async def all(self, kind: paths.Kind, namespace: str | None = None) -> list[Body]:
        """Return all objects of a kind, none where that is not allowed or there is no such kind."""
        try:
            found, _ = await self._client.list_all(kind, namespace=namespace)
        except ClusterError as error:
            if error.status in _HIDDEN:
                where = f" in {namespace}" if namespace else ""
                self.notes.add(f"{kind.plural}{where} may not be listed: taken for none")
            elif error.status not in _UNSERVED:
                raise
            return []
        return list(found)

    async def one(self, kind: paths.Kind, name: str, namespace: str | None) -> Body | None:
        """Return one object, None where there is none that may be seen."""
        async with self._gate:
            try:
                return await self._client.find(kind, name, namespace=namespace)
            except ClusterError as error:
                if error.status in _HIDDEN:
                    self.notes.add(f"{kind.plural} may not be read: none is taken to be there")
                elif error.status not in _UNSERVED:
                    raise
                return None

    async def cluster_defaults(self) -> dict[str, list[Body]]:
        """Return the objects that give pods and claims their defaults, by plural."""
        wanted = (
            _STORAGE_CLASSES,
            paths.PRIORITY_CLASSES,
            _RUNTIME_CLASSES,
            paths.DEVICE_CLASSES[0],
        )
        lists = await together.all_of(*(self.all(kind) for kind in wanted))
        return {kind.plural: found for kind, found in zip(wanted, lists, strict=True)}

    async def plurals(self, bodies: Iterable[Body]) -> Plurals:
        """Return how the cluster calls the kinds that the table does not know."""
        versions = {
            fields.text(body, "apiVersion")
            for body in bodies
            if kinds.of(body) not in kinds.KNOWN and "/" in fields.text(body, "apiVersion")
        }
        documents = []
        for version in sorted(versions):
            try:
                documents.append(await self._client.request("GET", f"/apis/{version}"))
            except ClusterError as error:
                if error.status not in _UNSERVED | _HIDDEN:
                    raise
        return kinds.from_discovery(documents)

    async def referred(self, namespace: Namespace, bodies: Iterable[Body]) -> list[Body]:
        """Return what manifests refer to and do not bring along, in two steps at most."""
        bodies = tuple(bodies)
        have = {(kinds.of(b), _name(b)) for b in bodies}
        found: list[Body] = []
        pending: Collection[Body] = bodies
        for _ in range(2):
            wanted = sorted({r for body in pending for r in references.of(body)} - have)
            have |= set(wanted)
            got = await together.all_of(*(self._reference(namespace, r) for r in wanted))
            pending = [body for body in got if body is not None]
            found += pending
        return found

    async def _reference(
        self, namespace: Namespace, reference: references.Reference
    ) -> Body | None:
        (group, kind), name = reference
        plural = kinds.KNOWN.get((group, kind)) or f"{kind.lower()}s"
        wide = kind in _WIDE
        where = paths.Kind(group, kinds.version(group), plural, not wide, kind)
        found = await self.one(where, name, None if wide else namespace)
        return None if found is None else {"kind": kind, **found}

    async def standing(
        self, objects: Mapping[Namespace, Sequence[Body]], plurals: Plurals
    ) -> dict[tuple[Kind, Namespace, str], Body]:
        """Return those of the objects that are in the cluster already."""
        wanted = [
            (kinds.of(body), namespace, _name(body), where)
            for namespace, bodies in objects.items()
            for body in bodies
            if _name(body) and (where := _path_kind(body, plurals)) is not None
        ]
        found = await together.all_of(
            *(self.one(where, name, namespace) for _, namespace, name, where in wanted)
        )
        return {
            (kind, namespace, name): body
            for (kind, namespace, name, _), body in zip(wanted, found, strict=True)
            if body is not None
        }


def _name(body: Body) -> str:
    return fields.text(fields.mapping(body, "metadata"), "name")


def _path_kind(body: Body, plurals: Plurals) -> paths.Kind | None:
    """Return where objects of this kind lie, None for what no quota counts or nobody knows."""
    group, kind = kinds.of(body)
    plural = plurals.get((group, kind))
    version = fields.text(body, "apiVersion").rpartition("/")[2]
    return paths.Kind(group, version, plural, True, kind) if plural and version else None
