"""Locks between processes: one builder per binary directory, one hand per sandbox."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final

from quotatree.sandbox.progress import Progress

_POLL_SECONDS: Final = 0.1


@contextmanager
def held(path: Path, *, waiting: str, progress: Progress) -> Iterator[None]:
    """Hold the lock file `path`; `waiting` is shown while somebody else does.

    The operating system frees it when its holder dies, so there are no stale locks. The holder may
    delete the file: who waited for it then takes a new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as stack:
        file = _taken(path)
        if file is None:
            with progress.step(waiting, slow=True) as step:
                while (file := _taken(path)) is None:
                    step.tick()
                    time.sleep(_POLL_SECONDS)
        stack.enter_context(file)
        yield


def _taken(path: Path) -> IO[str] | None:
    """The locked file, or None while somebody else holds it."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(file.fileno()).st_ino == path.stat().st_ino:
            return file
    except (BlockingIOError, FileNotFoundError):
        pass  # Held, or deleted by its last holder: both mean to try again.
    file.close()
    return None
