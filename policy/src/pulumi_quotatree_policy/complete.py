"""A ResourceQuota that leaves out cpu or memory limits pods by their number at best."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_quotatree_policy.finding import Finding
from pulumi_quotatree_policy.planned import Planned
from pulumi_quotatree_policy.question import Question, not_known
from quotatree.codec import fields, quota_rules
from quotatree.units.resource_names import LIMITS, REQUESTS


def judge(question: Question) -> Iterator[Finding]:
    """Yield each ResourceQuota that does not name what it has to."""
    for it in question.plan.resource_quotas():
        if not question.concerns(it):
            continue
        unknown = it.unknown("spec")
        missing = [] if unknown else _missing(it, question.settings.resources)
        yield from not_known(it, unknown, "what it limits")
        if missing:
            yield Finding(urn=it.urn, message=_message(it, missing))


def _missing(it: Planned, wanted: tuple[str, ...]) -> list[str]:
    spec = fields.mapping(it.obj, "spec")
    named = set(fields.mapping(spec, "hard"))
    able = [
        quota_rules.SCOPES[t.scope] for t in fields.scopes(spec) if t.scope in quota_rules.SCOPES
    ]
    # Requests are never above limits, so who limits the limits limits the requests too.
    return [
        name
        for name in wanted
        if not named & {name, f"{REQUESTS}{name}", f"{LIMITS}{name}"}
        and all(name in names for names in able)
    ]


def _message(it: Planned, missing: list[str]) -> str:
    names = " and ".join(missing)
    example = ", ".join(f'"requests.{name}": "…"' for name in missing)
    return (
        f"{it.label} in namespace {it.namespace} does not limit {names}: pods take of it what the "
        f"nodes have. Add {example} to spec.hard"
    )
