"""Objects of any of the tools to one tree."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

from quotatree.importers import (
    assemble,
    capsule,
    draft,
    hnc,
    kinds,
    kueue,
    native,
    openshift,
    rancher,
)
from quotatree.importers.assemble import Imported
from quotatree.importers.draft import Note, Part
from quotatree.importers.objects import Objects

# Where two disagree about a namespace's parent, the one that comes first is right.
READERS: Final[Mapping[str, Callable[[Objects], Part]]] = {
    "hnc": hnc.read,
    "capsule": capsule.read,
    "rancher": rancher.read,
    "kueue": kueue.read,
    "openshift": openshift.read,
    "resourcequota": native.read,
}
"""Tool → what reads its objects."""

_READ: Final = frozenset(
    {
        ("", "Namespace"),
        ("", "ResourceQuota"),
        ("project.openshift.io", "Project"),
        *((kind.group, kind.kind) for theirs in kinds.FOREIGN.values() for kind in theirs),
    }
)


def convert(objects: Objects, tools: Collection[str] = ()) -> Imported:
    """Return the tree that the objects of `tools` describe; without any, of all tools."""
    part = draft.join(read(objects) for tool, read in READERS.items() if not tools or tool in tools)
    others = Part(notes=_others(objects))
    return assemble.assemble(draft.join((part, others)), known=objects.namespaces())


def _others(objects: Objects) -> tuple[Note, ...]:
    return tuple(
        Note(source=kind.lower() or "object", message=f"{count} of a kind that is not read")
        for (group, kind), count in objects.counts().items()
        if (group, kind) not in _READ
    )
