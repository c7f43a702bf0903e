"""Kueue (`kueue.x-k8s.io`, v1beta1 and v1beta2; Cohorts also v1alpha1) to a tree of limits.

A Cohort becomes a parent of its Cohorts and ClusterQueues, a ClusterQueue one of the namespaces
whose LocalQueues name it. What Kueue has by flavor is added up: here a resource is counted as a
whole. With n the nominal quota of a node and everything below it::

    hard       = n + borrowingLimit      none without a borrowing limit below a cohort
    guaranteed = n - lendingLimit        what nobody else can borrow; none without a lending limit
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from quotatree.codec import fields
from quotatree.engine import rollup
from quotatree.importers import draft
from quotatree.importers.draft import Limit, Link, Note, Part, StandIn
from quotatree.importers.objects import Object, Objects, name_of, namespace_of, source_of
from quotatree.model.names import Namespace
from quotatree.units import resource_names
from quotatree.units.resources import EMPTY, Resources

GROUP: Final = "kueue.x-k8s.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Numbers:
    """The quotas of a node, all flavors together.

    `borrow` and `lend` name a resource only where every flavor has that limit.
    """

    nominal: Resources = EMPTY
    borrow: Resources = EMPTY
    lend: Resources = EMPTY


def read(objects: Objects) -> Part:
    """Return the cohorts, queues and namespaces as a tree."""
    queues = {f"clusterqueue/{name_of(o)}": o for o in objects.of(GROUP, "ClusterQueue")}
    cohorts = {f"cohort/{name_of(o)}": o for o in objects.of(GROUP, "Cohort")}
    if not queues and not cohorts:
        return Part()
    notes: list[Note] = []
    own = {key: _numbers(obj, notes) for key, obj in (cohorts | queues).items()}
    parents = {key: _cohort_of(obj) for key, obj in (cohorts | queues).items()}
    # A cohort may be no more than a name that queues share.
    parents |= {parent: None for parent in parents.values() if parent and parent not in parents}
    own = dict.fromkeys(parents, _Numbers()) | own
    totals = _totals(parents, own)
    sources = {key: source_of(obj) for key, obj in (cohorts | queues).items()}
    return draft.join(
        (
            _nodes(parents, sources),
            Part(limits=tuple(_limits(parents, own=own, totals=totals))),
            _local_queues(objects, queues),
            Part(notes=(*notes, _BESIDE)),
        )
    )


_BESIDE: Final = Note(
    source="kueue",
    message="queueing, preemption, fair sharing and admission checks stay Kueue's; "
    "here every pod of a namespace counts, not only those of its queues",
    lost=False,
)


def _cohort_of(obj: Object) -> str | None:
    spec = fields.mapping(obj, "spec")
    keys = ("parentName", "parent") if obj.get("kind") == "Cohort" else ("cohortName", "cohort")
    name = next((found for key in keys if (found := fields.text(spec, key))), "")
    return f"cohort/{name}" if name else None


def _numbers(obj: Object, notes: list[Note]) -> _Numbers:
    source = source_of(obj)
    sums: dict[str, dict[str, Resources]] = {"nominal": {}, "borrow": {}, "lend": {}}
    flavors: dict[str, list[str]] = {}
    unlimited: dict[str, set[str]] = {"borrow": set(), "lend": set()}
    for flavor, entry in _entries(obj):
        name = _native(fields.text(entry, "name"))
        flavors.setdefault(name, []).append(flavor)
        for kind, key in _KEYS.items():
            amount = _amount(name, entry, key=key, source=source, notes=notes)
            if amount is None and kind in unlimited:
                unlimited[kind].add(name)
            sums[kind][name] = sums[kind].get(name, EMPTY) + (amount or EMPTY)
    notes += _flavor_notes(source, flavors)
    return _Numbers(
        nominal=_sum(sums["nominal"].values()),
        borrow=_every(sums["borrow"], unlimited["borrow"]),
        lend=_every(sums["lend"], unlimited["lend"]),
    )


_KEYS: Final = {"nominal": "nominalQuota", "borrow": "borrowingLimit", "lend": "lendingLimit"}


def _entries(obj: Object) -> Iterable[tuple[str, Object]]:
    for group in fields.items(fields.mapping(obj, "spec"), "resourceGroups"):
        for flavor in fields.items(group, "flavors"):
            for entry in fields.items(flavor, "resources"):
                yield fields.text(flavor, "name"), entry


def _native(name: str) -> str:
    """Return the quota's name for what Kueue counts, which are the requests of pods."""
    return name if name == "pods" else f"{resource_names.REQUESTS}{name}"


