"""Why something is refused: levels, consumers and the smallest change, as a report. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from quotatree.cli import check_report, fit_data
from quotatree.engine import advice, fit, room
from quotatree.engine.explain import amount, chain
from quotatree.model import report, scope
from quotatree.model.fit import WORDS, Consumer, LevelFigures, Obstacle
from quotatree.model.names import Namespace
from quotatree.model.report import Item, Level, Place, Report, Rule, Table, Verdict
from quotatree.model.scope import UNSCOPED, ScopeSet
from quotatree.units.resources import Resources

COMMAND: Final = "explain"
MOST_CONSUMERS: Final = 5

EVENT: Final = Rule(
    code="said-by-events",
    title="What the controller was told when it tried to create a pod.",
    level=Level.NOTE,
)
NOTHING_LEFT: Final = Rule(
    code="nothing-left",
    title="Of a resource nothing is left for the namespace.",
    level=Level.WARNING,
)
RULES: Final = (*check_report.RULES, EVENT, NOTHING_LEFT)

_NOWHERE: Final = Place()

Key = tuple[Namespace, str, ScopeSet]
"""Level, resource and scope set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question: what is to be in a namespace, and what was said of it so far."""

    subject: str
    request: fit.Request | None
    namespace: Namespace
    place: Place = _NOWHERE
    events: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One answer. `pending`: what the tree limits is not enforced in the namespace yet.

    `unknown` says what is not in the numbers, `notes` what they rest on.
    """

    asked: Asked
    path: tuple[Namespace, ...]
    obstacles: tuple[Obstacle, ...]
    levels: tuple[LevelFigures, ...]
    consumers: tuple[tuple[Key, tuple[Consumer, ...]], ...]
    changes: tuple[advice.Raise, ...]
    notes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    pending: bool = False

    @property
    def temporary(self) -> bool:
        """Whether waiting alone can help."""
        return all(obstacle.reason.temporary for obstacle in self.obstacles)

    @property
    def verdict(self) -> Verdict:
        """Whether it fits."""
        return Verdict.DOES_NOT_FIT if self.obstacles else Verdict.FITS


def explain(asked: Asked, situation: fit.Situation) -> Explained:
    """Return the answer to one question."""
    place = fit.Place(situation)
    path = place.world.ledger.forest.path(asked.namespace)
    if asked.request is None:
        return _namespace(asked, place, path)
    obstacles = tuple(place.ask(asked.request))
    refused = {(o.resource, o.scopes) for o in obstacles if not o.quota and o.requested}
    levels = []
    for scopes, cost in place.costs(asked.request).items():
        names = [r for r, nano in cost.nanos().items() if nano]
        if refused:
            names = [r for r in names if (r, scopes) in refused]
        levels += fit.levels(place.world, (asked.namespace, scopes), cost.mask(names))
    shown = tuple(levels)
    return Explained(
        asked=asked,
        path=path,
        obstacles=obstacles,
        levels=shown,
        consumers=_consumers(place, [figures for figures in shown if figures.refuses]),
        changes=advice.raises(place.world, obstacles),
        notes=(*asked.notes, *asked.request.workload.notes),
        unknown=asked.request.workload.unknown,
        pending=_is_pending(place, asked.namespace),
    )


def _is_pending(place: fit.Place, namespace: Namespace) -> bool:
    managed = place.world.managed.get(namespace, {}).values()
    return place.world.in_tree(namespace) and not any(quota.ready for quota in managed)


def _namespace(asked: Asked, place: fit.Place, path: tuple[Namespace, ...]) -> Explained:
    """Return what there is for a namespace, resource by resource, and who takes what is gone."""
    levels: list[LevelFigures] = []
    for scopes in sorted({UNSCOPED} | place.world.limits.scope_sets(path)):
        names = room.ceilings(place.world.ledger.forest.get(asked.namespace), scopes)
        nothing = Resources.from_nano(dict.fromkeys(sorted(names), 0))
        levels += fit.levels(place.world, (asked.namespace, scopes), nothing)
    full = [figures for figures in levels if figures.available == 0]
    return Explained(
        asked=asked,
        path=path,
        obstacles=(),
        levels=tuple(levels),
        consumers=_consumers(place, full),
        changes=(),
        pending=_is_pending(place, asked.namespace),
    )


def _consumers(
    place: fit.Place, levels: Iterable[LevelFigures]
) -> tuple[tuple[Key, tuple[Consumer, ...]], ...]:
    found = []
    for figures in levels:
        key = (figures.level, figures.scopes)
        takers = fit.consumers(place.world, key, figures.resource)
        found.append(((figures.level, figures.resource, figures.scopes), tuple(takers)))
    return tuple(found)


# -- the report -----------------------------------------------------------------------------


def reported(found: Sequence[Explained], *, where: str, notes: Iterable[str] = ()) -> Report:
    """Return all answers as one report."""
    items = [item for one in found for item in _items(one)]
    items += [
        Item(code=rule.code, level=rule.level, message=text, subject=where)
        for rule, text in ((check_report.UNREAD, text) for text in notes)
    ]
    refused = any(one.obstacles for one in found)
    return Report(
        command=COMMAND,
        headline=" ".join(headline(one) for one in found),
        verdict=Verdict.DOES_NOT_FIT if refused else Verdict.FITS,
        rules=RULES,
        items=report.in_order(items),
        subjects=tuple(one.asked.subject for one in found),
        tables=tuple(table for one in found for table in _tables(one)),
    )


