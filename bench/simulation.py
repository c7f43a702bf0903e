"""`quotatree simulate` as people run it: a process that reads a file and writes a report.

Two traces: the example's extract of a GPU cluster's pods, repeated to some 8,000; and generated
work in 1,000 namespaces, half a million workloads, of which each is an event when it comes and
another when it goes. Measured are the time that passes, the processor time and the greatest memory:
on a busy machine only the second says what it costs.
"""

from __future__ import annotations

import csv
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
EXAMPLE: Final = ROOT / "examples" / "ai-pipeline"
PODS: Final = 8_000
EVENTS: Final = 1_000_000
TEAMS: Final = 9
GROUPS: Final = 11
PIPELINES: Final = 9
"""1 organisation + 9 teams + 99 groups + 891 pipelines are 1,000 namespaces."""

_SHAPES: Final = (("2", "8Gi", "0"), ("8", "32Gi", "1"), ("12", "48Gi", "1"), ("90", "320Gi", "8"))


def measure(folder: Path, *, quick: bool, told: Callable[[float], None]) -> list[dict[str, Any]]:
    """Return the figures of every run; files are made in `folder`."""
    events = EVENTS // 100 if quick else EVENTS
    generated_ = generated(folder, events // 2)
    plans = [
        (f"{PODS:,} pods", 2 * PODS, pods(folder, PODS), "refuse", 3),
        (f"{events:,} events", events, generated_, "refuse", 60),
        (f"{events:,} events, with queues", events, generated_, "fifo", 60),
    ]
    found = []
    for number, (what, size, (path, tree), policy, within) in enumerate(plans):
        told(number / len(plans))
        arguments = [str(path), "--tree", str(tree), "--policy", policy, "-o", "json"]
        arguments += ["--html", str(folder / "report.html")]
        figures = run([sys.executable, "-m", "quotatree", "simulate", *arguments])
        found.append({"what": what, "events": size, "within": within} | figures)
    return found


def run(command: list[str]) -> dict[str, float]:
    """Run a command to its end; returns seconds, processor seconds and the greatest memory."""
    began = time.monotonic()
    child = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT
    )
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return {
        "seconds": time.monotonic() - began,
        "processor_seconds": used.ru_utime + used.ru_stime,
        "bytes": used.ru_maxrss * 1024,
    }


def pods(folder: Path, count: int) -> tuple[Path, Path]:
    """Write the example's trace, one copy after the other, until it has `count` pods."""
    with (EXAMPLE / "trace.csv").open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        columns, rows = list(reader.fieldnames or ()), list(reader)
    path = folder / "pods.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(_repeated(rows, count))
    return path, EXAMPLE / "quotatree.yaml"


def _repeated(rows: list[dict[str, str]], count: int) -> Iterator[Mapping[str, str]]:
    span = max(int(row["deletion_time"]) for row in rows)
    for number in range(count):
        copy, index = divmod(number, len(rows))
        row = rows[index]
        shifted = {c: str(int(row[c]) + copy * span) for c in ("creation_time", "deletion_time")}
        yield row | shifted | {"name": f"{row['name']}-{copy}"}


def generated(folder: Path, count: int) -> tuple[Path, Path]:
    """Write a tree of 1,000 namespaces at depth 4, and `count` workloads that fill it."""
    chance = random.Random(5)
    names = [name for name, depth in namespaces() if depth == 3]
    path = folder / "generated.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("name,namespace,arrival,duration,priority,cpu,memory,nvidia.com/gpu\n")
        arrival = 0.0
        for number in range(count):
            arrival += chance.expovariate(1)
            cpu, memory, gpu = chance.choices(_SHAPES, (40, 40, 15, 5))[0]
            where, rank = chance.choice(names), chance.randrange(3)
            duration = chance.lognormvariate(8.5, 1)
            file.write(
                f"w-{number},{where},{arrival:.3f},{duration:.3f},{rank},{cpu},{memory},{gpu}\n"
            )
    tree = folder / "generated.yaml"
    tree.write_text("\n".join(_tree()) + "\n", encoding="utf-8")
    return path, tree


def namespaces() -> Iterator[tuple[str, int]]:
    """Yield every namespace with its depth, parents before children."""
    yield "org", 0
    for team in range(TEAMS):
        yield f"team-{team}", 1
        for group in range(GROUPS):
            yield f"team-{team}-group-{group}", 2
            for pipeline in range(PIPELINES):
                yield f"team-{team}-group-{group}-pipeline-{pipeline}", 3


def _tree() -> Iterator[str]:
    yield "apiVersion: quotatree.dev/v1alpha1\nkind: Tree\ntree:"
    hard = (
        'cpu: "70000", memory: 300Ti, requests.nvidia.com/gpu: "8000", count/pods: "20000"',
        'cpu: "9000", memory: 36Ti, requests.nvidia.com/gpu: "1000"',
        'cpu: "1200", memory: 5Ti, requests.nvidia.com/gpu: "140"',
        'requests.nvidia.com/gpu: "24", count/pods: "40"',
    )
    before = -1
    for name, depth in namespaces():
        if depth > before >= 0:
            yield f"{'  ' * (2 * depth)}children:"
        before = depth
        indent = "  " * (2 * depth + 1)
        yield f"{indent}{name}:"
        yield f"{indent}  hard: {{{hard[depth]}}}"
        if depth == 1:
            yield f'{indent}  guaranteed: {{requests.nvidia.com/gpu: "400"}}'
