"""Results to a document and to tables for people. Pure; colour only repeats what words say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench import bars, creation
from bench.bars import Bar
from bench.creation import Pair, Sample
from bench.figures import Spread

_MILLI = 1e3


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What one run measured; a part that was left out is empty.

    `controller` is the resident memory of the controller in bytes, before and after the load.
    """

    pairs: Sequence[Pair] = ()
    engine: Sequence[Mapping[str, Any]] = ()
    controller: Mapping[str, int] = field(default_factory=dict)
    simulated: Sequence[Mapping[str, Any]] = ()
    webhook: Mapping[str, Any] = field(default_factory=dict)

    @property
    def created(self) -> list[Pair]:
        """The pairs in which there was room."""
        return [pair for pair in self.pairs if not pair.other.full]

    @property
    def refused(self) -> list[Pair]:
        """The pairs in which every pod was refused."""
        return [pair for pair in self.pairs if pair.other.full]

    scaled: Mapping[str, float] = field(default_factory=dict)

    @property
    def bars(self) -> list[Bar]:
        """The bars, with what was measured beside them."""
        return [
            *bars.of(self.pairs, self.engine),
            *(bars.of_webhook(self.webhook) if self.webhook else ()),
            *bars.of_simulation(self.simulated),
            *bars.of_scale(self.scaled),
        ]


