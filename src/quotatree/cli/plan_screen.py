"""A plan on the terminal. Pure: it depends on the values and the width alone.

Colour only repeats what the words say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from quotatree.cli import output, render
from quotatree.engine import rollup
from quotatree.model import scope
from quotatree.model.forecast import Change, Forecast, NodeForecast, Row, Step
from quotatree.model.names import Namespace
from quotatree.model.report import Report
from quotatree.reports.forecast import NONE, amount, fields_of, object_of

MAX_STEPS: Final = 40
"""Steps that are listed, unless all are asked for."""

MAX_NODES: Final = 100
"""Namespaces that are shown, unless all are asked for."""

MAX_FINDINGS: Final = 50
"""Findings that are shown, the errors first, unless all are asked for."""

_SIGNS: Final = {
    Change.CREATE: "+",
    Change.CHANGE: "~",
    Change.MOVE: ">",
    Change.REMOVE: "-",
    Change.REFUSED: "!",
    Change.NOTHING: " ",
}
_STYLES: Final = {
    Change.CREATE: "green",
    Change.CHANGE: "yellow",
    Change.MOVE: "cyan",
    Change.REMOVE: "red",
    Change.REFUSED: "red",
    Change.NOTHING: "",
}


def screen(
    report: Report, forecast: Forecast, *, everything: bool = False, ascii_only: bool = False
) -> RenderableType:
    """Return the whole plan; `everything` also shows what does not change."""
    signs = render.ASCII if ascii_only else render.UNICODE
    parts: list[RenderableType] = [Text(report.headline, overflow="fold")]
    parts += _steps(forecast, everything=everything)
    parts += _nodes(forecast, report, signs=signs, everything=everything)
    most = len(report.items) if everything else MAX_FINDINGS
    for item in report.items[:most]:
        parts += ["", output.finding(item)]
    if len(report.items) > most:
        parts += ["", Text(f"… and {len(report.items) - most} more findings; --all shows them")]
    return Group(*parts, "", output.verdict(report.verdict))


# -- steps ----------------------------------------------------------------------------------


def _steps(forecast: Forecast, *, everything: bool) -> Iterator[RenderableType]:
    steps = [s for s in forecast.steps if everything or s.change is not Change.NOTHING]
    if not steps:
        return
    shown = steps if everything else steps[:MAX_STEPS]
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for step in shown:
        style = _STYLES[step.change]
        table.add_row(
            Text(_SIGNS[step.change], style=style), Text(object_of(step)), Text(_words(step))
        )
    yield ""
    yield table
    if len(steps) > len(shown):
        yield Text(f"  … and {len(steps) - len(shown)} more; --all shows them")


def _words(step: Step) -> str:
    """Return what happens in words; a sign alone would be easy to miss."""
    fields = fields_of(step)
    return f"{step.change.value}: {fields}" if fields else step.change.value


# -- nodes ----------------------------------------------------------------------------------


def _nodes(
    forecast: Forecast, report: Report, *, signs: render.Signs, everything: bool
) -> Iterator[RenderableType]:
    notable = forecast.nodes if everything else _notable(forecast, report)
    nodes = notable if everything else notable[:MAX_NODES]
    if not nodes:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    table.add_column("NAMESPACE", no_wrap=True)
    table.add_column("RESOURCE", no_wrap=True)
    table.add_column("HARD", no_wrap=True)
    table.add_column("KEEPS", overflow="fold")  # this and the next give way first: they wrap
    table.add_column("USED", overflow="fold")
    table.add_column("FREE", no_wrap=True)
    for node, first, further in render.guides(nodes, signs):
        name = Text.assemble((first, "dim"), (node.namespace, "bold"))
        rows = [_cells(row, signs) for row in node.rows] or [(Text("no limit of its own"),)]
        for cells in rows:
            table.add_row(name, *cells)
            name = Text(further, style="dim")
    yield ""
    yield table
    if any(row.unmeasured for node in nodes for row in node.rows):
        yield Text("? some of it is not measured yet and counts as nothing")
    if len(notable) > len(nodes):
        yield Text(f"… and {len(notable) - len(nodes)} more namespaces; --all shows them")
    if hidden := len(forecast.nodes) - len(notable):
        words = "1 namespace is" if hidden == 1 else f"{hidden} namespaces are"
        yield Text(f"{words} as before; --all shows them")


def _notable(forecast: Forecast, report: Report) -> tuple[NodeForecast, ...]:
    """Return the nodes with a change or a finding, and all above them."""
    parents = rollup.acyclic({node.namespace: node.parent for node in forecast.nodes})
    found = {item.namespace for item in report.items}
    changed = {step.namespace for step in forecast.steps if step.change is not Change.NOTHING}
    kept: set[Namespace] = set()
    for node in forecast.nodes:
        rows = any(row.changes for row in node.rows)
        if rows or node.namespace in found or node.namespace in changed:
            kept.update(rollup.path_up(parents, node.namespace))
    return tuple(node for node in forecast.nodes if node.namespace in kept)


def _cells(row: Row, signs: render.Signs) -> tuple[Text, ...]:
    waits = ", waits" if row.kept > row.in_force else ""
    keeps = _pair(row, row.kept_before or None, row.kept or None)
    return (
        Text(scope.label(row.resource, row.scopes)),
        Text(_pair(row, row.hard_before, row.hard)),
        Text("" if keeps == NONE else f"{keeps}{waits}"),
        _usage(row, signs),
        Text("" if row.available is None else _human(row, row.available, up=False)),
    )


def _usage(row: Row, signs: render.Signs) -> Text:
    used = f"{_human(row, row.used)}{'?' if row.unmeasured else ''}"
    if row.hard is None:
        return Text(f"{' ' * render.BAR} {used}")
    drawn = render.bar(row.charged, row.hard, signs)
    kept = f", {_human(row, row.charged)} kept" if row.charged > row.used else ""
    over = f", over by {_human(row, row.over)}" if row.over else ""
    return Text.assemble(drawn, f" {used}{kept}{over}")


def _pair(row: Row, before: int | None, after: int | None) -> str:
    old, new = (NONE if nano is None else _human(row, nano) for nano in (before, after))
    if before == after:
        return new
    # Two amounts that look the same once rounded are shown exactly.
    if old == new:
        old, new = (NONE if nano is None else amount(row, nano) for nano in (before, after))
    return f"{old} → {new}"


def _human(row: Row, nano: int, *, up: bool = True) -> str:
    return render.human(row.resource, nano, up=up)
