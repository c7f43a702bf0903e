"""Manifests to workloads: the pods, claims and other objects that one manifest leads to.

`KINDS` maps a kind to the function that knows its pods: `codec.controllers` for the built-in
kinds, `codec.training` for training operators, Ray and JobSet, `codec.pipelines` for Argo and
Tekton. Every other kind is one object that may count; a kind that nobody knows is named as such.

What the API server drops from what is created (`status`, a deletion under way) is dropped here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from quotatree.codec import charges, controllers, fields, kinds, pipelines, training
from quotatree.codec.expansion import Context, Expansion
from quotatree.codec.kinds import Kind
from quotatree.model.names import Namespace
from quotatree.model.workload import Part, Workload

Expand = Callable[[Mapping[str, Any], Context], Expansion]

KINDS: Final[Mapping[Kind, Expand]] = {
    **controllers.KINDS,
    **training.KINDS,
    **pipelines.KINDS,
}
"""Every kind whose pods are known. Kinds of one name in older groups are not taken for these."""

_MAX_DEPTH: Final = 8  # lists within lists


def flatten(obj: Mapping[str, Any], depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """Yield the object, or the items of a List of any kind, however they are nested."""
    kind = fields.text(obj, "kind")
    if kind.endswith("List") and type(obj.get("items")) is list and depth < _MAX_DEPTH:
        for item in fields.items(obj, "items"):
            yield from flatten(_named(item, obj, kind), depth + 1)
    else:
        yield obj


def _named(item: Mapping[str, Any], of: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """Return an item of a typed list (`PodList`), which does not say what it is."""
    if "kind" in item or kind == "List":
        return item
    return {"apiVersion": of.get("apiVersion"), "kind": kind.removesuffix("List"), **item}


def read(obj: Mapping[str, Any], context: Context) -> Workload:
    """Return what an object leads to; never raises."""
    kind = kinds.of(obj)
    metadata = fields.mapping(obj, "metadata")
    expand = KINDS.get(kind)
    expansion = Expansion() if expand is None else expand(obj, context)
    own = charges.cost(_fresh(obj), defaults=context.defaults, plurals=context.plurals)
    parts = expansion.parts
    if own is not None and own.amounts and not expansion.is_object:
        parts = (Part(role="", charge=own), *parts)
    unknown = expansion.unknown
    if own is None and expand is None:
        unknown = (*unknown, _unknown(kind))
    return Workload(
        kind=kind[1] or "object",
        name=fields.text(metadata, "name") or f"{fields.text(metadata, 'generateName')}*",
        namespace=Namespace(fields.text(metadata, "namespace")) or None,
        parts=parts,
        at_most=expansion.at_most,
        notes=expansion.notes,
        unknown=unknown,
        problems=expansion.problems,
    )


def _fresh(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in obj.items() if key != "status"}


def _unknown(kind: Kind) -> str:
    if not kind[1]:
        return "it says no kind"
    group = f" of {kind[0]}" if kind[0] else ""
    return f"kind {kind[1]}{group} is not known here: what it costs is not counted"