def document(results: Results, setting: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything as one JSON document, each single sample included."""
    return {
        "setting": dict(setting),
        "bars": [bar.document() for bar in results.bars],
        "creation": _pairs(results.created),
        "refusal": _pairs(results.refused),
        "webhook": dict(results.webhook),
        "engine": [dict(size) for size in results.engine],
        "controller": dict(results.controller),
        "simulated": [dict(run) for run in results.simulated],
        "scaled": dict(results.scaled),
    }


def _pairs(pairs: Sequence[Pair]) -> dict[str, Any]:
    by_scene = creation.by_scene(pairs)
    return {
        "summary": {name: _plain(creation.summary(found)) for name, found in by_scene.items()},
        "pairs": [{"native": _sample(pair.native), "other": _sample(pair.other)} for pair in pairs],
    }


def _plain(summary: Mapping[str, Any]) -> dict[str, Any]:
    return {k: asdict(v) if isinstance(v, Spread) else v for k, v in summary.items()}


def _sample(sample: Sample) -> dict[str, Any]:
    found = asdict(sample)
    found["latencies"] = [round(seconds, 5) for seconds in sample.latencies]
    return found | {"pods_per_second": sample.per_second}


def screen(results: Results) -> RenderableType:
    """Return the tables."""
    parts: list[RenderableType] = []
    if results.created:
        parts += [_creation(results.created, "Pod creation"), Text()]
    if results.refused:
        parts += [_creation(results.refused, "Refusals at a full limit"), Text()]
    if results.webhook:
        parts += [_webhook(results.webhook), Text()]
    if results.engine:
        parts += [_engine(results.engine), Text()]
    if results.controller:
        before, after = (results.controller[key] / 10**6 for key in ("before", "after"))
        parts += [
            Text(f"Controller: {before:.0f} MB resident before the load, {after:.0f} MB after it."),
            Text(),
        ]
    if results.simulated:
        parts += [_simulated(results.simulated), Text()]
    if results.scaled:
        parts += [_scaled(results.scaled), Text()]
    return Group(*parts, bars_table(results.bars))


def _webhook(found: Mapping[str, Any]) -> Text:
    return Text(
        f"The webhook alone: a review takes {found['p50_us'] / _MILLI:.2f} ms (p99 "
        f"{found['p99_us'] / _MILLI:.2f} ms), of the processor {found['acceptor_us']:.0f} µs in "
        f"the acceptor and {found['decider_us']:.0f} µs in the decider."
    )


def _creation(pairs: Sequence[Pair], what: str) -> Table:
    first = pairs[0].native
    table = _table(
        f"{what}, {first.pods} pods a sample; medians, in brackets the quartiles of the "
        "ratio to native in the same pair"
    )
    of = "× native"
    for column in ("", "pods/s", of, "p50 ms", of, "p99 ms", of, "calls", "409"):
        table.add_column(column, justify="left" if not column else "right")
    for cells in _creation_rows(pairs):
        table.add_row(*cells)
    return table


def _creation_rows(pairs: Sequence[Pair]) -> Iterator[tuple[str, ...]]:
    shown: set[tuple[str, int]] = set()
    for found in creation.by_scene(pairs).values():
        summary = creation.summary(found)
        width = summary["namespaces"]
        where = "one namespace" if width == 1 else f"{width} namespaces"
        alike = (found[0].native.label, width)
        if alike not in shown:
            shown.add(alike)
            natives = [p.native for p in pairs if (p.native.label, p.native.width) == alike]
            conflicts = Spread.of(s.conflicts for s in natives).median
            yield (f"{alike[0]}, {where}", *_absolute(natives), "", f"{conflicts:.1%}")
        yield (
            f"{summary['label']}, {where}",
            f"{summary['pods_per_second'].median:.0f}",
            _ratio(summary["ratio_pods_per_second"]),
            f"{summary['p50'].median * _MILLI:.0f}",
            _ratio(summary["ratio_p50"]),
            f"{summary['p99'].median * _MILLI:.0f}",
            _ratio(summary["ratio_p99"]),
            f"{summary['calls_per_pod'].median:.2f}/pod",
            f"{summary['conflicts'].median:.1%}",
        )


def _absolute(samples: Sequence[Sample]) -> Iterator[str]:
    yield f"{Spread.of(s.per_second for s in samples).median:.0f}"
    yield "1"
    for share in (0.5, 0.99):
        yield f"{Spread.of(s.latency(share) for s in samples).median * _MILLI:.0f}"
        yield "1"


def _ratio(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.low:.2f} to {spread.high:.2f})"


def _engine(engine: Sequence[Mapping[str, Any]]) -> Table:
    first = engine[0]
    table = _table(
        f"The engine alone, depth {first['depth']}, {first['resources']} resources; processor time"
    )
    for column in ("namespaces", "decision µs", "settling µs", "decisions/s", "bytes each", "MB"):
        table.add_column(column, justify="right")
    for size in engine:
        deciding, settling = (Spread.of(size[key]) for key in ("decide_us", "settle_us"))
        table.add_row(
            f"{size['namespaces']:,}",
            f"{deciding.median:.1f} ({deciding.low:.1f} to {deciding.high:.1f})",
            f"{settling.median:.1f}",
            f"{1e6 / (deciding.median + settling.median):,.0f}",
            f"{size['bytes'] / size['namespaces']:,.0f}",
            f"{size['bytes'] / 10**6:.1f}",
        )
    return table


def _simulated(runs: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("quotatree simulate, from the start of the process to its end, report included")
    for column in ("", "s", "processor s", "µs an event", "MB"):
        table.add_column(column, justify="right" if column else "left")
    for run in runs:
        table.add_row(
            run["what"],
            f"{run['seconds']:.1f}",
            f"{run['processor_seconds']:.1f}",
            f"{run['processor_seconds'] / run['events'] * 1e6:.0f}",
            f"{run['bytes'] / 10**6:.0f}",
        )
    return table


def _scaled(figures: Mapping[str, float]) -> Table:
    table = _table("A large forest; seconds, unless something else is said")
    for column in ("", "figure"):
        table.add_column(column, justify="right" if column else "left")
    for what, figure in figures.items():
        shown = f"{figure / 10**6:.0f} MB" if what == "memory" else f"{figure:.3g}"
        table.add_row(what, shown)
    return table


def bars_table(held: Sequence[Bar]) -> Table:
    """Return each figure beside its bar."""
    table = _table("Bars")
    for column in ("", "figure", "wanted", ""):
        table.add_column(column, justify="right" if column == "figure" else "left")
    for bar in held:
        word = Text("ok", style="green") if bar.reached else Text("below", style="bold red")
        table.add_row(bar.what, f"{bar.figure:.2f}{bar.unit}", bar.wanted, word)
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
