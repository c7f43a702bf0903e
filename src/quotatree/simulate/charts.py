"""Plots as SVG text: no script, no font, no colour of their own.

Colours are classes (`styles.CSS` has them for light and for dark), every plot has a title for those
who do not see it, and numbers stand beside it as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import Final

WIDTH: Final = 460
HEIGHT: Final = 150
_LEFT: Final = 52
_RIGHT: Final = 8
_TOP: Final = 10
_BOTTOM: Final = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A horizontal line, e.g. a limit."""

    value: float
    label: str
    style: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Values over equal intervals. `filled` down to the axis, else a line."""

    values: Sequence[float]
    style: str
    filled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Steps and marks on one time axis; `ends` is where the last interval ends, from 0 to 1.

    `ticks` are places on the axis (0 to 1) with their labels; `top` the greatest value shown, with
    its label.
    """

    title: str
    steps: Sequence[Steps]
    top: float
    top_label: str
    ticks: Sequence[tuple[float, str]]
    width: float
    ends: float
    marks: Sequence[Mark] = field(default=())


def timeline(plot: Plot) -> str:
    """Return the plot; an interval is `plot.width` (0 to 1) of the axis wide."""
    return _figure(plot.title, WIDTH, _timeline(plot))


def _timeline(plot: Plot) -> Iterator[str]:
    bottom = HEIGHT - _BOTTOM
    for at, label in plot.ticks:
        x = _across(at)
        yield f'<line class="grid" x1="{x}" x2="{x}" y1="{_TOP}" y2="{bottom}"/>'
        yield _text(x, HEIGHT - 7, label, anchor="middle")
    yield f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{bottom}" y2="{bottom}"/>'
    yield _text(_LEFT - 5, bottom + 3, "0", anchor="end")
    at_top = not any(mark.value >= 0.9 * plot.top for mark in plot.marks)
    if at_top:
        yield _text(_LEFT - 5, _TOP + 4, plot.top_label, anchor="end")
    for steps in plot.steps:
        yield _path(plot, steps)
    for mark in plot.marks:
        y = _down(mark.value, plot.top)
        yield f'<line class="{mark.style}" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>'
        yield _text(_LEFT - 5, y + 3, mark.label, anchor="end")


def _path(plot: Plot, steps: Steps) -> str:
    points = [f"M{_across(0)},{_down(steps.values[0] if steps.values else 0, plot.top)}"]
    for number, (value, after) in enumerate(pairwise([*steps.values, None])):
        x = _across(min(plot.ends, (number + 1) * plot.width))
        if value != after or after is None:  # a run of equal values is one line
            points.append(f"H{x}")
        if after is not None and after != value:
            points.append(f"V{_down(after, plot.top)}")
    if steps.filled:
        points.append(f"V{HEIGHT - _BOTTOM}H{_across(0)}Z")
    return f'<path class="{steps.style}" d="{"".join(points)}"/>'


def _across(share: float) -> float:
    return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)


def _down(value: float, top: float) -> float:
    height = HEIGHT - _TOP - _BOTTOM
    return round(_TOP + height * (1 - min(1.0, value / top if top else 0)), 1)


# -- bars -----------------------------------------------------------------------------------

_BAR: Final = 13
_LABEL: Final = 96
_WIDE: Final = 720


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Groups of horizontal bars: of each group one value for every style."""

    title: str
    groups: Sequence[tuple[str, Sequence[tuple[float, str]]]]
    styles: Sequence[str]


def bars(chart: Bars) -> str:
    """Return the bars, the greatest as wide as there is room."""
    return _figure(chart.title, _WIDE, _bars(chart), height=_bars_height(chart))


def _bars_height(chart: Bars) -> int:
    return len(chart.groups) * (len(chart.styles) * _BAR + 9) + 4


def _bars(chart: Bars) -> Iterator[str]:
    greatest = max((value for _, values in chart.groups for value, _ in values), default=0) or 1
    y = 4
    for label, values in chart.groups:
        middle = y + len(values) * _BAR / 2 + 4
        yield _text(_LABEL - 8, middle, label, anchor="end", style="label")
        for style, (value, said) in zip(chart.styles, values, strict=True):
            width = round(value / greatest * (_WIDE - _LABEL - 110), 1)
            shown = max(width, 1.5) if value else 0
            box = f'x="{_LABEL}" y="{y}" width="{shown}" height="{_BAR - 2}" rx="2"'
            yield f'<rect class="{style}" {box}/>'
            yield _text(_LABEL + shown + 5, y + 9, said)
            y += _BAR
        y += 9


def _text(x: float, y: float, text: str, *, anchor: str = "start", style: str = "tick") -> str:
    place = f'x="{round(x, 1)}" y="{round(y, 1)}" text-anchor="{anchor}"'
    return f'<text class="{style}" {place}>{escape(text)}</text>'


def _figure(title: str, width: int, parts: Iterator[str], *, height: int = HEIGHT) -> str:
    head = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
    return "\n".join([head, f"<title>{escape(title)}</title>", *parts, "</svg>"])
