"""What the figures depend on: the machine, how busy it was, and the versions of everything."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Final

PACKAGES: Final = ("quotatree", "aiohttp", "orjson", "uvloop")


def describe() -> dict[str, object]:
    """Return the machine and the versions of Python and of what runs on the admission path."""
    return {
        "cores": os.cpu_count(),
        "model": _from_proc("/proc/cpuinfo", "model name") or platform.machine(),
        "memory": _from_proc("/proc/meminfo", "MemTotal"),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }


def load() -> float:
    """Return how many processes ran or waited for a core, on average over the last minute."""
    return os.getloadavg()[0]


def resident(pid: int) -> int:
    """Return the resident memory of a process in bytes, 0 where that cannot be told."""
    kibibytes = _from_proc(f"/proc/{pid}/status", "VmRSS").split(" ")[0]
    return int(kibibytes) * 1024 if kibibytes else 0


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used, 0 where that cannot be told."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    # The command's name stands in brackets and may hold blanks; the fields count from behind it.
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """Return a process and those that it has started: a replica of quotatree has two."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *map(int, children)]


def family_resident(pid: int) -> int:
    """Return the resident memory of a process and its children in bytes."""
    return sum(map(resident, family(pid)))


def family_seconds(pid: int) -> float:
    """Return the processor time of a process and its children."""
    return sum(map(processor_seconds, family(pid)))


def _from_proc(file: str, key: str) -> str:
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")
