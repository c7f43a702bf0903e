"""Make the extract of the GPU cluster trace that the example replays.

    python tools/trace_extract.py openb_pod_list_default.csv

The rule is a function of the file alone: no chance, so that anyone gets the same extract. Pods are
grouped by number of GPUs and quality of service. Of each group, in the order of the trace, the
first pod is kept and then every 14th; of pods with more than one GPU, which are a hundredth of all
and decide most about a GPU quota, every third. Each shape of pod therefore occurs.

Kept as they are: the columns in `COLUMNS` and the order of creation. Dropped: `gpu_spec`, which is
empty in this file, and `scheduled_time`, which is the trace's scheduler's and not the workload's.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

COLUMNS: Final = (
    "name",
    "cpu_milli",
    "memory_mib",
    "num_gpu",
    "gpu_milli",
    "qos",
    "pod_phase",
    "creation_time",
    "deletion_time",
)
EVERY: Final = 14
EVERY_WITH_SEVERAL_GPUS: Final = 3
EXTRACT: Final = Path(__file__).parents[1] / "examples" / "ai-pipeline" / "trace.csv"

Pod = dict[str, str]


def extract(pods: Iterable[Pod]) -> list[Pod]:
    """Return the pods that the rule keeps, with the columns that it keeps."""
    seen: Counter[tuple[str, str]] = Counter()
    kept = []
    for pod in pods:
        group = (pod["num_gpu"], pod["qos"])
        step = EVERY_WITH_SEVERAL_GPUS if int(pod["num_gpu"]) > 1 else EVERY
        if seen[group] % step == 0:
            kept.append({column: pod[column] for column in COLUMNS})
        seen[group] += 1
    return kept


def read(path: Path) -> list[Pod]:
    """Return the rows of a trace.

    Raises:
        ValueError: the file lacks a column that is needed; the message names it.
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [c for c in COLUMNS if c not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"{path} is no pod list of the trace: no column {', '.join(missing)}")
        return list(reader)


def write(path: Path, pods: list[Pod]) -> None:
    """Write `pods` with a header, lines ending in a newline alone on every system."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(pods)


def main(arguments: list[str] | None = None) -> int:
    """Read the full trace, write the extract, say how many pods it has."""
    parser = argparse.ArgumentParser(description="Make the example's extract of the GPU trace.")
    parser.add_argument("trace", type=Path, help="openb_pod_list_default.csv of the full trace")
    parser.add_argument("--output", type=Path, default=EXTRACT, help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        pods = read(options.trace)
        kept = extract(pods)
        write(options.output, kept)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{len(kept)} of {len(pods)} pods are in {options.output}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
