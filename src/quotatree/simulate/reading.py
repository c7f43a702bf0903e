"""Files to traces: CSV or Parquet. What is wrong is said with the line that it is on."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from quotatree.codec.findings import closest, quoted
from quotatree.errors import InputError
from quotatree.model.names import Namespace
from quotatree.simulate import columns, mapping
from quotatree.simulate.columns import Choose, Row
from quotatree.simulate.mapping import Rule
from quotatree.simulate.trace import Trace

Tick = Callable[[float], None]
"""Told the share that is done, now and then."""

_EVERY: Final = 5_000  # rows between two ticks
_LONGEST_FIELD: Final = 10_000
_BATCH: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """An open file: its header, its rows with their numbers, and what a number is called."""

    header: Row
    rows: Iterator[tuple[int, Row]]
    counted: str


class RowError(InputError):
    """A row cannot be understood."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


def read(
    path: Path,
    *,
    known: Collection[Namespace],
    leaves: Collection[Namespace],
    rules: tuple[Rule, ...] = (),
    tick: Tick = lambda _: None,
) -> Trace:
    """Return the trace of a file, its rows given to namespaces, which have to be `known` ones.

    Without rules the column `namespace` says which; without that too, `leaves` take turns.

    Raises:
        InputError: the file cannot be read, or is no trace; the line is in the message.
    """
    try:
        with open_table(path, tick) as table:
            try:
                return _trace(path.name, table, known=known, leaves=leaves, rules=rules)
            except RowError as error:
                where = f":{error.number}" if table.counted == "line" else f", row {error.number}"
                raise InputError(f"{path}{where}: {error}") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def open_table(path: Path, tick: Tick = lambda _: None) -> AbstractContextManager[Table]:
    """Open a CSV or Parquet file; the content tells which, not the name.

    Raises:
        InputError: it cannot be read as either. The rows raise `RowError`.
    """
    with path.open("rb") as file:
        magic = file.read(4)
    return _parquet(path, tick) if magic == b"PAR1" else _csv(path, tick)


def _trace(
    source: str,
    table: Table,
    *,
    known: Collection[Namespace],
    leaves: Collection[Namespace],
    rules: tuple[Rule, ...],
) -> Trace:
    try:
        meaning = columns.understand(table.header)
        choose, turns = _chooser(table.header, leaves, rules)
    except InputError as error:
        raise RowError(1, str(error)) from error
    known = frozenset(known)
    width = len(table.header)
    workloads = []
    for number, row in table.rows:
        if len(row) != width:
            raise RowError(number, _torn(len(row), width))
        try:
            workload = meaning.workload(row, number, choose=choose)
        except InputError as error:
            raise RowError(number, str(error)) from error
        if workload.namespace not in known:
            raise RowError(number, _unknown(workload.namespace, known))
        workloads.append(workload)
    if not workloads:
        raise RowError(1, "the trace is empty: there is a header and no row below it")
    unused = columns.unused_note(meaning, {column for rule in rules for column in rule.when})
    notes = tuple(note for note in (turns, unused) if note)
    return Trace(source=source, workloads=tuple(workloads), notes=notes)


def _torn(found: int, width: int) -> str:
    if found < width:
        return f"the row has {found} of {width} fields; was the file cut off here?"
    return f"the row has {found} fields, the header {width}"


def _chooser(
    header: Row, leaves: Collection[Namespace], rules: tuple[Rule, ...]
) -> tuple[Choose, str]:
    """Return what chooses the namespace of a row, and what to say about it."""
    if rules:
        return mapping.by_rules(rules, header), ""
    if "namespace" in header:
        return mapping.by_column(list(header).index("namespace")), ""
    note = (
        f"no column namespace: the rows go in turns to the {len(leaves)} namespaces without "
        "children; --map FILE gives rules"
    )
    return mapping.in_turns(list(leaves)), note


def _unknown(name: Namespace, known: Collection[Namespace]) -> str:
    if not name:
        return "the namespace is empty"
    hint = closest(name, known) or "--map FILE gives rows to namespaces of the tree"
    return f"namespace {quoted(name)} is not in the tree; {hint}"


# -- CSV ------------------------------------------------------------------------------------


@contextmanager
def _csv(path: Path, tick: Tick) -> Iterator[Table]:
    size = max(1, path.stat().st_size)
    with (
        path.open("rb") as raw,
        io.TextIOWrapper(raw, newline="", encoding="utf-8-sig") as file,
    ):
        rows = _csv_rows(file, lambda: tick(raw.tell() / size))
        try:
            first = next(rows, None)
        except RowError as error:
            raise InputError(f"{path}:{error.number}: {error}") from error
        if first is None:
            raise InputError(f"{path}: the file is empty")
        yield Table(header=[name.strip() for name in first[1]], rows=rows, counted="line")


def _csv_rows(file: TextIO, tick: Callable[[], None]) -> Iterator[tuple[int, Row]]:
    """Yield each row with the line it begins on; blank lines are none."""
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(file, strict=True)
    begins = 1
    try:
        for count, row in enumerate(reader):
            if row:
                yield begins, row
            begins = reader.line_num + 1
            if count % _EVERY == 0:
                tick()
    except csv.Error as error:
        cut = "a quote is opened and never closed; was the file cut off here?"
        said = cut if "unexpected end" in str(error) else str(error)
        raise RowError(begins, f"is no CSV: {said}") from error
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise RowError(begins, f"byte 0x{byte:02X} is not UTF-8: this is no text file") from error


# -- Parquet --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """The library of the extra `parquet`, imported when it is needed."""

    base: Any
    parquet: Any


def arrow() -> Arrow:
    """Return pyarrow.

    Raises:
        InputError: it is not installed.
    """
    try:
        import pyarrow  # type: ignore[import-untyped]
        import pyarrow.parquet  # type: ignore[import-untyped]
    except ImportError as error:
        raise InputError(
            "Parquet needs pyarrow, which is not installed: pip install 'quotatree[parquet]'"
        ) from error
    return Arrow(base=pyarrow, parquet=pyarrow.parquet)


@contextmanager
def _parquet(path: Path, tick: Tick) -> Iterator[Table]:
    library = arrow()
    text = library.base.string()
    broken = (library.base.ArrowException, OSError)
    try:
        file = library.parquet.ParquetFile(path)
    except broken as error:
        raise InputError(f"{path}: is no whole Parquet file: {_first_line(error)}") from error

    def rows() -> Iterator[tuple[int, Row]]:
        number = 0
        try:
            for batch in file.iter_batches(_BATCH):
                for row in zip(*(c.cast(text).to_pylist() for c in batch.columns), strict=True):
                    number += 1
                    yield number, [value or "" for value in row]
                tick(number / max(1, file.metadata.num_rows))
        except broken as error:
            raise RowError(number + 1, f"cannot be read: {_first_line(error)}") from error

    with file:
        yield Table(header=list(file.schema_arrow.names), rows=rows(), counted="row")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")
