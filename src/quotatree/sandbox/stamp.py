"""What is known about the files of one binary directory: `stamp.json` beside them.

A file without its line in the stamp, or with other content, is not ours to run.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from quotatree.sandbox.state import write_private

STAMP_FILE: Final = "stamp.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file: its SHA-256 and how it was got (`downloaded`, `built` or `found`)."""

    sha256: str
    source: str


def read(directory: Path) -> dict[str, Entry]:
    """The stamp's lines by file name; empty where there is none or where it is damaged."""
    try:
        document = json.loads((directory / STAMP_FILE).read_text())
        return {name: Entry(**entry) for name, entry in document["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def valid(directory: Path, name: str) -> bool:
    """Whether the file is there, whole and unaltered."""
    entry = read(directory).get(name)
    path = directory / name
    return entry is not None and path.is_file() and digest(path) == entry.sha256


def record(directory: Path, name: str, *, version: str, source: str) -> None:
    """Vouch for a file as it is now."""
    files = read(directory) | {name: Entry(sha256=digest(directory / name), source=source)}
    document = {"version": version, "files": {key: asdict(files[key]) for key in sorted(files)}}
    write_private(directory / STAMP_FILE, (json.dumps(document, indent=2) + "\n").encode())


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
