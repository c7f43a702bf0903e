"""The bars: what the figures have to reach. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from bench import creation, figures, simulation
from bench.creation import Pair

THROUGHPUT: Final = 0.85
"""Pods a second through the webhook, of native's: at least."""
P99: Final = 1.3
"""The slowest hundredth of creations, of native's: at most."""
REFUSALS: Final = 0.5
"""Refusals a second at a full limit, of native's, which needs no write for them: at least."""
REFUSAL_P99: Final = 3.0
"""The slowest hundredth of refusals, of native's: at most."""


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

    def document(self) -> dict[str, Any]:
        """Return it for machines."""
        return asdict(self) | {"reached": self.reached}


def of(pairs: Sequence[Pair], engine: Iterable[Mapping[str, Any]]) -> list[Bar]:
    """Return the bars that these results can be held against."""
    found = [*_creation(pairs)]
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


def _creation(pairs: Sequence[Pair]) -> Iterator[Bar]:
    """Yield what growth may cost: through the webhook, with room left and without, or in slices."""
    for name, taken in creation.by_scene(pairs).items():
        if name.startswith("slices"):
            yield from _inside(taken)
        if not name.startswith("depth4"):
            continue
        width = taken[0].other.width
        where = "depth 4" if width == 1 else f"depth 4, {width} namespaces"
        summary = creation.summary(taken)
        throughput, p99 = summary["ratio_pods_per_second"], summary["ratio_p99"]
        full = taken[0].other.full
        what = "refusals/s" if full else "pods/s"
        least, most = (REFUSALS, REFUSAL_P99) if full else (THROUGHPUT, P99)
        yield Bar(
            what=f"{what} at {where}, of native's",
            figure=throughput.median,
            bar=least,
            unit=" ×",
            floor=True,
        )
        yield Bar(
            what=f"p99 {'of refusals ' if full else ''}at {where}, of native's",
            figure=p99.median,
            bar=most,
            unit=" ×",
        )


def of_webhook(found: Mapping[str, Any]) -> list[Bar]:
    """Return the bar of the webhook alone."""
    spent = found["decider_us"] + found["acceptor_us"]
    return [Bar(what="processor time of one review", figure=spent, bar=1000, unit=" µs")]


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
