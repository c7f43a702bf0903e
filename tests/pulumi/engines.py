"""Killing Pulumi's engine at a moment of choice, and what it leaves running."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

DEADLINE = 60.0


def kill(process: subprocess.Popen[str], *, when: Callable[[], bool]) -> list[int]:
    """Kill the engine as soon as `when` holds; returns the processes that it had started.

    The provider outlives a killed engine by minutes: that is Pulumi's affair, and the next run has
    to live with it.
    """
    end = time.monotonic() + DEADLINE
    with process:
        while not when():
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < end, "the moment did not come"
            time.sleep(0.01)
        plugins = _below(process.pid)
        process.kill()
        process.communicate()
    return plugins


def end(plugins: Iterable[int]) -> None:
    """Kill what a killed engine left behind."""
    for pid in plugins:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _below(pid: int) -> list[int]:
    """The processes below `pid`, from Linux's own books."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            # Behind the name, which may hold anything, stand the state and the parent.
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            found += [int(entry.parent.name), *_below(int(entry.parent.name))]
    return found
