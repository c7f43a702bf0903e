"""The state of the cluster: a file, or what a command prints. All I/O of the pack is here."""

from __future__ import annotations

import functools
import os
import shlex
import subprocess
from pathlib import Path
from typing import Final

from pulumi_quotatree_policy.settings import LIVE, Settings
from quotatree.codec import state as codec
from quotatree.errors import QuotaTreeError
from quotatree.model.state import TreeState

VARIABLE: Final = "QUOTATREE_POLICY_STATE"
_TIMEOUT_SECONDS: Final = 60
_SHOWN: Final = 5  # mistakes of a file
_TAIL: Final = 500  # characters of what a command says


class StateError(QuotaTreeError):
    """The state of the cluster cannot be read; without it nothing is judged."""


def load(settings: Settings) -> TreeState | None:
    """Return the state that the configuration names, None when it names none.

    Raises:
        StateError: it cannot be read.
    """
    where = settings.state or os.environ.get(VARIABLE, "")
    if not where:
        return None
    if where == LIVE:
        return _printed(settings.command)
    try:
        data = Path(where).read_bytes()
    except OSError as error:
        hint = "next: quotatree tree -o json > FILE"
        raise StateError(f"state {where}: {error.strerror}; {hint}") from error
    return _parsed(data, f"state {where}")


# Several rules of one preview ask for the same.
@functools.lru_cache(maxsize=8)
def _printed(command: tuple[str, ...]) -> TreeState:
    title = shlex.join(command)
    try:
        done = subprocess.run(  # noqa: S603 - whoever configures the pack says what is run
            command, check=False, capture_output=True, timeout=_TIMEOUT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise StateError(f"`{title}` cannot be run: {error}") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()[-_TAIL:]
        raise StateError(f"`{title}` failed with exit code {done.returncode}: {said}")
    return _parsed(done.stdout, f"`{title}`")


def _parsed(data: bytes, title: str) -> TreeState:
    found = codec.read(data)
    if isinstance(found, TreeState):
        return found
    mistakes = "; ".join(str(problem) for problem in found[:_SHOWN])
    raise StateError(f"{title}: {mistakes}")
