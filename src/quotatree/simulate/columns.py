"""What the columns of a trace mean. Two formats, told apart by their header.

- *plain*: `arrival`, and of the others those that there are: `name`, `namespace`, `duration` or
  `departure`, `priority`, `priorityClass`, and one column for each resource.
- *Alibaba GPU 2023*: `cpu_milli`, `memory_mib`, `num_gpu`, `creation_time`, `deletion_time`; one
  pod a row. A share of a GPU is a whole one here: Kubernetes counts devices.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from quotatree.codec.findings import closest, quoted
from quotatree.errors import InputError
from quotatree.model.names import Namespace
from quotatree.simulate.trace import SECOND, Ask, Workload
from quotatree.units import resource_names
from quotatree.units.quantity import NANO, Quantity, QuantityError

Row = Sequence[str]
Choose = Callable[[Row], Namespace]
"""Which namespace a row belongs to."""

PLAIN: Final = (
    "name",
    "namespace",
    "arrival",
    "duration",
    "departure",
    "priority",
    "priorityClass",
)
"""Columns of the plain format that are no resources."""
ALIBABA: Final = ("cpu_milli", "memory_mib", "num_gpu", "creation_time", "deletion_time")
"""Columns without which it is no Alibaba trace."""
GPU: Final = "requests.nvidia.com/gpu"
RANKS: Final[Mapping[str, int]] = {"LS": 2, "Guaranteed": 1, "Burstable": 1, "BE": 0}
"""Priority of an Alibaba row by its `qos`; 0 for any other."""

_MILLION: Final = 10**6
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]*)?([eE][+-]?[0-9]{1,2})?", re.ASCII)
_LATEST: Final = 10**12 * SECOND
_POD_COUNTS: Final = ("pods", "count/pods")


@dataclass(slots=True, kw_only=True)
class Columns:
    """The header, understood: turns rows into workloads.

    `shape` are the columns that say what is asked for, `read` what they mean, `unused` those that
    mean nothing here.
    """

    name: int | None
    arrival: int
    departure: int | None
    duration: int | None
    shape: tuple[int, ...]
    read: Callable[[Row], Ask]
    rank: Callable[[Row], int]
    unused: tuple[str, ...] = ()
    _asks: dict[tuple[str, ...], Ask] = field(default_factory=dict)

    def workload(self, row: Row, number: int, *, choose: Choose) -> Workload:
        """Return the workload of a row; `number` names it where no column does.

        Raises:
            InputError: a value is not what its column has to hold.
        """
        arrival = moment(row[self.arrival], "the arrival")
        return Workload(
            row[self.name] if self.name is not None else f"row-{number}",
            choose(row),
            arrival,
            self._duration(row, arrival),
            self._ask(row),
            self.rank(row),
        )

    def _duration(self, row: Row, arrival: int) -> int | None:
        if self.duration is not None and row[self.duration]:
            found = moment(row[self.duration], "the duration")
        elif self.departure is not None and row[self.departure]:
            found = moment(row[self.departure], "the departure") - arrival
        else:
            return None
        if found < 0:
            raise InputError("it ends before it begins")
        return found

    def _ask(self, row: Row) -> Ask:
        shape = tuple([row[index] for index in self.shape])
        ask = self._asks.get(shape)
        if ask is None:
            ask = self._asks[shape] = self.read(row)
        return ask


def understand(header: Row) -> Columns:
    """Return what the columns mean.

    Raises:
        InputError: it is neither format, or a column appears twice.
    """
    at = {name: index for index, name in enumerate(header)}
    if len(at) < len(header):
        twice = sorted({name for name in header if list(header).count(name) > 1})
        raise InputError(f"the header names a column twice: {', '.join(map(quoted, twice))}")
    if "arrival" in at:
        return _plain(at)
    if all(column in at for column in ALIBABA):
        return _alibaba(at)
    raise InputError(_neither(at))


def _neither(at: Mapping[str, int]) -> str:
    found = ", ".join(list(at)[:12]) + (", …" if len(at) > 12 else "")
    missing = ", ".join(column for column in ALIBABA if column not in at)
    hint = closest("arrival", at)
    meant = f" ({hint})" if hint else ""
    return (
        f"these are not the columns of a trace: {quoted(found)}; the plain format needs arrival"
        f"{meant}, the Alibaba format lacks {missing}"
    )


# -- plain ----------------------------------------------------------------------------------


def _plain(at: Mapping[str, int]) -> Columns:
    if "duration" in at and "departure" in at:
        raise InputError("the header has duration and departure; keep one of the two")
    resources = {name: resource for name in at if (resource := _resource(name)) is not None}
    classes = at.get("priorityClass")
    indexes = {name: at[name] for name in resources}

    def read(row: Row) -> Ask:
        amounts = dict.fromkeys(_POD_COUNTS, NANO)
        for name, index in indexes.items():
            if row[index]:
                amount = _amount(row[index], name)
                resource = resource_names.equivalent(resources[name])
                amounts[resource] = amount
                if resource == "pods" and "count/pods" not in indexes:
                    amounts["count/pods"] = amount
        named = row[classes] if classes is not None else ""
        return _ask(amounts, priority_class=named)

    rank = at.get("priority")
    return Columns(
        name=at.get("name"),
        arrival=at["arrival"],
        departure=at.get("departure"),
        duration=at.get("duration"),
        shape=(*indexes.values(), *([] if classes is None else [classes])),
        read=read,
        rank=(lambda _: 0) if rank is None else (lambda row: _whole(row[rank] or "0", "priority")),
        unused=tuple(name for name in at if name not in resources and name not in PLAIN),
    )


def _resource(column: str) -> str | None:
    """Return the quota's name of a resource that a pod or a quota names, None for other columns."""
    for name in (column, f"requests.{column}"):
        if resource_names.counted_kind(name) is not None:
            return name
    return None


