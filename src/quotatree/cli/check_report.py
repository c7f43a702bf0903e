"""Manifests judged, as a report: each workload alone and in its order. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from quotatree.cli import fit_data
from quotatree.cli.manifest_files import Found
from quotatree.cli.surroundings import Coming, Surroundings
from quotatree.codec import fields, kinds, workloads
from quotatree.engine import advice, fit
from quotatree.errors import InputError
from quotatree.model import report, scope
from quotatree.model.fit import WORDS, Obstacle, Reason
from quotatree.model.names import Namespace
from quotatree.model.report import Item, Level, Place, Report, Rule, Table, Verdict
from quotatree.model.scope import ScopeSet
from quotatree.model.workload import Workload
from quotatree.units.resources import Resources

COMMAND: Final = "check"

INVALID: Final = Rule(
    code="amount-invalid",
    title="An amount cannot be read, or the API server would not take it.",
    level=Level.ERROR,
)
NOT_COUNTED: Final = Rule(
    code="not-counted",
    title="What something costs cannot be known from here: it is not in the numbers.",
    level=Level.WARNING,
)
NO_TREE: Final = Rule(
    code="namespace-in-no-tree",
    title="The namespace is in no tree: nothing of the tree limits it.",
    level=Level.WARNING,
)
NOT_ENFORCED: Final = Rule(
    code="namespace-not-enforced-yet",
    title="The limits of the namespace are not enforced yet; what it creates now is refused.",
    level=Level.WARNING,
)
ASSUMED: Final = Rule(
    code="assumed", title="A number rests on an assumption, which is said.", level=Level.NOTE
)
UNREAD: Final = Rule(
    code="not-looked-at", title="Something was not looked at, and why.", level=Level.NOTE
)
REASONS: Final = tuple(
    Rule(
        code=reason.value,
        title=f"{WORDS[reason][:1].upper()}{WORDS[reason][1:]}.",
        level=Level.ERROR,
        help="Waiting can help." if reason.temporary else "Waiting does not help.",
    )
    for reason in Reason
)
RULES: Final = (INVALID, NOT_COUNTED, NO_TREE, NOT_ENFORCED, ASSUMED, UNREAD, *REASONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One object of the manifests with its answers: alone, and after all that fit before it."""

    request: fit.Request
    place: Place
    costs: tuple[tuple[ScopeSet, Resources], ...]
    alone: tuple[Obstacle, ...]
    in_order: tuple[Obstacle, ...]
    changes: tuple[advice.Raise, ...]
    fitting: int
    in_tree: bool
    enforced: bool

    @property
    def workload(self) -> Workload:
        """The workload that was asked for."""
        return self.request.workload

    @property
    def subject(self) -> str:
        """What it is called in findings."""
        return f"{self.workload.label} -n {self.request.namespace}"

    @property
    def matters(self) -> bool:
        """Whether anything counts it."""
        return bool(self.costs or self.alone or self.in_order)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """All objects judged, and the report of it."""

    report: Report
    judged: tuple[Judged, ...] = ()
    passed_over: tuple[str, ...] = field(default=())


def by_namespace(
    found: Iterable[Found], default: Namespace | None
) -> dict[Namespace | None, list[Found]]:
    """Return the objects by the namespace that they go to, in their order; None for those of none.

    Raises:
        InputError: an object of a namespace names none, and there is no default.
    """
    grouped: dict[Namespace | None, list[Found]] = {}
    for item in found:
        grouped.setdefault(_namespace_of(item, default), []).append(item)
    return grouped


def _namespace_of(item: Found, default: Namespace | None) -> Namespace | None:
    if kinds.KNOWN.get(kinds.of(item.body)) == "":
        return None
    named = fields.text(fields.mapping(item.body, "metadata"), "namespace")
    namespace = Namespace(named) if named else default
    if namespace is None:
        kind = fields.text(item.body, "kind") or "the object"
        raise InputError(
            f"{item.place.file}:{item.place.line}: {kind} names no namespace; "
            "say which with --namespace"
        )
    return namespace


def coming(found: Iterable[Found], default: Namespace | None) -> Coming:
    """Return the objects as their surroundings are asked for. Raises: InputError."""
    grouped = by_namespace(found, default)
    return Coming(
        objects={
            namespace: [item.body for item in items]
            for namespace, items in grouped.items()
            if namespace is not None
        },
        wide=[item.body for item in grouped.get(None, ())],
    )


def judge(found: Sequence[Found], around: Surroundings, default: Namespace | None) -> Checked:
    """Judge all objects in their order."""
    alone, order = fit.Place(around.situation), fit.Place(around.situation)
    judged: list[Judged] = []
    passed_over: list[str] = []
    for item in found:
        namespace = _namespace_of(item, default)
        if namespace is None:
            passed_over.append(fields.text(item.body, "kind") or "object")
            continue
        request = _request(item, around, namespace)
        judged.append(_judged(request, item, alone=alone, order=order))
    items = report.in_order(_items(judged, around))
    return Checked(
        report=Report(
            command=COMMAND,
            headline=_headline(judged, around),
            verdict=_verdict(items),
            rules=RULES,
            items=items,
            subjects=tuple(one.subject for one in judged if one.matters),
            tables=(_table(judged),),
        ),
        judged=tuple(judged),
        passed_over=tuple(passed_over),
    )


def _request(item: Found, around: Surroundings, namespace: Namespace) -> fit.Request:
    context = around.context(namespace)
    workload = workloads.read(item.body, context)
    name = fields.text(fields.mapping(item.body, "metadata"), "name")
    standing = around.standing.get((kinds.of(item.body), namespace, name))
    if standing is None:
        return fit.Request(namespace=namespace, workload=workload)
    _, kind = kinds.of(item.body)
    stored = {**standing, "apiVersion": item.body.get("apiVersion"), "kind": kind}
    before = workloads.read(stored, context)
    return fit.Request(namespace=namespace, workload=workload, standing=before)


