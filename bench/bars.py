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
    for name, taken in creation.by_scene(pairs).items():
        if name.startswith("slices"):
            found += _inside(taken)
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


def _inside(taken: Sequence[Pair]) -> list[Bar]:
    """Return what growth within slices may cost."""
    summary, width = creation.summary(taken), taken[0].other.width
    where = "within slices" if width == 1 else f"within slices of {width} namespaces"
    throughput, calls = summary["ratio_pods_per_second"], summary["calls_per_pod"]
    return [
        Bar(
            what=f"pods/s {where}, of native's",
            figure=throughput.median,
            bar=0.95,
            unit=" ×",
            floor=True,
        ),
        Bar(what=f"calls for a pod {where}", figure=calls.greatest, bar=0.01, unit=""),
    ]


def of_simulation(runs: Iterable[Mapping[str, Any]]) -> list[Bar]:
    """Return the bars of `quotatree simulate`: time that passes, and memory."""
    found = []
    for run in runs:
        what = f"simulate, {run['what']}"
        found.append(Bar(what=what, figure=run["seconds"], bar=run["within"], unit=" s"))
        if run["events"] >= simulation.EVENTS:
            found.append(Bar(what=what, figure=run["bytes"] / 10**6, bar=1000, unit=" MB"))
    return found
