"""Plain data in which some values are not known yet.

Whoever reads amounts takes an unknown value for an absent one (`quotatree.codec` never raises), so
each rule has to ask for the unknown values of what it judges, and say them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from quotatree.codec import findings
from quotatree.codec.findings import Key, Path


class Unknown:
    """A value that Pulumi knows only once something has been made."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Final = Unknown()

_OPEN: Final = frozenset({"hard", "guaranteed", "labels", "annotations", "requests", "limits"})


def unknown_paths(value: object, path: Path = ()) -> Iterator[str]:
    """Yield where unknown values stand, e.g. `spec.template.spec.containers[0].resources`."""
    if isinstance(value, Unknown):
        yield findings.path_text(path)
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            step = Key(key) if path and path[-1] in _OPEN else str(key)
            yield from unknown_paths(entry, (*path, step))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from unknown_paths(item, (*path, index))


def part(obj: Mapping[str, Any], *steps: str) -> object:
    """Return what stands at a place, None when nothing does."""
    found: object = obj
    for step in steps:
        if not isinstance(found, Mapping):
            return found if isinstance(found, Unknown) else None
        found = found.get(step)
    return found


def text(obj: Mapping[str, Any], *steps: str) -> str:
    """Return the text that stands at a place, empty when there is none."""
    found = part(obj, *steps)
    return found if isinstance(found, str) else ""


def is_unknown(obj: Mapping[str, Any], *steps: str) -> bool:
    """Whether what stands at a place is not known yet."""
    return isinstance(part(obj, *steps), Unknown)