def _judged(request: fit.Request, item: Found, *, alone: fit.Place, order: fit.Place) -> Judged:
    in_order = tuple(order.ask(request))
    costs = tuple(order.costs(request).items())
    if not in_order:
        order.hold(request)
    world = alone.world
    managed = world.managed.get(request.namespace, {}).values()
    return Judged(
        request=request,
        place=item.place,
        costs=costs,
        alone=tuple(alone.ask(request)),
        in_order=in_order,
        changes=advice.raises(world, in_order),
        fitting=order.fitting(request) if in_order else request.workload.pods,
        in_tree=world.in_tree(request.namespace),
        enforced=any(quota.ready for quota in managed),
    )


# -- findings -------------------------------------------------------------------------------


def _items(judged: Sequence[Judged], around: Surroundings) -> Iterator[Item]:
    for one in judged:
        yield from _invalid(one)
        yield from _refused(one)
        for text in one.workload.unknown:
            yield _item(NOT_COUNTED, one, text)
        if one.matters:
            for text in one.workload.notes:
                yield _item(ASSUMED, one, text)
            if one.request.standing is not None:
                yield _item(ASSUMED, one, "it is there already: only what is more is counted")
    yield from _namespaces(judged)
    for text in around.notes:
        yield Item(code=UNREAD.code, level=UNREAD.level, message=text, subject=around.where)


def _item(rule: Rule, one: Judged, message: str, *, remedy: str = "") -> Item:
    return Item(
        code=rule.code,
        level=rule.level,
        message=message,
        remedy=remedy,
        subject=one.subject,
        namespace=one.request.namespace,
        place=one.place,
    )


def _invalid(one: Judged) -> Iterator[Item]:
    for problem in one.workload.problems:
        place = report.Place(
            file=one.place.file, line=one.place.line, column=one.place.column, path=problem.path
        )
        yield Item(
            code=INVALID.code,
            level=INVALID.level,
            message=f"{problem.path}: {problem.message}",
            subject=one.subject,
            namespace=one.request.namespace,
            place=place,
        )


_BY_CODE: Final = {rule.code: rule for rule in REASONS}


def _refused(one: Judged) -> Iterator[Item]:
    for group in advice.grouped(one.in_order):
        text = advice.message(group)
        if not one.alone:
            text = f"fits alone, but not after what stands before it: {text}"
        if 0 < one.fitting < one.workload.pods:
            text = f"{text}; {one.fitting} of its {one.workload.pods} pods fit"
        rule = _BY_CODE[group[0].reason.value]
        yield _item(rule, one, text, remedy=advice.remedy(group, one.changes))


def _namespaces(judged: Sequence[Judged]) -> Iterator[Item]:
    seen: set[Namespace] = set()
    for one in judged:
        name = one.request.namespace
        if name in seen or any(o.reason is Reason.NO_NAMESPACE for o in one.alone):
            continue
        seen.add(name)
        rule = NO_TREE if not one.in_tree else NOT_ENFORCED
        if one.in_tree and one.enforced:
            continue
        yield Item(
            code=rule.code,
            level=rule.level,
            message=rule.title,
            remedy="quotatree tree shows those that are" if rule is NO_TREE else "try again soon",
            subject=f"namespace/{name}",
            namespace=name,
        )


def _verdict(items: Iterable[Item]) -> Verdict:
    codes = {item.code for item in items if item.level is Level.ERROR}
    if INVALID.code in codes:
        return Verdict.ERROR
    return Verdict.DOES_NOT_FIT if codes else Verdict.FITS


def _headline(judged: Sequence[Judged], around: Surroundings) -> str:
    counted = [one for one in judged if one.matters]
    fits = [one for one in counted if not one.in_order]
    alone = sum(1 for one in counted if not one.alone)
    if not counted:
        return f"Nothing in {around.where} counts any of these {len(judged)} objects."
    if len(fits) == len(counted):
        number = "It fits" if len(counted) == 1 else f"All {len(counted)} objects fit together"
        return f"{number} into {around.where}."
    return (
        f"{len(fits)} of {len(counted)} objects fit together into {around.where}, in this order; "
        f"{alone} of them would fit alone."
    )


# -- as rows and as data --------------------------------------------------------------------


def _table(judged: Sequence[Judged]) -> Table:
    return Table(
        title="Objects in their order",
        header=("object", "namespace", "pods", "alone", "in order", "costs"),
        rows=tuple(
            (
                one.workload.label,
                one.request.namespace,
                str(one.workload.pods),
                "does not fit" if one.alone else "fits",
                "does not fit" if one.in_order else "fits",
                fit_data.costs_text(one.costs),
            )
            for one in judged
            if one.matters
        ),
    )


def details(checked: Checked) -> dict[str, Any]:
    """Return all objects with their answers as plain data."""
    return {
        "objects": [_object(one) for one in checked.judged],
        "passedOver": list(checked.passed_over),
    }


def _object(one: Judged) -> dict[str, Any]:
    return {
        "kind": one.workload.kind,
        "name": one.workload.name,
        "namespace": one.request.namespace,
        "file": one.place.file,
        "line": one.place.line,
        "pods": one.workload.pods,
        "fitsAlone": not one.alone,
        "fitsInOrder": not one.in_order,
        "fittingPods": one.fitting,
        "costs": [
            {"scopes": scope.describe(scopes), "amounts": amounts.to_strings()}
            for scopes, amounts in one.costs
        ],
        "reasons": [fit_data.obstacle(o) for o in one.in_order],
        "changes": [str(change) for change in one.changes],
    }
