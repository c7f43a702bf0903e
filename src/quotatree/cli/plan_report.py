"""A tree tried out, as a report: findings with their places, the verdict, one sentence. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from quotatree.cli.plan_inputs import Situation, resources
from quotatree.codec.standing import Conflict
from quotatree.codec.treefile import Located
from quotatree.engine import forecast, foresight, lint, misfit
from quotatree.engine.lint import Finding
from quotatree.engine.whatif import Removals
from quotatree.model import report
from quotatree.model.forecast import Change, Forecast
from quotatree.model.problem import Problem
from quotatree.model.report import Item, Level, Report, Rule, Verdict
from quotatree.model.treefile import Spot
from quotatree.reports import forecast as tables

COMMAND: Final = "plan"
_SHOWN: Final = 3  # namespaces of a list

MISTAKE: Final = Rule(
    code="file-mistake",
    title="The file cannot be applied: it holds a mistake.",
    level=Level.ERROR,
    help="Keys, names, quantities and scopes are described in docs/reference/file-format.md.",
)
CONFLICT: Final = Rule(
    code="field-conflict",
    title="A field is set to another value by somebody else.",
    level=Level.ERROR,
    help="quotatree apply --force-conflicts takes the field over.",
)
NOT_ASKED: Final = Rule(
    code="devices-not-checked",
    title="Whether the cluster offers the devices that are limited could not be asked.",
    level=Level.NOTE,
)
NOT_LISTED: Final = Rule(
    code="usage-not-listed",
    title="Objects that a new limit would count may not be listed with these credentials.",
    level=Level.WARNING,
    help="What runs already counts as nothing then, so the tree may fit less well than it seems.",
)
RULES: Final = (
    MISTAKE,
    CONFLICT,
    NOT_ASKED,
    NOT_LISTED,
    *misfit.RULES,
    *foresight.RULES,
    *lint.RULES,
)

_VERBS: Final = {
    Change.CREATE: "to create",
    Change.CHANGE: "to change",
    Change.MOVE: "to move",
    Change.REMOVE: "to remove",
    Change.REFUSED: "refused",
    Change.NOTHING: "unchanged",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The report, and the forecast that it speaks of."""

    report: Report
    forecast: Forecast


def planned(
    situation: Situation, located: Located, removals: Removals, *, file: str, force: bool
) -> Planned:
    """Try the tree out and report what would come of it."""
    trial = forecast.trial(
        situation.seen, situation.tree, removals=removals, labels=situation.labels
    )

    def item(finding: Finding) -> Item:
        return replace(finding.item, place=located.place(finding.spot, file=file))

    found = [
        *misfit.findings(trial),
        *foresight.findings(situation.seen, situation.tree, removals),
        *lint.findings(situation.tree, lint.levels(situation.tree, trial.outcome.world)),
        *_devices(situation),
        *_unlisted(situation),
        *(_conflict(conflict) for conflict in situation.conflicts if not force),
    ]
    items = report.in_order(map(item, found))
    return Planned(
        report=Report(
            command=COMMAND,
            headline=_headline(trial.forecast, items, file=file, where=situation.where),
            verdict=_verdict(items),
            rules=RULES,
            items=items,
            subjects=tuple(f"namespace/{node.namespace}" for node in situation.tree.nodes),
            tables=tables.tables(trial.forecast),
        ),
        forecast=trial.forecast,
    )


def broken(file: str, problems: Sequence[Problem]) -> Report:
    """Return the report on a file that cannot be read as a tree."""
    count = f"{len(problems)} mistake{'' if len(problems) == 1 else 's'}"
    return Report(
        command=COMMAND,
        headline=f"{file}: {count}",
        verdict=Verdict.ERROR,
        rules=RULES,
        items=report.in_order(report.of_problem(p, MISTAKE, file=file) for p in problems),
    )


def _verdict(items: Iterable[Item]) -> Verdict:
    misfits = any(item.level is Level.ERROR for item in items)
    return Verdict.DOES_NOT_FIT if misfits else Verdict.FITS


def _headline(found: Forecast, items: Sequence[Item], *, file: str, where: str) -> str:
    counts = [
        f"{number} {words}" for change, words in _VERBS.items() if (number := found.count(change))
    ]
    levels = [
        f"{number} {level.value}{'' if number == 1 else 's'}"
        for level in Level
        if (number := sum(item.level is level for item in items))
    ]
    what = ", ".join(counts) or "nothing to do"
    return f"{file} on {where}: {what}{'; ' if levels else ''}{', '.join(levels)}"


def _conflict(conflict: Conflict) -> Finding:
    what = "namespace" if conflict.quota is None else f"TreeQuota {conflict.quota}"
    return lint.found(
        CONFLICT,
        Spot(namespace=conflict.namespace, quota=conflict.quota),
        f"{what}: {conflict.field} is {conflict.value} and managed by "
        f"{', '.join(conflict.managers)}; applying another value is refused",
        remedy="let its manager change it, or apply with --force-conflicts",
    )


def _devices(situation: Situation) -> Iterator[Finding]:
    if situation.offers is not None:
        yield from lint.unoffered(situation.tree, situation.offers)
        return
    asked = sorted(filter(lint.is_device, resources(situation.tree)))
    if asked:
        first = _first(situation, lambda name: name in asked)
        yield lint.found(
            NOT_ASKED,
            first,
            f"whether the cluster offers {', '.join(asked)} is not checked: {situation.unasked}",
        )


def _unlisted(situation: Situation) -> Iterator[Finding]:
    """Yield a warning for each kind of objects that could not be counted."""
    for what in situation.unlisted:
        concerned = what.namespaces
        written = (n.namespace for n in situation.tree.nodes if n.namespace in concerned)
        names = sorted({name for found in what.names.values() for name in found})
        more = f" and {len(concerned) - _SHOWN} more" if len(concerned) > _SHOWN else ""
        yield lint.found(
            NOT_LISTED,
            Spot(namespace=next(written, concerned[0])),
            f"{what.resource} may not be listed with these credentials: what "
            f"{', '.join(concerned[:_SHOWN])}{more} uses of {', '.join(names)} counts as nothing",
            remedy=f"allow `list` of {what.resource} in all namespaces",
        )


def _first(situation: Situation, wanted: Callable[[str], bool]) -> Spot:
    """Return the first spot of the file with a wanted name."""
    return next(
        lint.spot_of(quota, field, name)
        for node in situation.tree.nodes
        for quota in node.quotas
        for field, amounts in (("hard", quota.hard), ("guaranteed", quota.guaranteed))
        for name in amounts
        if wanted(name)
    )
