"""What happened, kept in intervals of equal length: exact sums, bounded memory.

Each *series* is one number that changes now and then. Of every interval its time-weighted mean and
its peak are kept. A change by d at time t adds d·(end - t) to the interval's area, so an event
costs one addition for each series, however long nothing has happened. When the intervals run out
they are merged in pairs and grow twice as long.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

INTERVALS: Final = 120
"""Intervals that are kept at the most; at least half as many once they have been merged."""

_LARGEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One series over time: the mean and the peak of each interval, in `scale` of 10⁻⁹.

    `mean` and `peak` over all of the time are exact and in 10⁻⁹ (the mean rounded to nearest).
    """

    means: array[int]
    peaks: array[int]
    mean: int
    peak: int
    scale: int


class Recorder:
    """All series of one run, by number.

    `values`, `areas` and `peaks` belong to the interval that is open. Whoever keeps a series
    without `add` brings them up to date before `reach` and `finish`; a peak no later than the value
    falls again. Of a count that only grows the value alone will do: then its means mean nothing.
    """

    def __init__(self, scales: Iterable[int], *, start: int, end: int) -> None:
        self.scales = tuple(scales)
        count = len(self.scales)
        self.start = start
        self.length = (end - start) // INTERVALS + 1
        self.closes = start + self.length
        self.values = [0] * count
        self.areas = [0] * count
        self.peaks = [0] * count
        self._means = [array("q") for _ in range(count)]
        self._tops = [array("q") for _ in range(count)]
        self._totals = [0] * count
        self._highest = [0] * count

    def add(self, series: int, delta: int, moment: int) -> None:
        """Change a series; `moment` must lie in the open interval."""
        value = self.values[series] = self.values[series] + delta
        self.areas[series] += delta * (self.closes - moment)
        if value > self.peaks[series]:  # noqa: PLR1730 - a call costs four times as much
            self.peaks[series] = value

    def reach(self, moment: int) -> None:
        """Let time pass up to `moment`, which lies in the open interval afterwards."""
        while moment >= self.closes:
            self._close(self.length)
            self.closes += self.length
            if len(self._means[0]) == INTERVALS:
                self._merge()

    def finish(self, moment: int) -> list[Curve]:
        """Return all series up to `moment`; nothing can be added afterwards."""
        moment = max(moment, self.start + 1)
        self.reach(moment)
        rest = self.closes - moment
        # What lies behind the end of the open interval is taken out of its area again.
        self.areas = [a - v * rest for a, v in zip(self.areas, self.values, strict=True)]
        if moment > self.closes - self.length:
            self._close(self.length - rest)
        self._highest = list(map(max, self._highest, self.peaks, self.values))
        elapsed = moment - self.start
        return [
            Curve(means=m, peaks=p, mean=_nearest(total, elapsed), peak=highest, scale=scale)
            for m, p, total, highest, scale in zip(
                self._means, self._tops, self._totals, self._highest, self.scales, strict=True
            )
        ]

    def _close(self, length: int) -> None:
        """End the open interval; with thousands of series this is a good part of a replay."""
        values, areas, peaks, highest = self.values, self.areas, self.peaks, self._highest
        weights = {scale: length * scale for scale in self.scales}
        for number, scale in enumerate(self.scales):
            value, peak, area = values[number], peaks[number], areas[number]
            if value > peak:  # noqa: PLR1730 - likewise
                peak = value
            weight = weights[scale]
            _append(self._means[number], (2 * area + weight) // (2 * weight))
            _append(self._tops[number], -(-peak // scale))
            self._totals[number] += area
            if peak > highest[number]:  # noqa: PLR1730 - likewise
                highest[number] = peak
            peaks[number] = value
            areas[number] = value * self.length

    def _merge(self) -> None:
        self.length *= 2
        self.closes += self.length // 2
        self.areas = [value * self.length for value in self.values]
        for means, tops in zip(self._means, self._tops, strict=True):
            means[:] = array("q", [(a + b + 1) // 2 for a, b in _pairs(means)])
            tops[:] = array("q", [max(pair) for pair in _pairs(tops)])


def _pairs(values: array[int]) -> Iterable[tuple[int, int]]:
    return zip(values[::2], values[1::2], strict=True)


def _append(to: array[int], value: int) -> None:
    try:
        to.append(value)
    except OverflowError:  # more than 8 EiB: the curve is cut there, the figures are not
        to.append(_LARGEST)


def _nearest(dividend: int, divisor: int) -> int:
    return (2 * dividend + divisor) // (2 * divisor)
