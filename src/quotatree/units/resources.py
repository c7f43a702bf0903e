"""Lists of resources: an immutable mapping from a resource's name to an amount."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from quotatree.units import quantity, resource_names
from quotatree.units.quantity import Format, Quantity

# Asked for every amount of every event and review; there are few names, but anybody can make more.
_usual: Final = functools.lru_cache(maxsize=4096)(resource_names.format_of)

# The formats of most lists are those of their names: nothing to remember, nothing to store.
_NO_FORMATS: Final[dict[str, Format]] = {}


class Resources(Mapping[str, Quantity]):
    """Amounts by resource name, immutable and hashable.

    A name that is absent counts as zero in sums and differences, and as "no limit" where a list is
    a limit. `nanos` gives the plain integers of 10⁻⁹ to the inner loops, so that the deciding code
    never meets a float or a text; everything else goes through this class, so that no two lists of
    different names are ever added by position or by accident.

    Equality and hash are those of the amounts: how they are written plays no part.
    """

    __slots__ = ("_formats", "_nanos")

    _nanos: dict[str, int]
    _formats: dict[str, Format]  # only of names that are not written in their usual format

    def __init__(self, amounts: Mapping[str, Quantity] | None = None) -> None:
        self._nanos = nanos = {}
        unusual: dict[str, Format] = {}
        if amounts:
            for name, amount in amounts.items():
                nanos[name] = amount.nano
                if amount.format is not _usual(name):
                    unusual[name] = amount.format
        self._formats = unusual or _NO_FORMATS

    @classmethod
    def parse(cls, amounts: Mapping[str, object]) -> Resources:
        """Return the list that a decoded JSON or YAML object shows, e.g. `{"cpu": "20"}`.

        Raises:
            QuantityError: an amount is no quantity; the message begins with the resource's name.
        """
        parsed = {}
        for name, value in amounts.items():
            try:
                parsed[name] = Quantity.from_json(value)
            except quantity.QuantityError as error:
                raise quantity.QuantityError(f"{name}: {error}") from error
        return cls(parsed)

    @classmethod
    def from_nano(cls, nanos: Mapping[str, int]) -> Resources:
        """Return the list of these integers of 10⁻⁹, written in the usual format of each name."""
        return _make(dict(nanos), _NO_FORMATS)

    def nano(self, name: str) -> int:
        """Return the amount of `name` in 10⁻⁹, 0 when it is absent."""
        return self._nanos.get(name, 0)

    def nanos(self) -> Mapping[str, int]:
        """Return all amounts in 10⁻⁹ as a read-only view, without a copy."""
        return MappingProxyType(self._nanos)

    def __getitem__(self, name: str) -> Quantity:
        return Quantity(nano=self._nanos[name], format=self._format(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._nanos)

    def __len__(self) -> int:
        return len(self._nanos)

    def __contains__(self, name: object) -> bool:
        return name in self._nanos

    def __eq__(self, other: object) -> bool:
        return self._nanos == other._nanos if isinstance(other, Resources) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self._nanos.items()))

    def __add__(self, other: Resources) -> Resources:
        sums = dict(self._nanos)
        for name, nano in other._nanos.items():
            sums[name] = sums.get(name, 0) + nano
        return self._derived(sums, other)

    def __sub__(self, other: Resources) -> Resources:
        """Return the differences; they may be negative."""
        differences = dict(self._nanos)
        for name, nano in other._nanos.items():
            differences[name] = differences.get(name, 0) - nano
        return self._derived(differences, other)

    def mask(self, names: Iterable[str]) -> Resources:
        """Return only what is named."""
        kept = frozenset(names)
        return self._derived({n: v for n, v in self._nanos.items() if n in kept}, EMPTY)

    def without(self, names: Iterable[str]) -> Resources:
        """Return all but what is named."""
        dropped = frozenset(names)
        return self._derived({n: v for n, v in self._nanos.items() if n not in dropped}, EMPTY)

    def maximum(self, other: Resources) -> Resources:
        """Return the greater amount of each name; a name in one list only is kept."""
        union = dict(self._nanos)
        for name, nano in other._nanos.items():
            union[name] = max(union.get(name, nano), nano)
        return self._derived(union, other)

    def minimum(self, other: Resources) -> Resources:
        """Return the lesser amount of each name; a name in one list only is kept (no limit)."""
        union = dict(self._nanos)
        for name, nano in other._nanos.items():
            union[name] = min(union.get(name, nano), nano)
        return self._derived(union, other)

    def exceeding(self, limit: Resources) -> tuple[str, ...]:
        """Return the sorted names that `limit` has and of which there is more here."""
        have = self._nanos
        return tuple(sorted(n for n, most in limit._nanos.items() if have.get(n, 0) > most))

    def fits(self, limit: Resources) -> bool:
        """Whether nothing here exceeds `limit`."""
        have = self._nanos
        return all(have.get(name, 0) <= most for name, most in limit._nanos.items())

    def growth(self, old: Resources) -> Resources:
        """Return what is more here than in `old`; names that did not grow are left out."""
        before = old._nanos
        grown = {n: v - before.get(n, 0) for n, v in self._nanos.items() if v > before.get(n, 0)}
        return self._derived(grown, old)

    def to_strings(self) -> dict[str, str]:
        """Return the canonical text of each amount, sorted by name."""
        return {name: str(self[name]) for name in sorted(self._nanos)}

    def __str__(self) -> str:
        """Return e.g. `cpu=20,memory=100Gi`, sorted, as native refusals write it."""
        return ",".join(f"{name}={text}" for name, text in self.to_strings().items())

    def __repr__(self) -> str:
        return f"Resources({str(self)!r})"

    def _format(self, name: str) -> Format:
        return self._formats.get(name) or _usual(name)

    def _derived(self, nanos: dict[str, int], other: Resources) -> Resources:
        """Return `nanos`, written as here or, where here is nothing, as in `other`."""
        if not self._formats and not other._formats:
            return _make(nanos, _NO_FORMATS)
        return _make(
            nanos, _unusual({n: (self if self.nano(n) else other)._format(n) for n in nanos})
        )


def _make(nanos: dict[str, int], formats: dict[str, Format]) -> Resources:
    """Return a list that owns `nanos`: no copy, no check."""
    made = Resources.__new__(Resources)
    made._nanos = nanos
    made._formats = formats
    return made


def _unusual(formats: Mapping[str, Format]) -> dict[str, Format]:
    unusual = {n: f for n, f in formats.items() if f is not _usual(n)}
    return unusual or _NO_FORMATS


EMPTY: Final = Resources()
