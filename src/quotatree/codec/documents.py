"""A text of manifests to objects: several YAML documents or JSON, as kubectl reads them.

Bounded, since manifests come from anywhere: in size, in nesting (a reader of YAML recurses) and in
objects once Lists and aliases are taken apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, cast

import yaml

from quotatree.codec import workloads, yaml_tree
from quotatree.codec.findings import Finding, kind_of
from quotatree.model.problem import Problem

MAX_BYTES: Final = 16 * 2**20
"""Size of the greatest text that is read; what etcd takes of one object is 1.5 MiB."""

MAX_NESTING: Final = 200
MAX_OBJECTS: Final = 20_000

_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"
_FAST: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_FAST):  # type: ignore[misc, valid-type]
    """Reads dates as the texts that they are in JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != _TIMESTAMP]
    for first, rules in _FAST.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One object, and the line on which its document begins."""

    body: Mapping[str, Any]
    line: int


def read(data: bytes) -> tuple[Manifest, ...] | tuple[Problem, ...]:
    """Return the objects of a text, or what is wrong with it; documents without content are none.

    Nothing but problems comes back where there is one: half a set of manifests is no answer.
    """
    if len(data) > MAX_BYTES:
        return (_problem(f"the text is too large: at most {MAX_BYTES // 2**20} MiB are read"),)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return (_problem(f"is no UTF-8: byte {error.start} is 0x{data[error.start]:02x}"),)
    try:
        lines = _scan(text)
        found = tuple(_objects(text, lines))
    except _RefusedError as refused:
        return (_problem(str(refused), line=refused.line),)
    except yaml.YAMLError as error:
        return (_syntax_problem(text, error),)
    except (ValueError, RecursionError) as error:  # e.g. a \U escape beyond Unicode
        return (_problem(f"is no YAML: {error}"),)
    return found


class _RefusedError(Exception):
    """The text is YAML, but none that is read."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def _problem(message: str, *, line: int = 0) -> Problem:
    return Problem(path="", message=message, line=line, column=1 if line else 0)


def _syntax_problem(text: str, error: yaml.YAMLError) -> Problem:
    finding, mark = yaml_tree.syntax_finding(text, error)
    if "{{" in text and not finding.hint:
        hint = "render it first: helm template … | quotatree check -f -"
        finding = Finding(path=(), message=finding.message, hint=hint)
    return yaml_tree.problem_of(finding, mark)


def _scan(text: str) -> list[int]:
    """Return the line on which each document's content begins; bound the nesting."""
    lines: list[int] = []
    depth = 0
    fresh = False
    for event in yaml.parse(text, Loader=_FAST):
        line = cast("yaml.Mark", event.start_mark).line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            fresh = True
        elif fresh:
            lines.append(line)
            fresh = False
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_NESTING:
            raise _RefusedError(f"nested more than {MAX_NESTING} deep", line)
    return lines


def _objects(text: str, lines: list[int]) -> Iterator[Manifest]:
    number = 0
    for line, document in zip(lines, yaml.load_all(text, Loader=_Loader), strict=True):
        if document is None:
            continue
        if type(document) is not dict:
            raise _RefusedError(f"must be an object, is {kind_of(document)}", line)
        for body in islice(workloads.flatten(document), MAX_OBJECTS + 1):
            number += 1
            if number > MAX_OBJECTS:
                raise _RefusedError(f"more than {MAX_OBJECTS:,} objects", line)
            yield Manifest(body=body, line=line)
