"""Statistics of small samples: quantiles, spreads, ratios of pairs. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A median with what lies around it: the quartiles and the extremes."""

    median: float
    low: float
    high: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Return the spread of some values.

        Raises:
            ValueError: there are none.
        """
        found = sorted(values)
        return cls(
            median=quantile(found, 0.5),
            low=quantile(found, 0.25),
            high=quantile(found, 0.75),
            least=found[0],
            greatest=found[-1],
        )


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the sorted values lie, interpolated.

    Raises:
        ValueError: there are no values.
    """
    if not ordered:
        raise ValueError("no values, so no quantile")
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def ratios(pairs: Iterable[tuple[_T, _T]], value: Callable[[_T], float]) -> tuple[float, ...]:
    """Return `value` of the second of each pair, divided by that of the first.

    A ratio within a pair, whose two runs followed each other, is free of slow drifts of the
    machine; a ratio of two medians is not.
    """
    return tuple(value(second) / value(first) for first, second in pairs)
