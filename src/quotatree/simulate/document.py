"""Results as plain data: the JSON document, and the columns of the Parquet files.

Times are seconds since the beginning that the trace counts from, amounts over time are plain
numbers of cores, bytes and objects; limits are quantities as everywhere.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from quotatree.model.names import API_VERSION
from quotatree.simulate import reading
from quotatree.simulate.meters import COUNTS, Line
from quotatree.simulate.recorder import Curve
from quotatree.simulate.results import Outcome, Run, Tally, obstacle_text, resource_text
from quotatree.simulate.trace import SECOND
from quotatree.units.quantity import NANO
from quotatree.units.resources import Resources

KIND: Final = "Simulation"
PERCENTS: Final = (50, 90, 99, 100)


def to_dict(runs: Sequence[Run]) -> dict[str, Any]:
    """Return everything but the single workloads."""
    first = runs[0]
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "trace": {
            "file": first.trace.source,
            "workloads": len(first.trace.workloads),
            "start": seconds(first.trace.start),
            "end": seconds(first.trace.end),
            "notes": list(first.trace.notes),
        },
        "policy": first.policy.value,
        "runs": [_run(run) for run in runs],
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "tree": run.tree,
        "notes": list(run.notes),
        "end": seconds(run.end),
        "interval": seconds(run.length),
        "total": _tally(run.total),
        "keptOutBy": [{"by": name, "workloads": count} for name, count in run.blamed()],
        "namespaces": {name: _tally(tally) for name, tally in run.by_namespace.items()},
        "counts": {what: _per_interval(run, what) for what in COUNTS},
        "nodes": [_line(run, line) for line in run.lines],
    }


def _tally(tally: Tally) -> dict[str, Any]:
    waiting = {f"p{percent}": seconds(tally.wait(percent)) for percent in PERCENTS}
    return {
        "workloads": tally.asked,
        "outcomes": {outcome.value: tally.outcomes[outcome] for outcome in Outcome},
        "waited": waiting | {"histogram": dict(tally.histogram())},
    }


def _per_interval(run: Run, what: str) -> list[int]:
    """Return how many in each interval; for `waiting`, how many at the most."""
    curve = run.counted(what)
    if what == "waiting":
        return list(curve.peaks)
    return [now - before for before, now in zip([0, *curve.peaks], curve.peaks, strict=False)]


def _line(run: Run, line: Line) -> dict[str, Any]:
    used = run.curves[line.used]
    found = {
        "namespace": line.namespace,
        "resource": resource_text(line.scopes, line.resource),
        "hard": _quantity(line.resource, line.hard),
        "guaranteed": _quantity(line.resource, line.guaranteed or None),
        "peak": _quantity(line.resource, used.peak),
        "mean": _quantity(line.resource, used.mean),
        "used": _series(used),
    }
    if line.charged is not None:
        found["charged"] = _series(run.curves[line.charged])
    if line.borrowed is not None:
        found["borrowed"] = _series(run.curves[line.borrowed])
    return found


def _series(curve: Curve) -> dict[str, list[int | float]]:
    return {
        "mean": [plain(value, curve.scale) for value in curve.means],
        "peak": [plain(value, curve.scale) for value in curve.peaks],
    }


def _quantity(resource: str, nano: int | None) -> str | None:
    return None if nano is None else Resources.from_nano({resource: nano}).to_strings()[resource]


def plain(value: int, scale: int) -> int | float:
    """Return an amount in `scale` of 10⁻⁹ as a number of units."""
    return value if scale == NANO else value * scale / NANO


def seconds(moment: int) -> int | float:
    """Return microseconds as seconds, whole ones without a point."""
    return moment // SECOND if moment % SECOND == 0 else moment / SECOND


# -- Parquet --------------------------------------------------------------------------------


def write_parquet(runs: Sequence[Run], folder: Path) -> list[Path]:
    """Write `workloads.parquet` (a row for each) and `usage.parquet` (one for each interval).

    Raises:
        InputError: pyarrow is not installed.
    """
    library = reading.arrow()
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, columns in (("workloads", _workloads(runs)), ("usage", _usage(runs))):
        path = folder / f"{name}.parquet"
        library.parquet.write_table(library.base.table(columns), path, compression="zstd")
        written.append(path)
    return written


def _workloads(runs: Sequence[Run]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        name: []
        for name in ("tree", "name", "namespace", "arrival", "outcome", "admitted", "kept_out_by")
    }
    for run in runs:
        for index, workload in enumerate(run.trace.workloads):
            outcome, obstacle = run.fates.outcome(index), run.fates.obstacle(index)
            admitted = run.fates.admitted[index] / SECOND if outcome is Outcome.ADMITTED else None
            row = (
                run.tree,
                workload.name,
                workload.namespace,
                workload.arrival / SECOND,
                outcome.value,
                admitted,
                obstacle_text(obstacle) if obstacle is not None else None,
            )
            for column, value in zip(columns.values(), row, strict=True):
                column.append(value)
    return columns


def _usage(runs: Sequence[Run]) -> dict[str, list[Any]]:
    names = ("tree", "namespace", "resource", "begins", "hard", "guaranteed")
    series = ("used", "used_peak", "charged", "borrowed")
    columns: dict[str, list[Any]] = {name: [] for name in (*names, *series)}
    for run in runs:
        for line in run.lines:
            for row in _usage_rows(run, line):
                for column, value in zip(columns.values(), row, strict=True):
                    column.append(value)
    return columns


def _usage_rows(run: Run, line: Line) -> Iterator[tuple[Any, ...]]:
    used = run.curves[line.used]
    hard = None if line.hard is None else line.hard / NANO
    head = (run.tree, line.namespace, resource_text(line.scopes, line.resource))
    charged = used.means if line.charged is None else run.curves[line.charged].means
    nothing = array("q", bytes(8 * len(used.means)))
    borrowed = nothing if line.borrowed is None else run.curves[line.borrowed].means
    rows = zip(used.means, used.peaks, charged, borrowed, strict=True)
    for number, values in enumerate(rows):
        begins = (run.start + number * run.length) / SECOND
        amounts = (float(plain(value, used.scale)) for value in values)
        yield (*head, begins, hard, line.guaranteed / NANO, *amounts)
