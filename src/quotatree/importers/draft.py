"""What one tool's objects say, before the tools are brought together.

A node is a namespace, known by its name, or a stand-in for something that was no namespace (a
tenant, a project, a cohort). A stand-in is known by a key such as `tenant/oil`: no namespace has a
slash in its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from quotatree.codec import fields, quota_rules
from quotatree.codec.findings import Finding, path_text

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Note:
    """One thing that is not in the tree as it was (`lost`), or is there in another form."""

    source: str
    message: str
    lost: bool = True

    def __str__(self) -> str:
        return f"{'not carried over' if self.lost else 'note'}: {self.source}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """A namespace that is to be made: `name` is what it would like to be called."""

    key: str
    name: str
    suffix: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One node lies below another one; `owned` says that it goes with it."""

    child: str
    parent: str
    source: str
    owned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A quota on a node. `subtree` is False where the tool counted that one namespace alone."""

    node: str
    name: str
    spec: Fields
    source: str
    subtree: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """One quota over a set of namespaces that labels picked."""

    stand_in: StandIn
    members: frozenset[str]
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dress:
    """Labels and annotations of a node; `spread` ones belong to everything below it too."""

    node: str
    source: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    spread: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Everything that the objects of one tool say."""

    stand_ins: tuple[StandIn, ...] = ()
    links: tuple[Link, ...] = ()
    limits: tuple[Limit, ...] = ()
    selections: tuple[Selection, ...] = ()
    dresses: tuple[Dress, ...] = ()
    notes: tuple[Note, ...] = ()


def join(parts: Iterable[Part]) -> Part:
    """Return all parts as one; what comes first wins where two disagree."""
    kept = tuple(parts)
    return Part(
        stand_ins=tuple(item for part in kept for item in part.stand_ins),
        links=tuple(item for part in kept for item in part.links),
        limits=tuple(item for part in kept for item in part.limits),
        selections=tuple(item for part in kept for item in part.selections),
        dresses=tuple(item for part in kept for item in part.dresses),
        notes=tuple(item for part in kept for item in part.notes),
    )


def limit(found: Fields, *, node: str, name: str, source: str, subtree: bool = True) -> Part:
    """Return the quota that a native ResourceQuotaSpec asks for, without what cannot be counted."""
    notes: list[Note] = []
    spec: dict[str, Any] = {
        key: found[key] for key in ("scopes", "scopeSelector") if found.get(key)
    }
    spec["hard"] = amounts(fields.mapping(found, "hard"), source=source, where="hard", notes=notes)
    if not spec["hard"]:
        if not notes:
            notes.append(Note(source=source, message="it limits nothing"))
        return Part(notes=tuple(notes))
    made = Limit(node=node, name=name, spec=spec, source=source, subtree=subtree)
    return Part(limits=(made,), notes=tuple(notes))


def selection(stand_in: StandIn, members: frozenset[str], quota: Part) -> Part:
    """Return a quota over a set of namespaces; without one of them there is nothing to limit."""
    if not members:
        message = "it selects no namespace among those that were given; give the Namespaces too"
        return Part(notes=(*quota.notes, Note(source=stand_in.source, message=message)))
    limits: tuple[Limit, ...] = quota.limits
    made = (Selection(stand_in=stand_in, members=members, limits=limits),) if limits else ()
    return Part(selections=made, notes=quota.notes)


def amounts(found: Fields, *, source: str, where: str, notes: list[Note]) -> dict[str, str]:
    """Return the amounts that a quota can limit; the others become notes."""
    good: dict[str, str] = {}
    for name, value in found.items():
        # YAML and JSON may hold a quantity as a number; as a text it is what the API server reads.
        number = isinstance(value, int | float) and not isinstance(value, bool)
        text = str(value) if number else value
        wrong = next(quota_rules.amount_findings({name: text}, (where,)), None)
        if wrong is None:
            good[name] = text
        else:
            notes.append(Note(source=source, message=words(wrong)))
    return good


def words(finding: Finding) -> str:
    """Return a mistake on one line: where, what, and what to do."""
    hint = f" ({finding.hint})" if finding.hint else ""
    return f"{path_text(finding.path)}: {finding.message}{hint}"


def ignored(source: str, keys: Iterable[str], *, why: str) -> tuple[Note, ...]:
    """Return a note that names fields which are no quotas, none when there are none."""
    named = ", ".join(sorted(keys))
    return (Note(source=source, message=f"{named}: {why}"),) if named else ()
