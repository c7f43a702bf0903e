"""Manifests from files, folders and stdin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from quotatree.cli import mistakes, options
from quotatree.codec import documents
from quotatree.codec.documents import Manifest
from quotatree.errors import InputError
from quotatree.model.problem import Problem
from quotatree.model.report import Place

SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
"""Files of a folder that are read; what else lies there is passed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One object, and where it stands."""

    body: Mapping[str, Any]
    place: Place


def read(names: Iterable[str]) -> tuple[Found, ...]:
    """Return the objects of all files in order; `-` is stdin, a folder is read with all below it.

    Raises:
        InputError: one cannot be read, is no YAML, or there is no object in any of them.
    """
    names = tuple(names)
    found = tuple(item for name in names for path in _files(name) for item in _objects(path))
    if not found:
        raise InputError(f"{', '.join(names)}: there is no object in it")
    return found


def _files(name: str) -> Iterator[str]:
    path = Path(name)
    if name == "-" or not path.is_dir():
        yield name
        return
    inside = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file())
    if not inside:
        raise InputError(f"{name}: no file in it ends in {', '.join(sorted(SUFFIXES))}")
    yield from map(str, inside)


def _objects(name: str) -> Iterator[Found]:
    shown = "<stdin>" if name == "-" else name
    for item in documents.read(options.read_bytes(name, documents.MAX_BYTES)):
        match item:
            case Manifest(body=body, line=line):
                yield Found(body=body, place=Place(file=shown, line=line, column=1))
            case Problem():
                raise InputError(mistakes.problem_line(shown, item))