def _amount(
    name: str, entry: Object, *, key: str, source: str, notes: list[Note]
) -> Resources | None:
    if entry.get(key) is None:
        return None
    found: dict[str, Any] = {name: entry[key]}
    return Resources.parse(draft.amounts(found, source=source, where=key, notes=notes))


def _sum(amounts: Iterable[Resources]) -> Resources:
    total = EMPTY
    for amount in amounts:
        total += amount
    return total


def _every(sums: Mapping[str, Resources], without: set[str]) -> Resources:
    return _sum(amount for name, amount in sums.items() if name not in without)


def _flavor_notes(source: str, flavors: Mapping[str, list[str]]) -> list[Note]:
    return [
        Note(
            source=source,
            message=f"{name} of the flavors {', '.join(found)} is added up: "
            "a limit of one flavor alone has no counterpart",
        )
        for name, found in sorted(flavors.items())
        if len(found) > 1
    ]


def _totals(parents: Mapping[str, str | None], own: Mapping[str, _Numbers]) -> dict[str, Resources]:
    forest = {Namespace(k): Namespace(p) if p is not None else None for k, p in parents.items()}
    amounts = {Namespace(key): numbers.nominal for key, numbers in own.items()}
    return {str(key): total for key, total in rollup.subtree_sums(forest, amounts).items()}


def _nodes(parents: Mapping[str, str | None], sources: Mapping[str, str]) -> Part:
    stand_ins, links = [], []
    for key, parent in parents.items():
        kind, _, name = key.partition("/")
        suffix = "cohort" if kind == "cohort" else "queue"
        source = sources.get(key, key)
        stand_ins.append(StandIn(key=key, name=name, suffix=suffix, source=source))
        if parent is not None:
            links.append(Link(child=key, parent=parent, source=source))
    return Part(stand_ins=tuple(stand_ins), links=tuple(links))


def _limits(
    parents: Mapping[str, str | None],
    *,
    own: Mapping[str, _Numbers],
    totals: Mapping[str, Resources],
) -> Iterator[Limit]:
    for key, numbers in own.items():
        total = totals[key]
        # A root has all that lies below it; below a cohort only borrowing bounds a node.
        hard = total if parents[key] is None else total.mask(numbers.borrow) + numbers.borrow
        spare = total.mask(numbers.lend) - numbers.lend
        kept = spare.mask([name for name, nano in spare.nanos().items() if nano > 0])
        spec = {
            name: amounts.to_strings()
            for name, amounts in (("hard", hard), ("guaranteed", kept))
            if amounts
        }
        if spec:
            yield Limit(node=key, name="kueue", spec=spec, source=key)


def _local_queues(objects: Objects, queues: Mapping[str, Object]) -> Part:
    links, notes = [], []
    for obj in objects.of(GROUP, "LocalQueue"):
        queue = fields.text(fields.mapping(obj, "spec"), "clusterQueue")
        source = source_of(obj)
        if f"clusterqueue/{queue}" in queues:
            parent = f"clusterqueue/{queue}"
            links.append(Link(child=namespace_of(obj), parent=parent, source=source))
        else:
            message = f"the ClusterQueue {queue} that it names is not among what was given"
            notes.append(Note(source=source, message=message))
    return Part(links=tuple(links), notes=tuple(notes))