def unused_note(columns: Columns, read: Iterable[str]) -> str:
    """Say which columns mean nothing, `read` by others left out; empty when there are none."""
    unused = [name for name in columns.unused if name not in set(read)]
    if not unused:
        return ""
    known = [*PLAIN, *resource_names.COMPUTE, "nvidia.com/gpu", "pods", "requests.storage"]
    hints = [f"{name}{_in_brackets(closest(name, known))}" for name in unused]
    return f"columns without a meaning here: {', '.join(hints)}"


def _in_brackets(hint: str) -> str:
    return f" ({hint})" if hint else ""


# -- Alibaba --------------------------------------------------------------------------------


def _alibaba(at: Mapping[str, int]) -> Columns:
    cpu, memory, gpu = (at[name] for name in ALIBABA[:3])
    qos = at.get("qos")

    def read(row: Row) -> Ask:
        amounts = dict.fromkeys(_POD_COUNTS, NANO)
        amounts["cpu"] = _whole(row[cpu] or "0", "cpu_milli") * _MILLION
        amounts["memory"] = _whole(row[memory] or "0", "memory_mib") * 2**20 * NANO
        amounts[GPU] = _whole(row[gpu] or "0", "num_gpu") * NANO
        return _ask(amounts)

    return Columns(
        name=at.get("name"),
        arrival=at["creation_time"],
        departure=at["deletion_time"],
        duration=None,
        shape=(cpu, memory, gpu),
        read=read,
        rank=(lambda _: 0) if qos is None else (lambda row: RANKS.get(row[qos], 0)),
    )


# -- values ---------------------------------------------------------------------------------


def moment(text: str, what: str) -> int:
    """Return a time in µs: seconds, or a date with a time (UTC where it has no zone).

    Raises:
        InputError: it is neither.
    """
    whole, _, fraction = text.partition(".")
    if whole.isascii() and whole.isdigit() and len(whole) <= 12:  # as nearly all are
        if not fraction:
            return int(whole) * SECOND
        if fraction.isascii() and fraction.isdigit() and len(fraction) <= 6:
            return int(whole) * SECOND + int(fraction.ljust(6, "0"))
    if _NUMBER.fullmatch(text):
        exact = (Decimal(text) * SECOND).to_integral_value(ROUND_HALF_UP)
        if abs(exact) > _LATEST:
            raise InputError(f"{what}: {quoted(text)} seconds is out of range")
        return int(exact)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{what}: {quoted(text)} is no time; write seconds (12.5) or 2026-01-31T10:00:00Z"
        ) from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    since = found - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def _ask(amounts: Mapping[str, int], *, priority_class: str = "") -> Ask:
    return Ask(amounts={r: a for r, a in amounts.items() if a}, priority_class=priority_class)


def _amount(text: str, column: str) -> int:
    try:
        nano = Quantity.parse(text).nano
    except QuantityError as error:
        raise InputError(f"{column}: {error}") from error
    if nano < 0:
        raise InputError(f"{column}: {quoted(text)} is negative")
    return nano


def _whole(text: str, column: str) -> int:
    digits = text.removeprefix("-") if column == "priority" else text
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise InputError(f"{column}: {quoted(text)} is no whole number")
    return int(text)
