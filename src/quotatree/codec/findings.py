"""Mistakes found in plain data, before anybody knows where in a text they stand.

Rules are written once, over plain data; a file adds line and column afterwards, an object of the
API has none.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from quotatree.model.problem import Problem

Path = tuple[str | int, ...]

# What may stand behind a dot without being misread; resource names and label keys never do.
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*|[a-z0-9]([-a-z0-9]*[a-z0-9])?", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LONGEST_SEGMENT: Final = 80  # characters of a key that a message repeats


class Key(str):
    """A key of an open map (a resource, a label): written in brackets."""

    __slots__ = ()


class Written(str):
    """A number or another typed scalar of a file, as it was written there, without quotes.

    Nothing is rounded on the way: `0.1` stays these three characters.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One mistake. `at_key` says that the key itself is wrong, not what stands behind it."""

    path: Path
    message: str
    hint: str = ""
    at_key: bool = False

    def problem(self, *, line: int = 0, column: int = 0) -> Problem:
        """Return the problem that the user sees."""
        return Problem(
            path=path_text(self.path),
            message=self.message,
            hint=self.hint,
            line=line,
            column=column,
        )


def path_text(path: Path) -> str:
    """Return e.g. `tree.org.quotas[0].hard["cpu"]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif isinstance(part, Key) or not _PLAIN.fullmatch(part) or len(part) > _LONGEST_SEGMENT:
            text += f'["{shown(part)}"]'
        else:
            text += f".{part}" if text else part
    return text


def shown(value: object) -> str:
    """Return a value for a message: short, on one line, without control characters."""
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(value))
    return text if len(text) <= _LONGEST_SEGMENT else f"{text[:_LONGEST_SEGMENT]}…"


def quoted(value: object) -> str:
    """Return a value in quotes for a message."""
    return f'"{shown(value)}"'


def kind_of(value: object) -> str:
    """Return what a decoded value is, in the words of YAML."""
    match value:
        case None:
            words = "nothing (null)"
        case bool():
            words = "true" if value else "false"
        case Written():
            words = f"{shown(value)} without quotes"
        case str():
            words = f"the text {quoted(value)}"
        case int() | float():
            words = f"the number {shown(value)}"
        case list():
            words = "a list"
        case _:
            words = "a map"
    return words


def closest(word: str, known: Iterable[str]) -> str:
    """Return `did you mean "…"?` for a near miss, else nothing."""
    # difflib is quadratic in the length; nobody misspells a name by hundreds of characters.
    near = difflib.get_close_matches(word[:_LONGEST_SEGMENT], sorted(known), n=1)
    return f"did you mean {quoted(near[0])}?" if near else ""


def unknown_keys(found: Mapping[str, Any], known: Iterable[str], path: Path) -> Iterator[Finding]:
    """Yield a finding for each key that has no meaning here."""
    known = sorted(known)
    for key in found:
        if key not in known:
            hint = closest(key, known) or f"known here: {', '.join(known)}"
            message = f"unknown key {quoted(key)}"
            yield Finding(path=(*path, key), message=message, hint=hint, at_key=True)


def wrong_type(value: object, want: str, path: Path) -> Finding:
    """Return the finding that `value` is not what it has to be."""
    return Finding(path=path, message=f"must be {want}, is {kind_of(value)}")


def some(names: Iterable[str], *, most: int = 3) -> str:
    """Return the first few names, and how many there are beside them."""
    kept = list(names)
    shown = ", ".join(kept[:most])
    return shown if len(kept) <= most else f"{shown} and {len(kept) - most} more"
