"""Where the sandbox keeps its files: the cache and state directories of the XDG specification."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from quotatree.errors import InputError

NAME_PATTERN = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,38}[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Locations:
    """The two roots: `cache` may be deleted at any time, `state` is what sandboxes live on."""

    cache: Path
    state: Path

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Locations:
        """The roots that this environment asks for; a relative XDG path is ignored, as it says.

        Source: XDG Base Directory Specification 0.8, "Environment variables".
        """
        home = Path(environ.get("HOME") or Path.home())
        return cls(
            cache=_root(environ.get("XDG_CACHE_HOME"), home / ".cache"),
            state=_root(environ.get("XDG_STATE_HOME"), home / ".local" / "state"),
        )

    @property
    def binaries(self) -> Path:
        """One directory per product and version."""
        return self.cache / "bin"

    @property
    def builds(self) -> Path:
        """The Go modules that binaries are built from."""
        return self.cache / "build"

    @property
    def sandboxes(self) -> Path:
        """One directory per sandbox."""
        return self.state / "sandboxes"

    def sandbox(self, name: str) -> Path:
        """The directory of one sandbox.

        Raises:
            InputError: the name is none that can be a directory and part of an identity.
        """
        if not NAME_PATTERN.fullmatch(name):
            raise InputError(
                f'"{name}" cannot name a sandbox: use 1 to 40 of a-z, 0-9 and "-", '
                'not beginning or ending with "-"'
            )
        return self.sandboxes / name


def _root(asked: str | None, default: Path) -> Path:
    base = Path(asked) if asked and Path(asked).is_absolute() else default
    return base / "quotatree"
