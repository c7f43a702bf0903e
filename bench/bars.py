"""The bars: what the figures have to reach. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench import creation, figures, simulation
from bench.creation import Pair
from bench.scenes import tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One figure beside what it has to be: at least (`floor`) or at most (`not floor`) `bar`."""

    what: str
    figure: float
    bar: float
    unit: str
    floor: bool = False

    @property
    def reached(self) -> bool:
        """Whether the figure is on the right side."""
        return self.figure >= self.bar if self.floor else self.figure <= self.bar

    @property
    def wanted(self) -> str:
        """The bar in words."""
        return f"{'at least' if self.floor else 'at most'} {self.bar:g}{self.unit}"


def of(pairs: Sequence[Pair], engine: Iterable[Mapping[str, Any]]) -> list[Bar]:
    """Return the bars that these results can be held against."""
    found = []
    at_depth_4 = creation.by_scene(pairs).get(tree(4, 1).name)
    if at_depth_4:
        summary = creation.summary(at_depth_4)
        throughput, p99 = summary["ratio_pods_per_second"], summary["ratio_p99"]
        found += [
            Bar(
                what="pods/s at depth 4, of native's",
                figure=throughput.median,
                bar=0.8,
                unit=" ×",
                floor=True,
            ),
            Bar(what="p99 at depth 4, of native's", figure=p99.median, bar=1.5, unit=" ×"),
        ]
    for size in engine:
        decision = figures.Spread.of(size["decide_us"])
        found.append(
            Bar(
                what=f"one decision, {size['namespaces']:,} namespaces",
                figure=decision.median,
                bar=50,
                unit=" µs",
            )
        )
        if size["namespaces"] == 10_000:
            found.append(
                Bar(
                    what="engine memory, 10,000 namespaces",
                    figure=size["bytes"] / 10**6,
                    bar=150,
                    unit=" MB",
                )
            )
    return found


def of_simulation(runs: Iterable[Mapping[str, Any]]) -> list[Bar]:
    """Return the bars of `quotatree simulate`: time that passes, and memory."""
    found = []
    for run in runs:
        what = f"simulate, {run['what']}"
        found.append(Bar(what=what, figure=run["seconds"], bar=run["within"], unit=" s"))
        if run["events"] >= simulation.EVENTS:
            found.append(Bar(what=what, figure=run["bytes"] / 10**6, bar=1000, unit=" MB"))
    return found


_SCALE = {
    "restart to ready": 20.0,
    "failover until busy grows": 20.0,
    "raised limit until used": 2.0,
    "lowered limit until growth is refused": 1.0,
    "newborn enforced": 5.0,
}
"""What a large forest may take at the most, in seconds."""


def of_scale(figures: Mapping[str, float]) -> list[Bar]:
    """Return the bars of a large forest; none where it was not measured."""
    if not figures:
        return []
    calm, meanwhile = (figures[f"user requests p99 {it}"] for it in ("before", "meanwhile"))
    return [
        *(Bar(what=it, figure=figures[it], bar=bar, unit=" s") for it, bar in _SCALE.items()),
        Bar(what="memory", figure=figures["memory"] / 10**6, bar=600, unit=" MB"),
        Bar(what="idle", figure=figures["idle share of a core"] * 100, bar=2, unit=" % of a core"),
        Bar(
            what="user requests' p99 while a limit is lowered, of before",
            figure=meanwhile / calm,
            bar=1.5,
            unit=" ×",
        ),
    ]
