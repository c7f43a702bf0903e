"""YAML text to plain data that knows where each piece stands.

Built from parser events without recursion, so that no text can exhaust the stack, and with bounds
on what aliases expand to. Numbers stay as written (`findings.Written`): YAML's own readers round
0.1 and turn 010 into 8. Refused, since their meaning differs between readers or they hide mistakes:
duplicate keys, keys that are no text, tags, merge keys, several documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, cast

import yaml

from quotatree.codec.findings import Finding, Path, Written, kind_of, quoted
from quotatree.model.problem import Problem

MAX_NESTING: Final = 100
"""Maps and lists within each other: about fifty levels of namespaces."""

MAX_VALUES: Final = 1_000_000
"""Keys and values of a file with its aliases written out: some fifty thousand namespaces."""

# libyaml is ten times as fast; PyYAML is also built without it.
_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER: Final = yaml.resolver.Resolver()
_STR: Final = "tag:yaml.org,2002:str"
_NULL: Final = "tag:yaml.org,2002:null"
_BOOL: Final = "tag:yaml.org,2002:bool"
_MERGE: Final = "tag:yaml.org,2002:merge"
_TRUE: Final = frozenset({"true", "yes", "on"})

Mark = tuple[int, int]
"""Line and column, from 1."""

_START: Final[Mark] = (1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a text says, and where. `data` is None when the text could not be read at all."""

    data: Any = None
    findings: tuple[tuple[Finding, Mark], ...] = ()
    marks: dict[int, dict[str | int, tuple[Mark, Mark]]] = field(default_factory=dict)

    def place(self, path: Path, *, at_key: bool = False) -> Mark:
        """Return where `path` stands, or the nearest thing above it that is in the text."""
        place, current = _START, self.data
        for part in path:
            known = self.marks.get(id(current), {})
            if part not in known:
                break
            key, value = known[part]
            place = key if at_key else value
            current = current[part]
        return place


class _UnreadableError(Exception):
    """Reading cannot go on."""

    def __init__(self, finding: Finding, mark: Mark) -> None:
        super().__init__(finding.message)
        self.finding = finding
        self.mark = mark


class _Dropped:
    """Stands for a key that was reported: its value is read and forgotten."""


_DROPPED: Final = _Dropped()


@dataclass(slots=True, kw_only=True)
class _Frame:
    """A map or list that is being read."""

    container: dict[str, Any] | list[Any]
    mark: Mark
    anchor: str | None
    size: int = 1
    key: str | _Dropped | None = None
    key_mark: Mark = _START


def read(text: str) -> Document:
    """Return what `text` says; mistakes of form are findings."""
    reader = _Reader()
    try:
        for event in yaml.parse(text, Loader=_Loader):
            reader.take(event)
    except _UnreadableError as stop:
        return Document(findings=(*reader.findings, (stop.finding, stop.mark)))
    except yaml.YAMLError as error:
        return Document(findings=(*reader.findings, syntax_finding(text, error)))
    except ValueError as error:
        # PyYAML's own: e.g. a \U escape beyond Unicode.
        return Document(findings=((Finding(path=(), message=f"is no YAML: {error}"), _START),))
    return Document(data=reader.root, findings=tuple(reader.findings), marks=reader.marks)


