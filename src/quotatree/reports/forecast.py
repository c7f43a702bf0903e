"""A forecast as data for `-o json`, and as tables for markdown."""

from __future__ import annotations

from typing import Any

from quotatree.codec import quotas
from quotatree.model import scope
from quotatree.model.forecast import Change, FieldChange, Forecast, NodeForecast, Row, Step
from quotatree.model.report import Table
from quotatree.units.resources import Resources

NONE = "–"
"""Stands for a limit or a guarantee that is not set."""


def details(forecast: Forecast) -> dict[str, Any]:
    """Return all steps and nodes as plain data, quantities as canonical strings."""
    return {
        "summary": {change.value: forecast.count(change) for change in Change},
        "steps": [_step(step) for step in forecast.steps],
        "nodes": [_node(node) for node in forecast.nodes],
    }


def _step(step: Step) -> dict[str, Any]:
    written: dict[str, Any] = {
        "kind": "Namespace" if step.quota is None else "TreeQuota",
        "namespace": step.namespace,
        "change": step.change.value,
    }
    if step.quota is not None:
        written["name"] = step.quota
    if step.fields:
        written["fields"] = [_field(change) for change in step.fields]
    return written


def _field(change: FieldChange) -> dict[str, str | None]:
    return {
        "field": change.field,
        "before": change.before or None,
        "after": change.after or None,
    }


def _node(node: NodeForecast) -> dict[str, Any]:
    return {
        "namespace": node.namespace,
        "parent": {"before": node.parent_before, "after": node.parent},
        "change": node.change.value,
        "resources": [_row(row) for row in node.rows],
    }


def _row(row: Row) -> dict[str, Any]:
    def text(nano: int | None) -> str | None:
        return None if nano is None else amount(row, nano)

    return {
        "resource": row.resource,
        **quotas.scopes_to_dict(row.scopes),
        "hard": {"before": text(row.hard_before), "after": text(row.hard)},
        "guaranteed": {"before": text(row.kept_before), "after": text(row.kept)},
        "granted": text(row.in_force),
        "used": text(row.used),
        "charged": {"before": text(row.charged_before), "after": text(row.charged)},
        "available": text(row.available),
        "over": text(row.over),
        "measured": not row.unmeasured,
    }


def amount(row: Row, nano: int) -> str:
    """Return one amount as the canonical quantity of its resource."""
    return Resources.from_nano({row.resource: nano}).to_strings()[row.resource]


# -- tables ---------------------------------------------------------------------------------


def tables(forecast: Forecast) -> tuple[Table, ...]:
    """Return what changes, and the limits beside the usage of every namespace."""
    return (
        Table(
            title="What applying would do",
            header=("", "object", "change"),
            rows=tuple(_step_cells(step) for step in forecast.steps if _is_change(step)),
        ),
        Table(
            title="Limits and usage of every namespace",
            header=("namespace", "resource", "hard", "guaranteed", "used", "charged", "free"),
            rows=tuple(_row_cells(node, row) for node in forecast.nodes for row in node.rows),
            folded=True,
        ),
    )


def _is_change(step: Step) -> bool:
    return step.change is not Change.NOTHING


def _step_cells(step: Step) -> tuple[str, str, str]:
    return (step.change.value, object_of(step), fields_of(step))


def object_of(step: Step) -> str:
    """Return what a step is about, as `apply` names it."""
    if step.quota is None:
        return f"namespace/{step.namespace}"
    return f"treequota/{step.quota} -n {step.namespace}"


def fields_of(step: Step) -> str:
    """Return the fields that change, e.g. `hard cpu 2 → 3, parent org`."""
    return ", ".join(_field_words(change) for change in step.fields)


def _field_words(change: FieldChange) -> str:
    name = change.field.replace("[", " ", 1).removesuffix("]")
    if not change.before:
        return f"{name} {change.after or NONE}"
    return f"{name} {change.before} → {change.after or NONE}"


def _row_cells(node: NodeForecast, row: Row) -> tuple[str, ...]:
    def pair(before: int | None, after: int | None) -> str:
        old, new = (NONE if nano is None else amount(row, nano) for nano in (before, after))
        return new if old == new else f"{old} → {new}"

    waits = " (waits)" if row.kept > row.in_force else ""
    unknown = "?" if row.unmeasured else ""
    over = f", over by {amount(row, row.over)}" if row.over else ""
    return (
        node.namespace,
        scope.label(row.resource, row.scopes),
        pair(row.hard_before, row.hard),
        f"{pair(row.kept_before or None, row.kept or None)}{waits}",
        amount(row, row.used) + unknown,
        pair(row.charged_before, row.charged) + unknown + over,
        NONE if row.available is None else amount(row, row.available),
    )
