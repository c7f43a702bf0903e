"""An explanation on the terminal. Pure: it depends on the values and the width alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from quotatree.cli import explain_report, output, render
from quotatree.cli.explain_report import MOST_CONSUMERS, Explained, Key
from quotatree.model import scope
from quotatree.model.fit import Consumer, LevelFigures
from quotatree.model.report import Report


def screen(
    found: Sequence[Explained], report: Report, *, ascii_only: bool = False
) -> RenderableType:
    """Return all answers."""
    signs = render.ASCII if ascii_only else render.UNICODE
    parts: list[RenderableType] = []
    for one in found:
        parts += [*([""] if parts else []), Text(explain_report.headline(one), overflow="fold")]
        parts += _levels(one, signs)
        for key, takers in one.consumers:
            parts += _consumers(key, takers)
        if change := explain_report.smallest_change(one):
            parts += ["", Text(change, overflow="fold")]
    for item in report.items:
        parts += ["", output.finding(item)]
    if any(one.asked.request for one in found):
        parts += ["", output.verdict(report.verdict)]
    return Group(*parts)


def _levels(one: Explained, signs: render.Signs) -> Iterator[RenderableType]:
    if not one.levels:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    table.add_column("RESOURCE", overflow="fold")
    table.add_column("LEVEL", overflow="fold")
    table.add_column("REQUESTED", justify="right")
    table.add_column("USED / LIMIT", no_wrap=True)
    table.add_column("AVAILABLE", justify="right")
    table.add_column("", no_wrap=True)
    before = ""
    for figures in one.levels:
        name = scope.label(figures.resource, figures.scopes)
        shown = name if name != before else ""
        before = name
        table.add_row(
            Text(shown, style="bold"),
            Text(figures.level),
            Text(_human(figures, figures.requested) if figures.requested else ""),
            _usage(figures, signs),
            Text("" if figures.available is None else _human(figures, figures.available, up=False)),
            Text("refuses" if figures.refuses else "", style="red"),
        )
    yield ""
    yield table


def _usage(figures: LevelFigures, signs: render.Signs) -> Text:
    used = _human(figures, figures.used)
    if figures.hard is None:
        return Text(f"{' ' * render.BAR} {used} / no limit")
    drawn = render.bar(figures.used, figures.hard, signs)
    return Text.assemble(drawn, f" {used} / {_human(figures, figures.hard)}")


def _human(figures: LevelFigures, nano: int, *, up: bool = True) -> str:
    return render.human(figures.resource, nano, up=up)


def _consumers(key: Key, takers: Sequence[Consumer]) -> Iterator[RenderableType]:
    if not takers:
        return
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for taker in takers[:MOST_CONSUMERS]:
        kept = "kept by a guarantee, unused" if taker.reserved else ""
        amount = render.human(key[1], taker.amount)
        table.add_row(Text(f"  {taker.namespace}"), Text(amount), Text(kept))
    yield ""
    yield Text(f"{explain_report.consumers_title(key)}:")
    yield table
    left = len(takers) - MOST_CONSUMERS
    if left > 0:
        yield Text(f"  … and {left} more; -o json has all")