class _Reader:
    """Turns events into data; one use."""

    def __init__(self) -> None:
        self.root: Any = None
        self.findings: list[tuple[Finding, Mark]] = []
        self.marks: dict[int, dict[str | int, tuple[Mark, Mark]]] = {}
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """Add one event."""
        start = cast("yaml.Mark", event.start_mark)
        mark = (start.line + 1, start.column + 1)
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    message = "a second document begins here; one file holds one tree"
                    raise _UnreadableError(Finding(path=(), message=message), mark)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._open(event, mark)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close()
            case yaml.ScalarEvent():
                value = self._scalar(event, mark)
                if event.anchor:
                    self._anchors[event.anchor] = (value, 1)
                self._add(value, mark, size=1)
            case yaml.AliasEvent():
                self._alias(cast("str", event.anchor), mark)
            case _:
                pass

    def _open(self, event: yaml.CollectionStartEvent, mark: Mark) -> None:
        self._refuse_tag(event, mark)
        if len(self._stack) >= MAX_NESTING:
            message = f"nested more than {MAX_NESTING} deep"
            raise _UnreadableError(Finding(path=self._path(), message=message), mark)
        container: dict[str, Any] | list[Any]
        container = {} if isinstance(event, yaml.MappingStartEvent) else []
        self.marks[id(container)] = {}
        self._stack.append(_Frame(container=container, mark=mark, anchor=event.anchor))

    def _close(self) -> None:
        frame = self._stack.pop()
        if frame.anchor:
            self._anchors[frame.anchor] = (frame.container, frame.size)
        self._add(frame.container, frame.mark, size=frame.size)

    def _alias(self, name: str, mark: Mark) -> None:
        if name not in self._anchors:
            message = f"alias *{name} names nothing above it, or the value that it stands in"
            self._report(message, mark)
            self._add(_DROPPED, mark, size=1)
            return
        value, size = self._anchors[name]
        self._add(value, mark, size=size)

    def _add(self, value: object, mark: Mark, *, size: int) -> None:
        """Put a finished value where it belongs: the document, a list, a key or behind a key."""
        if not self._stack:
            self.root = None if value is _DROPPED else value
            return
        frame = self._stack[-1]
        frame.size += size
        if frame.size > MAX_VALUES:
            message = f"more than {MAX_VALUES:,} values once its aliases are written out"
            raise _UnreadableError(Finding(path=self._path(), message=message), mark)
        if isinstance(frame.container, list):
            self.marks[id(frame.container)][len(frame.container)] = (mark, mark)
            frame.container.append(None if value is _DROPPED else value)
        elif frame.key is None:
            frame.key, frame.key_mark = self._key(value, mark), mark
        else:
            if isinstance(frame.key, str) and value is not _DROPPED:
                self.marks[id(frame.container)][frame.key] = (frame.key_mark, mark)
                frame.container[frame.key] = value
            frame.key = None

    def _key(self, value: object, mark: Mark) -> str | _Dropped:
        frame = self._stack[-1]
        if type(value) is not str:
            if value is not _DROPPED and value != Written("<<"):
                message = f"a key must be a text, is {kind_of(value)}"
                hint = "write it in quotes" if isinstance(value, str | bool) else ""
                self._report(message, mark, hint=hint)
            return _DROPPED
        if value in frame.container:
            first = self.marks[id(frame.container)][value][0]
            message = f"duplicate key {quoted(value)}, first on line {first[0]}"
            self._report(message, mark, hint="keep one of the two")
            return _DROPPED
        return value

    def _scalar(self, event: yaml.ScalarEvent, mark: Mark) -> str | bool | None:
        self._refuse_tag(event, mark)
        if not event.implicit[0]:
            return event.value
        tag = _RESOLVER.resolve(yaml.ScalarNode, event.value, (True, False))  # type: ignore[no-untyped-call]
        if tag == _MERGE:
            hint = "put an anchor on the whole value and name it by an alias"
            self._report("merge keys (<<) are not supported", mark, hint=hint)
            return Written(event.value)
        if tag == _NULL:
            return None
        if tag == _BOOL:
            return event.value.lower() in _TRUE
        return event.value if tag == _STR else Written(event.value)

    def _refuse_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, mark: Mark) -> None:
        if event.tag is not None and event.tag != _STR:
            self._report(f"tags are not supported, found {quoted(event.tag)}", mark)

    def _report(self, message: str, mark: Mark, *, hint: str = "") -> None:
        self.findings.append((Finding(path=self._path(), message=message, hint=hint), mark))

    def _path(self) -> Path:
        return tuple(self._steps())

    def _steps(self) -> Iterator[str | int]:
        for frame in self._stack:
            if isinstance(frame.container, list):
                yield len(frame.container)
            elif isinstance(frame.key, str):
                yield frame.key


def syntax_finding(text: str, error: yaml.YAMLError) -> tuple[Finding, Mark]:
    """Return what the parser complains of, and where."""
    if isinstance(error, yaml.reader.ReaderError):
        position = cast("int", error.position)
        line = text.count("\n", 0, position) + 1
        column = position - text.rfind("\n", 0, position)
        message = (
            f"character U+{ord(text[position]):04X} is not allowed in YAML"
            if position < len(text)
            else "is no YAML"
        )
        return Finding(path=(), message=message), (line, column)
    mark = getattr(error, "problem_mark", None)
    place = (mark.line + 1, mark.column + 1) if mark is not None else _START
    said = (getattr(error, "problem", None) or str(error), getattr(error, "context", None))
    message = f"is no YAML: {' '.join(part for part in said if part)}"
    hint = "indent with spaces, not tabs" if _is_tab(text, place) else ""
    return Finding(path=(), message=message, hint=hint), place


def _is_tab(text: str, place: Mark) -> bool:
    lines = text.split("\n", place[0])
    line = lines[place[0] - 1] if len(lines) >= place[0] else ""
    return line[place[1] - 1 : place[1]] == "\t" or "\t" in line[: place[1]]


def problem_of(finding: Finding, mark: Mark) -> Problem:
    """Return the finding with its place in the text."""
    return finding.problem(line=mark[0], column=mark[1])
