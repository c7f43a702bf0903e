"""Values to screens. Pure: what is shown depends on the values and the width alone.

Colour only repeats what words, bars and numbers say already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from quotatree.engine import rollup
from quotatree.model import scope
from quotatree.model.names import Namespace
from quotatree.model.quota import Quota
from quotatree.model.scope import UNSCOPED, ScopeSet
from quotatree.model.state import Figures, NodeState, TreeState
from quotatree.units.quantity import NANO
from quotatree.units.resource_names import is_binary
from quotatree.units.resources import EMPTY, Resources

BAR: Final = 10
"""Cells of a bar."""

_ENDLESS: Final = 10_000
_LONGEST_AMOUNT: Final = 7  # characters; longer ones are rounded for the screen


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """The characters that a screen can show."""

    full: str
    empty: str
    branch: str
    last: str
    line: str
    gap: str


UNICODE: Final = Signs(full="█", empty="░", branch="├─ ", last="└─ ", line="│  ", gap="   ")
ASCII: Final = Signs(full="#", empty=".", branch="|- ", last="`- ", line="|  ", gap="   ")


def tree(state: TreeState, *, ascii_only: bool = False) -> RenderableType:
    """Return the tree as a table: one line for each resource that a namespace limits.

    Where that is too wide, the resources stand below their namespace instead of beside it.
    """
    if not state.nodes:
        return Text("There is no tree yet: quotatree apply -f quotatree.yaml makes one.")
    signs = ASCII if ascii_only else UNICODE
    return _Fitting(_beside(state, signs), _below(state, signs))


@dataclass(frozen=True, slots=True)
class _Fitting:
    """The first of two tables if the screen is wide enough for it, else the other."""

    wide: Table
    narrow: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        needed = Measurement.get(console, options.update(max_width=_ENDLESS), self.wide).maximum
        yield self.wide if needed <= options.max_width else self.narrow


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)


def _beside(state: TreeState, signs: Signs) -> Table:
    table, shown = _table(), {node.namespace for node in state.nodes}
    for heading in ("NAMESPACE", "STATE", "RESOURCE", "USED / HARD", "FREE"):
        table.add_column(heading, no_wrap=True)
    for node, first, further in guides(state.nodes, signs):
        name, mark = _heading(node, first, shown), _mark(node)
        for cells in _lines(node, signs):
            table.add_row(name, mark, *cells)
            name, mark = Text(further, style="dim"), Text()
    return table


def _below(state: TreeState, signs: Signs) -> Table:
    table, shown = _table(), {node.namespace for node in state.nodes}
    rows = [
        row
        for node in guides(state.nodes, signs)
        for row in _block(*node, signs=signs, shown=shown)
    ]
    table.add_column("NAMESPACE", overflow="fold", min_width=2 * BAR)
    table.add_column("USED / HARD", min_width=2 * BAR)  # its long texts wrap
    # What is free is why people look: it never gives way.
    free = max((len(cells[2]) for cells in rows), default=0)
    table.add_column("FREE", no_wrap=True, min_width=max(free, len("FREE")))
    for row in rows:
        table.add_row(*row)
    return table


def _block(
    node: NodeState, first: str, further: str, *, signs: Signs, shown: Set[Namespace]
) -> Iterator[tuple[Text, Text, Text]]:
    lines = list(_lines(node, signs))
    alone = lines[0][1].plain if not lines[0][0] else ""
    about = _mark(node).append(f", {alone}" if alone else "")
    yield _heading(node, first, shown), about, Text()
    for resource, usage, free in lines if not alone else ():
        yield Text.assemble((further or "  ", "dim"), resource), usage, free


def _heading(node: NodeState, first: str, shown: Set[Namespace]) -> Text:
    name = Text.assemble((first, "dim"), (node.namespace, "bold"))
    if node.parent is not None and node.parent not in shown:
        name.append(f" (below {node.parent})")
    return name


def _mark(node: NodeState) -> Text:
    return Text(_state_word(node), style="" if node.enforced else "yellow")


class Placed(Protocol):
    """Whatever has a place in the tree."""

    @property
    def namespace(self) -> Namespace:
        """Its namespace."""

    @property
    def parent(self) -> Namespace | None:
        """The namespace above it."""


_Placed = TypeVar("_Placed", bound=Placed)


def guides(nodes: Sequence[_Placed], signs: Signs) -> Iterator[tuple[_Placed, str, str]]:
    """Yield each node with what stands before its name, and before its further lines."""
    parents = rollup.acyclic({node.namespace: node.parent for node in nodes})
    last_child: dict[Namespace | None, Namespace] = {}
    for node in nodes:
        last_child[parents[node.namespace]] = node.namespace
    with_children = set(parents.values())
    for node in nodes:
        path = rollup.path_up(parents, node.namespace)[-2::-1]  # without the root, from the top
        steps = [name == last_child[parents[name]] for name in path]
        above = "".join(signs.gap if last else signs.line for last in steps[:-1])
        own = (signs.last if steps[-1] else signs.branch) if steps else ""
        below = (signs.gap if steps[-1] else signs.line) if steps else ""
        down = signs.line if node.namespace in with_children else ""
        yield node, above + own, above + below + down


def _state_word(node: NodeState) -> str:
    if node.terminating:
        return "deleting"
    return "enforced" if node.enforced else "pending"


def _lines(node: NodeState, signs: Signs) -> Iterator[tuple[Text, Text, Text]]:
    """Yield the cells of each line of a node; there is at least one."""
    shown = False
    for scopes, figures in _by_scope(node):
        label = f" [{scope.describe(scopes)}]" if scopes else ""
        for name in sorted({*figures.hard, *figures.guaranteed, *_wanted(node, scopes)}):
            shown = True
            usage = _usage(name, figures, signs)
            usage.append(_guarantee(name, figures, _wanted(node, scopes)))
            yield Text(name + label), usage, Text(_free(name, figures))
    for line in _observed(node, signs):
        shown = True
        yield line
    if not shown:
        yield Text(), Text(_plain_usage(node)), Text()


def _observed(node: NodeState, signs: Signs) -> Iterator[tuple[Text, Text, Text]]:
    """Yield a line for each resource that a quota only observes, by what was counted last.

    What is free there is not shown as such: nobody is refused for it.
    """
    for quota in node.quotas:
        if quota.enforced:
            continue
        label = f" [{scope.describe(quota.scopes)}]" if quota.scopes else ""
        for name in sorted({*quota.hard, *quota.guaranteed}):
            usage, note = _sighted(name, quota, signs)
            yield Text(name + label), usage, Text(note)


def _sighted(name: str, quota: Quota, signs: Signs) -> tuple[Text, str]:
    status = quota.status
    if status is None or name not in status.used:
        return Text(f"{' ' * BAR} - / {_amount(name, quota.hard, absent='-')}"), "not counted yet"
    figures = Figures(used=status.used, charged=status.charged, hard=quota.hard)
    over = status.charged.nano(name) - quota.hard.nano(name) if name in quota.hard else 0
    note = f"observed, over by {human(name, over)}" if over > 0 else "observed"
    return _usage(name, figures, signs), note


def _wanted(node: NodeState, scopes: ScopeSet) -> Resources:
    """Return the guarantees that are asked for in earnest, in force or not."""
    wanted = EMPTY
    for quota in node.quotas:
        if quota.enforced and quota.scopes == scopes:
            wanted = wanted.maximum(quota.guaranteed)
    return wanted


def _by_scope(node: NodeState) -> Iterator[tuple[ScopeSet, Figures]]:
    yield UNSCOPED, node.figures
    for item in node.scoped:
        yield item.scopes, item.figures


def _usage(name: str, figures: Figures, signs: Signs) -> Text:
    used = _amount(name, figures.used, absent="0")
    if name not in figures.hard:
        return Text(f"{' ' * BAR} {used}")
    drawn = bar(figures.used.nano(name), figures.hard.nano(name), signs)
    return Text.assemble(drawn, f" {used} / {_amount(name, figures.hard, absent='0')}")


def bar(used: int, hard: int, signs: Signs) -> Text:
    """Return how much of a limit is used, as a bar."""
    cells, style = _share(used, hard)
    return Text(signs.full * cells + signs.empty * (BAR - cells), style=style)


def _share(used: int, hard: int) -> tuple[int, str]:
    """Return the filled cells: none only for nothing used, all only for nothing left."""
    if used >= hard:
        return BAR, "red"
    cells = max(1, used * BAR // hard) if used else 0
    return cells, "yellow" if used * 10 >= hard * 8 else "green"


def _guarantee(name: str, figures: Figures, wanted: Resources) -> str:
    in_force, asked = figures.guaranteed.nano(name), wanted.nano(name)
    parts = [f"keeps {human(name, in_force)}"] if in_force else []
    if asked > in_force:
        parts.append(f"{human(name, asked)} pending")
    return f" ({', '.join(parts)})" if parts else ""


def _free(name: str, figures: Figures) -> str:
    if name not in figures.available:
        return ""
    free = human(name, figures.available.nano(name), up=False)
    left = figures.hard.nano(name) - figures.charged.nano(name)
    if name not in figures.hard or left > 0:
        return free
    return f"{free}, over by {human(name, -left)}" if left else f"{free}, full"


def _plain_usage(node: NodeState) -> str:
    used = [f"{name} {human(name, nano)}" for name, nano in sorted(_used(node.figures).items())]
    return f"no limit of its own; uses {', '.join(used)}" if used else "no limit of its own"


def _used(figures: Figures) -> dict[str, int]:
    return {name: nano for name, nano in figures.used.nanos().items() if nano}


def _amount(name: str, amounts: Resources, *, absent: str) -> str:
    return human(name, amounts.nano(name)) if name in amounts else absent


def human(name: str, nano: int, *, up: bool = True) -> str:
    """Return an amount for the screen: exact where that is short, else rounded to a tenth.

    What is used is rounded up and what is free is rounded down: no screen promises too much.
    """
    exact = Resources.from_nano({name: nano}).to_strings()[name]
    if exact.endswith("m") and nano >= NANO:
        exact = f"{nano // NANO}.{nano % NANO // 10**6:03}".rstrip("0")
    if len(exact) <= _LONGEST_AMOUNT:
        return exact
    base, units = (1024, "KMGTPE") if is_binary(name) else (1000, "kMGTPE")
    step = 0
    while nano >= base ** (step + 1) * NANO and step < len(units):
        step += 1
    divisor = base**step * NANO
    tenths = (nano * 10 + (divisor - 1 if up else 0)) // divisor
    unit = units[step - 1] + ("i" if base == 1024 else "") if step else ""
    return f"{tenths // 10}.{tenths % 10}".removesuffix(".0") + unit


# -- plain columns --------------------------------------------------------------------------

WIDE: Final = (
    "NAMESPACE",
    "PARENT",
    "STATE",
    "LIFECYCLE",
    "SCOPES",
    "RESOURCE",
    "HELD",
    "USED",
    "CHARGED",
    "HARD",
    "GUARANTEED",
    "AVAILABLE",
)
"""Columns of `-o wide`; `-` stands for nothing."""


def wide_rows(state: TreeState) -> list[tuple[str, ...]]:
    """Return a line for each namespace, scope set and resource, exact, for grep and awk."""
    rows: list[tuple[str, ...]] = [WIDE]
    for node in state.nodes:
        head = (node.namespace, node.parent or "-", _state_word(node), node.lifecycle.value)
        lines = [row for scopes, figures in _by_scope(node) for row in _exact(scopes, figures)]
        rows += [(*head, *row) for row in lines or [("-",) * (len(WIDE) - len(head))]]
    return rows


def _exact(scopes: ScopeSet, figures: Figures) -> Iterator[tuple[str, ...]]:
    lists = [
        amounts.to_strings()
        for amounts in (
            figures.held,
            figures.used,
            figures.charged,
            figures.hard,
            figures.guaranteed,
            figures.available,
        )
    ]
    for name in sorted(set().union(*lists)):
        words = scope.describe(scopes).replace(" ", "") or "-"
        yield (words, name, *(amounts.get(name, "-") for amounts in lists))


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