def headline(one: Explained) -> str:
    """Say in a sentence what it comes to."""
    asked = one.asked
    if asked.request is None:
        where = chain(one.path) if len(one.path) > 1 else ""
        return f"{asked.subject} lies at {where}." if where else f"{asked.subject} is in no tree."
    if not one.obstacles:
        if asked.exists:
            return f"{asked.subject} is there: nothing of it is refused."
        return f"{asked.subject} fits now."
    first = one.obstacles[0]
    what = sorted({o.resource for o in one.obstacles if o.level == first.level and o.resource})
    of = f" {', '.join(what)}" if what else ""
    by = f"resourcequota {first.level}/{first.quota}" if first.quota else first.level
    codes = ", ".join(dict.fromkeys(o.reason.value for o in one.obstacles))
    when = "temporary: waiting can help" if one.temporary else "never, as things are"
    return f"{asked.subject} is refused: {by} refuses{of} ({codes}; {when})."


def smallest_change(one: Explained) -> str:
    """Say which limits to raise so that it is let in, empty where no limit is to blame."""
    return (
        f"Smallest change: raise {'; raise '.join(map(str, one.changes))}." if one.changes else ""
    )


def _items(one: Explained) -> Iterable[Item]:
    asked = one.asked
    for group in advice.grouped(one.obstacles):
        yield _item(
            one,
            group[0].reason.value,
            Level.ERROR,
            message=f"{advice.message(group)}; {WORDS[group[0].reason]}",
            remedy=advice.remedy(group, one.changes),
        )
    if asked.request is None:
        for figures in one.levels:
            if figures.available == 0:
                label = scope.label(figures.resource, figures.scopes)
                text = f"{figures.level} has nothing left of {label}"
                yield _item(one, NOTHING_LEFT.code, NOTHING_LEFT.level, message=text)
    if one.pending:
        rule = check_report.NOT_ENFORCED
        yield _item(one, rule.code, rule.level, message=rule.title, remedy="try again soon")
    for rule, texts in (
        (check_report.NOT_COUNTED, one.unknown),
        (EVENT, asked.events),
        (check_report.ASSUMED, one.notes),
    ):
        for text in texts:
            yield _item(one, rule.code, rule.level, message=text)


def _item(one: Explained, code: str, level: Level, *, message: str, remedy: str = "") -> Item:
    return Item(
        code=code,
        level=level,
        message=message,
        remedy=remedy,
        subject=one.asked.subject,
        namespace=one.asked.namespace,
        place=one.asked.place,
    )


def _tables(one: Explained) -> Iterable[Table]:
    if one.levels:
        yield Table(
            title=f"Levels of {one.asked.subject}",
            header=("resource", "level", "requested", "used", "limit", "available", ""),
            rows=tuple(level_cells(figures) for figures in one.levels),
        )
    for key, takers in one.consumers:
        if takers:
            yield Table(
                title=consumers_title(key),
                header=("namespace", "amount", ""),
                rows=tuple(consumer_cells(key, taker) for taker in takers),
                folded=True,
            )


def level_cells(figures: LevelFigures) -> tuple[str, ...]:
    """Return one level as a row."""

    def text(nano: int | None) -> str:
        return "–" if nano is None else amount(figures.resource, nano)

    return (
        scope.label(figures.resource, figures.scopes),
        figures.level,
        text(figures.requested),
        text(figures.used),
        text(figures.hard),
        text(figures.available),
        "refuses" if figures.refuses else "",
    )


def consumers_title(key: Key) -> str:
    """Return what a list of consumers is a list of."""
    level, resource, scopes = key
    return f"Who takes {scope.label(resource, scopes)} of {level}"


def consumer_cells(key: Key, taker: Consumer) -> tuple[str, ...]:
    """Return one consumer as a row."""
    kept = "kept by a guarantee, unused" if taker.reserved else ""
    return (taker.namespace, amount(key[1], taker.amount), kept)


# -- as data --------------------------------------------------------------------------------


def details(found: Sequence[Explained]) -> dict[str, Any]:
    """Return all answers as plain data."""
    return {"answers": [_answer(one) for one in found]}


def _answer(one: Explained) -> dict[str, Any]:
    return {
        "subject": one.asked.subject,
        "namespace": one.asked.namespace,
        "path": list(reversed(one.path)),
        "fits": not one.obstacles,
        "temporary": one.temporary if one.obstacles else None,
        "reasons": [fit_data.obstacle(o) for o in one.obstacles],
        "levels": [_level(figures) for figures in one.levels],
        "consumers": [_takers(key, takers) for key, takers in one.consumers],
        "change": [_raise(change) for change in one.changes],
        "events": list(one.asked.events),
        "notes": list(one.notes),
        "unknown": list(one.unknown),
    }


def _level(figures: LevelFigures) -> dict[str, Any]:
    def text(nano: int | None) -> str | None:
        return None if nano is None else amount(figures.resource, nano)

    return {
        "resource": figures.resource,
        **({"scopes": scope.describe(figures.scopes)} if figures.scopes else {}),
        "level": figures.level,
        "requested": text(figures.requested),
        "used": text(figures.used),
        "limit": text(figures.hard),
        "available": text(figures.available),
        "refuses": figures.refuses,
    }


def _takers(key: Key, takers: Sequence[Consumer]) -> dict[str, Any]:
    level, resource, scopes = key
    return {
        "level": level,
        "resource": resource,
        **({"scopes": scope.describe(scopes)} if scopes else {}),
        "namespaces": [
            {
                "namespace": taker.namespace,
                "amount": amount(resource, taker.amount),
                "reserved": taker.reserved,
            }
            for taker in takers
        ],
    }


def _raise(change: advice.Raise) -> dict[str, Any]:
    return {
        "level": change.level,
        "kind": change.kind,
        "names": list(change.quotas),
        "resource": change.resource,
        **({"scopes": scope.describe(change.scopes)} if change.scopes else {}),
        "from": amount(change.resource, change.before),
        "to": amount(change.resource, change.after),
    }
