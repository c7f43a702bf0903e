"""Durations, shares and sparklines in few characters, the same for the screen and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from quotatree.simulate.trace import SECOND

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_NICE: Final = (1, 2, 5, 10, 20, 50)
_CELLS: Final = "▁▂▃▄▅▆▇█"
_ASCII_CELLS: Final = ".:-=+*#@"


def duration(moment: int) -> str:
    """Return e.g. `45 s`, `2.5 h`, `149 d`; times of less than a second are exact."""
    if moment == 0:
        return "0 s"
    for unit, length in _UNITS:
        if moment >= length * SECOND:
            tenths = (10 * moment + length * SECOND // 2) // (length * SECOND)
            text = f"{tenths / 10:.1f}" if tenths < 100 else f"{round(tenths / 10):,}"
            return f"{text.removesuffix('.0')} {unit}"
    return f"{moment / SECOND:g} s"


def share(part: int, whole: int) -> str:
    """Return a percentage with one decimal; neither 0.0 nor 100.0 unless it is exactly that."""
    if not whole:
        return "0 %"
    tenths = (1000 * part + whole // 2) // whole
    tenths = max(1, tenths) if part > 0 else tenths
    tenths = min(999, tenths) if part < whole else tenths
    return f"{tenths // 10}.{tenths % 10} %"


def percent(part: int, whole: int) -> str:
    """Return a whole percentage; neither 0 nor 100 unless it is exactly that."""
    if not whole:
        return "0%"
    if 0 < 200 * part < whole:
        return "<1%"
    found = (100 * part + whole // 2) // whole
    return f"{min(99, found) if part < whole else found}%"


def ticks(span: int) -> list[tuple[int, str]]:
    """Return places on a time axis of `span` µs, from its beginning, with their labels."""
    unit, length = next(((u, s) for u, s in _UNITS if span >= 3 * s * SECOND), _UNITS[-1])
    step = next((n for n in _NICE if span <= 6 * n * length * SECOND), 0)
    if not step:
        step = -(-span // (6 * 100 * length * SECOND)) * 100
    count = span // (step * length * SECOND)
    return [(n * step * length * SECOND, f"{n * step:,} {unit}") for n in range(count + 1)]


def spark(values: Sequence[int], full: int, *, cells: int, ascii_only: bool = False) -> str:
    """Return the peaks of `values` as a line of at most `cells` characters, `full` the highest.

    A blank stands for nothing at all, the highest sign for full only.
    """
    signs = _ASCII_CELLS if ascii_only else _CELLS
    line = []
    count = min(cells, len(values))
    for number in range(count):
        part = values[number * len(values) // count : (number + 1) * len(values) // count]
        peak = max(part)
        level = min(len(signs) - 1, peak * (len(signs) - 1) // full) if full else len(signs) - 1
        line.append(signs[level] if peak else " ")
    return "".join(line)
