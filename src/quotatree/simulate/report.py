"""Results to one HTML page that needs nothing else: no script, no font, no picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Final

from quotatree.model.names import Namespace
from quotatree.simulate import charts, words
from quotatree.simulate.charts import Bars, Mark, Plot, Steps
from quotatree.simulate.meters import Line
from quotatree.simulate.recorder import Curve
from quotatree.simulate.results import Outcome, Policy, Run, Tally, resource_text
from quotatree.simulate.styles import CSS
from quotatree.units.quantity import NANO

Amount = Callable[[str, int], str]
"""How an amount in 10⁻⁹ of a resource is written for people."""

MOST_PLOTS: Final = 60
"""Plots of nodes in one report, for each tree."""
MOST_ROWS: Final = 200
"""Rows of the table of namespaces."""
TREES: Final = 4
"""How many trees have a colour of their own."""

_MOST_BLAMED: Final = 10


def page(runs: Sequence[Run], *, amount: Amount) -> str:
    """Return the report."""
    title = f"{runs[0].trace.source} replayed"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{CSS}</style></head><body>",
        *_head(runs, title),
        *_totals(runs),
        *_over_time(runs),
        *_waiting(runs),
        *_blamed(runs),
        *_nodes(runs, amount),
        *_namespaces(runs),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _head(runs: Sequence[Run], title: str) -> Iterator[str]:
    trace, policy = runs[0].trace, runs[0].policy
    trees = " and ".join(f"<b>{escape(run.tree)}</b>" for run in runs)
    span = words.duration(trace.end - trace.start)
    yield f"<h1>{escape(title)}</h1>"
    yield (
        f"<p>{len(trace.workloads):,} workloads that come within {span}, replayed against {trees}. "
        f"{_POLICIES[policy]}</p>"
    )
    for note in (*trace.notes, *(f"{run.tree}: {note}" for run in runs for note in run.notes)):
        yield f'<p class="soft">{escape(note)}</p>'


_WAITED: Final = {
    "waited, median": 50,
    "waited, 90 %": 90,
    "waited, 99 %": 99,
    "waited, longest": 100,
}
_POLICIES: Final = {
    Policy.REFUSE: "What does not fit at its arrival is refused (policy <b>refuse</b>).",
    Policy.FIFO: "What does not fit waits in the queue of its namespace, first come, first served "
    "(policy <b>fifo</b>).",
    Policy.PRIORITY: "What does not fit waits in the queue of its namespace, the highest priority "
    "first (policy <b>priority</b>).",
}


# -- figures --------------------------------------------------------------------------------


def _totals(runs: Sequence[Run]) -> Iterator[str]:
    yield "<h2>In all</h2>"
    rows: list[tuple[str, ...]] = [("", *(run.tree for run in runs))]
    for outcome in Outcome:
        counts = [run.total.outcomes[outcome] for run in runs]
        if any(counts):
            shares = [
                f"{n:,} ({words.share(n, run.total.asked)})"
                for n, run in zip(counts, runs, strict=True)
            ]
            rows.append((outcome.value, *shares))
    if runs[0].policy is not Policy.REFUSE:
        for label, percent in _WAITED.items():
            waits = (words.duration(run.total.wait(percent)) for run in runs)
            rows.append((label, *waits))
    rows.append(("the last is gone after", *(words.duration(run.end - run.start) for run in runs)))
    yield _table(rows)


def _over_time(runs: Sequence[Run]) -> Iterator[str]:
    yield "<h2>Over time</h2>"
    keys = [("asked", "asked for"), ("admitted", "admitted")]
    queued = runs[0].policy is not Policy.REFUSE
    yield _key([*keys, *([("waiting", "waiting (the most at a time)")] if queued else [])])
    yield _cards(runs)
    span = _span(runs)
    most = max((max(_steps(run, "arrived"), default=0) for run in runs), default=0)
    most_waiting = max((max(run.counted("waiting").peaks, default=0) for run in runs), default=0)
    for run in runs:
        steps = [
            Steps(values=_steps(run, "arrived"), style="asked", filled=True),
            Steps(values=_steps(run, "admitted"), style="admitted", filled=True),
        ]
        yield _card(
            f"{run.tree}: workloads in each {words.duration(run.length)}",
            _plot(run, span, steps, title="Workloads over time", top=most, top_label=f"{most:,}"),
        )
    for run in runs if queued else ():
        steps = [Steps(values=run.counted("waiting").peaks, style="waiting", filled=True)]
        top = f"{most_waiting:,}"
        plot = _plot(run, span, steps, title="Waiting", top=most_waiting, top_label=top)
        yield _card(f"{run.tree}: workloads that wait", plot)
    yield "</div>"


def _steps(run: Run, what: str) -> list[int]:
    counts = run.counted(what).peaks
    return [now - before for before, now in zip([0, *counts], counts, strict=False)]


def _waiting(runs: Sequence[Run]) -> Iterator[str]:
    yield "<h2>Waiting times</h2>"
    if runs[0].policy is Policy.REFUSE:
        yield "<p>Nobody waits: what does not fit is refused. --policy fifo lets it wait.</p>"
        return
    yield f"<p>Of those admitted{'' if len(runs) == 1 else ', by tree'}:</p>"
    styles = [f"tree{number % TREES}" for number in range(len(runs))]
    if len(runs) > 1:
        yield _key([(style, run.tree) for style, run in zip(styles, runs, strict=True)])
    histograms = [run.total.histogram() for run in runs]
    groups = [
        (cells[0][0], [(n, f"{n:,}") for _, n in cells]) for cells in zip(*histograms, strict=True)
    ]
    chart = Bars(title="How long the admitted have waited", groups=groups, styles=styles)
    yield f'<div class="bars">{charts.bars(chart)}</div>'


def _blamed(runs: Sequence[Run]) -> Iterator[str]:
    if not any(run.blamed() for run in runs):
        return
    yield "<h2>Who kept them out</h2>"
    yield '<p class="soft">The level and the resource that first said no.</p>'
    yield '<div class="tables">'
    for run in runs:
        rows = [
            (name, f"{count:,}", words.share(count, run.total.asked))
            for name, count in run.blamed()[:_MOST_BLAMED]
        ]
        yield _table([(run.tree, "workloads", "of all"), *rows])
    yield "</div>"


# -- nodes ----------------------------------------------------------------------------------


def _nodes(runs: Sequence[Run], amount: Amount) -> Iterator[str]:
    yield "<h2>Use of each namespace with all below it</h2>"
    yield _key(
        [
            ("used", "used, on average"),
            ("peak", "peak"),
            ("charged", "kept idle by guarantees"),
            ("borrowed", "used beyond its guarantee"),
            ("limit", "limit"),
            ("kept", "guarantee"),
        ]
    )
    shown = _worth_showing(runs)
    lines = [{_name(line): line for line in run.lines} for run in runs]
    left_out = len({name for found in lines for name in found}) - len(shown)
    span = _span(runs)
    yield _cards(runs) if shown else "<p>The trees limit nothing.</p>"
    for key in shown:
        pairs = [(run, of[key]) for run, of in zip(runs, lines, strict=True) if key in of]
        top = max(_top(run, line) for run, line in pairs)
        for run, of in zip(runs, lines, strict=True):
            if key in of:
                yield _node(run, of[key], span=span, top=top, amount=amount, alone=len(runs) == 1)
            else:
                nowhere = f"{escape(key[0])} <small>is not limited by {escape(run.tree)}</small>"
                yield _card(nowhere, "", raw=True)
    yield "</div>" if shown else ""
    if left_out:
        yield (
            f'<p class="soft">{left_out:,} more (namespace and resource) are not drawn: those '
            "without a limit of their own, and the least used below; -o json has all.</p>"
        )


def _name(line: Line) -> tuple[Namespace, str]:
    return (line.namespace, resource_text(line.scopes, line.resource))


def _worth_showing(runs: Sequence[Run]) -> list[tuple[Namespace, str]]:
    """Return namespace and resource of what is drawn, in the order of the trees.

    Everything with a limit or a guarantee of its own; of too many the upper levels, and on the last
    level for which there is room those that came nearest to a limit.
    """
    weights: dict[tuple[Namespace, str], float] = {}
    for run in runs:
        for line in run.lines:
            if line.hard is not None or line.guaranteed:
                ceiling = line.hard or line.guaranteed or 1
                weight = max(run.curves[line.used].peak, _charged(run, line).peak) / ceiling
                weights[_name(line)] = max(weights.get(_name(line), 0), weight)
    depths = {name: depth for run in runs for name, depth in run.depths.items()}
    kept = set(sorted(weights, key=lambda key: (depths[key[0]], -weights[key]))[:MOST_PLOTS])
    return [key for key in weights if key in kept]


def _charged(run: Run, line: Line) -> Curve:
    return run.curves[line.used if line.charged is None else line.charged]


def _top(run: Run, line: Line) -> int:
    """Return the greatest amount that the plot of a line has to hold, in 10⁻⁹."""
    return max(line.hard or 0, line.guaranteed, _charged(run, line).peak)


def _node(run: Run, line: Line, *, span: int, top: int, amount: Amount, alone: bool) -> str:
    used = run.curves[line.used]
    steps = []
    if line.charged is not None:
        steps.append(Steps(values=_units(run.curves[line.charged]), style="charged", filled=True))
    steps.append(Steps(values=_units(used), style="used", filled=True))
    steps.append(Steps(values=_units(used, peaks=True), style="peak"))
    if line.borrowed is not None:
        steps.append(Steps(values=_units(run.curves[line.borrowed]), style="borrowed"))
    marks = []
    if line.hard is not None:
        label = amount(line.resource, line.hard)
        marks.append(Mark(value=line.hard / NANO, label=label, style="limit"))
    if line.guaranteed:
        label = amount(line.resource, line.guaranteed)
        marks.append(Mark(value=line.guaranteed / NANO, label=label, style="kept"))
    resource = resource_text(line.scopes, line.resource)
    plot = _plot(
        run,
        span,
        steps,
        marks=marks,
        title=f"{line.namespace}: {resource} over time",
        top=top * 1.06 / NANO,
        top_label=amount(line.resource, top),
    )
    where = f"level {run.depths[line.namespace]}" if alone else run.tree
    caption = (
        f"<b>{escape(line.namespace)}: {escape(resource)}</b> <small>{escape(where)}</small><br>"
        f"<small>{_in_words(run, line, amount)}</small>"
    )
    return _card(caption, plot, raw=True)


def _in_words(run: Run, line: Line, amount: Amount) -> str:
    used = run.curves[line.used]
    peak, mean = amount(line.resource, used.peak), amount(line.resource, used.mean)
    parts = [f"peak {peak}", f"mean {mean}"]
    if line.hard:
        parts[0] += f" ({words.share(used.peak, line.hard)} of its limit)"
        parts[1] += f" ({words.share(used.mean, line.hard)})"
    if line.borrowed is not None:
        beyond = run.curves[line.borrowed]
        parts.append(f"beyond its guarantee at most {amount(line.resource, beyond.peak)}")
    return escape(", ".join(parts))


def _units(curve: Curve, *, peaks: bool = False) -> list[float]:
    return [value * curve.scale / NANO for value in (curve.peaks if peaks else curve.means)]


# -- the table of namespaces ------------------------------------------------------------------


def _namespaces(runs: Sequence[Run]) -> Iterator[str]:
    yield "<h2>Namespaces that asked for something</h2>"
    queued = runs[0].policy is not Policy.REFUSE
    for run in runs:
        heads = (run.tree, "asked", "admitted", "refused", *(_QUEUE_HEADS if queued else ()))
        tallies = run.by_namespace
        rows = [_tally_row(name, tally) for name, tally in list(tallies.items())[:MOST_ROWS]]
        table = _table([heads, *(row[: len(heads)] for row in rows)])
        more = len(tallies) - len(rows)
        note = f"{len(tallies):,} namespaces" + (f", the first {len(rows)} shown" if more else "")
        opened = " open" if len(rows) <= 20 else ""
        yield f"<details{opened}><summary>{escape(run.tree)}: {note}</summary>"
        yield f'<div class="wide">{table}</div></details>'


_QUEUE_HEADS: Final = ("still waiting", "waited, median", "waited, 99 %")


def _tally_row(name: str, tally: Tally) -> tuple[str, ...]:
    counts = tally.outcomes
    refused = counts[Outcome.REFUSED] + counts[Outcome.NEVER]
    numbers = (tally.asked, counts[Outcome.ADMITTED], refused, counts[Outcome.WAITING])
    waits = (words.duration(tally.wait(percent)) for percent in (50, 99))
    return (name, *(f"{number:,}" for number in numbers), *waits)


# -- pieces ---------------------------------------------------------------------------------


def _span(runs: Sequence[Run]) -> int:
    return max(run.end - run.start for run in runs)


def _plot(
    run: Run,
    span: int,
    steps: Sequence[Steps],
    *,
    title: str,
    top: float,
    top_label: str,
    marks: Sequence[Mark] = (),
) -> str:
    plot = Plot(
        title=title,
        steps=steps,
        marks=marks,
        top=top,
        top_label=top_label,
        ticks=[(at / span, label) for at, label in words.ticks(span)],
        width=run.length / span,
        ends=(run.end - run.start) / span,
    )
    return charts.timeline(plot)


def _cards(runs: Sequence[Run]) -> str:
    """Open a grid in which the plots of compared trees stand side by side."""
    side = f" side{len(runs)}" if len(runs) in {2, 3} else ""
    return f'<div class="cards{side}">'


def _card(caption: str, plot: str, *, raw: bool = False) -> str:
    text = caption if raw else f"<b>{escape(caption)}</b>"
    return f"<figure><figcaption>{text}</figcaption>{plot}</figure>"


def _key(items: Sequence[tuple[str, str]]) -> str:
    return f'<p class="key">{"".join(_sample(style, label) for style, label in items)}</p>'


def _sample(style: str, label: str) -> str:
    line = style in {"limit", "kept", "peak", "borrowed"}
    shape = 'line x1="0" x2="26" y1="6" y2="6"' if line else 'rect width="26" height="12"'
    drawn = f'<svg viewBox="0 0 26 12" aria-hidden="true"><{shape} class="{style}"/></svg>'
    return f"<span>{drawn}{escape(label)}</span>"


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = [f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in body]
    return f"<table><thead><tr>{cells}</tr></thead><tbody>\n{chr(10).join(lines)}\n</tbody></table>"
