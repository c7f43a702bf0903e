"""Results of a simulation to the screen. Pure; colour only repeats what words say already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from quotatree.cli.render import human
from quotatree.simulate import words
from quotatree.simulate.meters import Line
from quotatree.simulate.results import Outcome, Policy, Run, resource_text

CELLS: Final = 18
"""Cells of a sparkline."""
MOST_LINES: Final = 40
"""Lines of nodes on one screen, for each tree."""

_MOST_BLAMED: Final = 3
_BAD: Final = {Outcome.REFUSED: "red", Outcome.NEVER: "red", Outcome.WAITING: "yellow"}


def screen(runs: Sequence[Run], *, ascii_only: bool = False) -> RenderableType:
    """Return the figures, trees side by side, then what each tree was used for."""
    trace, policy = runs[0].trace, runs[0].policy
    span = words.duration(trace.end - trace.start)
    parts: list[RenderableType] = [
        Text(f"{len(trace.workloads):,} workloads within {span}, policy {policy.value}"),
        Text(),
        _totals(runs),
    ]
    for run in runs:
        parts += [Text(), *_blamed(run), _nodes(run, ascii_only=ascii_only), *_remarks(run)]
    return Group(*parts)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    return table


def _totals(runs: Sequence[Run]) -> Table:
    table = _table("", *(run.tree for run in runs))
    for outcome in Outcome:
        counts = [run.total.outcomes[outcome] for run in runs]
        if any(counts) or outcome is Outcome.ADMITTED:
            cells = [
                Text(
                    f"{count:,}  {words.share(count, run.total.asked):>7}",
                    style=_BAD.get(outcome, "green") if count else "",
                )
                for count, run in zip(counts, runs, strict=True)
            ]
            table.add_row(outcome.value, *cells)
    if runs[0].policy is not Policy.REFUSE:
        for label, percent in (
            ("waited, median", 50),
            ("waited, 90 %", 90),
            ("waited, longest", 100),
        ):
            table.add_row(label, *(words.duration(run.total.wait(percent)) for run in runs))
    table.add_row("the last is gone after", *(words.duration(run.end - run.start) for run in runs))
    return table


def _blamed(run: Run) -> Iterator[RenderableType]:
    blamed = run.blamed()
    yield Text(run.tree, style="bold")
    if blamed:
        first = ", ".join(f"{name} ({count:,})" for name, count in blamed[:_MOST_BLAMED])
        more = f" and {len(blamed) - _MOST_BLAMED} more" if len(blamed) > _MOST_BLAMED else ""
        yield Text(f"first in the way: {first}{more}")


def _nodes(run: Run, *, ascii_only: bool) -> Table:
    table = _table("NAMESPACE", "RESOURCE", "PEAK / HARD", "PEAK", "MEAN", "OVER TIME")
    for column in table.columns[:2]:  # give way first: their long texts wrap
        column.no_wrap, column.overflow = False, "fold"
    table.columns[1].justify = table.columns[-1].justify = "left"
    before = None
    for line in _shown(run):
        name = f"{'  ' * run.depths[line.namespace]}{line.namespace}"
        peaks = run.curves[line.used].peaks
        table.add_row(
            "" if line.namespace == before else Text(name, style="bold"),
            resource_text(line.scopes, line.resource),
            *_figures(run, line),
            words.spark(peaks, _full(run, line), cells=CELLS, ascii_only=ascii_only),
        )
        before = line.namespace
    return table


def _figures(run: Run, line: Line) -> Iterator[Text]:
    used = run.curves[line.used]
    peak = human(line.resource, used.peak)
    if line.hard is None:
        yield from (Text(peak), Text(), Text())
        return
    style = "red" if used.peak >= line.hard else ""
    yield Text(f"{peak} / {human(line.resource, line.hard)}", style=style)
    yield Text(words.percent(used.peak, line.hard), style=style)
    yield Text(words.percent(used.mean, line.hard))


def _remarks(run: Run) -> Iterator[RenderableType]:
    """Yield what the table does not show: borrowing, and what is left out."""
    borrowers = [
        (line, run.curves[line.borrowed].peak)
        for line in run.lines
        if line.borrowed is not None and run.curves[line.borrowed].peak
    ]
    for line, beyond in borrowers[:_MOST_BLAMED]:
        amount, kept = human(line.resource, beyond), human(line.resource, line.guaranteed)
        yield Text(
            f"{line.namespace} borrows: up to {amount} {resource_text(line.scopes, line.resource)} "
            f"beyond the {kept} that are kept for it"
        )
    if len(borrowers) > _MOST_BLAMED:
        yield Text(f"and so do {len(borrowers) - _MOST_BLAMED} more: -o json has all")
    untouched = sum(not run.curves[line.used].peak for line in _limited(run))
    if untouched:
        yield Text(f"not shown, since nothing of them was ever used: {untouched:,}")
    left = len(_limited(run)) - untouched - len(_shown(run))
    if left:
        yield Text(f"not shown, since there is no room for all: {left:,}; see -o json")


def _full(run: Run, line: Line) -> int:
    """Return what fills a cell of the sparkline, in the scale of the curve: the limit, if any."""
    curve = run.curves[line.used]
    ceiling = line.hard if line.hard is not None else max(line.guaranteed, curve.peak)
    return ceiling // curve.scale


def _limited(run: Run) -> list[Line]:
    return [line for line in run.lines if line.hard is not None or line.guaranteed]


def _shown(run: Run) -> list[Line]:
    """Return what is shown, in the order of the tree: of too much the upper levels first."""

    def rank(line: Line) -> tuple[int, float]:
        nearness = run.curves[line.used].peak / (line.hard or line.guaranteed or 1)
        return run.depths[line.namespace], -nearness

    lines = [line for line in _limited(run) if run.curves[line.used].peak]
    kept = {id(line) for line in sorted(lines, key=rank)[:MOST_LINES]}
    return [line for line in lines if id(line) in kept]
