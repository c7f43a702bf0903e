"""The rules as a Pulumi policy pack: levels and configuration are Pulumi's, messages are ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import pulumi_policy
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError

from pulumi_quotatree_policy import planned, raw, settings, states
from pulumi_quotatree_policy.catalog import RULES, Rule
from pulumi_quotatree_policy.question import Question
from pulumi_quotatree_policy.settings import Settings, SettingsError
from pulumi_quotatree_policy.states import StateError

NAME: Final = "quotatree"

Resources = Iterable[tuple[str, str, Mapping[str, Any]]]
Report = Callable[[str, str | None], None]


class NotJudgedError(UnknownValueError):
    """What could not be judged: Pulumi tells it as a warning, whatever the level of the rule."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(UNKNOWN_STRING_VALUE, [])
        self.message = "not judged: " + "; ".join(reasons)


def run() -> None:
    """Serve the pack to Pulumi, until it ends the process."""
    pulumi_policy.PolicyPack(name=NAME, policies=policies())


def policies(rules: Iterable[Rule] = RULES) -> list[pulumi_policy.Policy]:
    """Return the rules as policies, to be put into a pack of one's own."""
    return [_policy(rule) for rule in rules]


def _policy(rule: Rule) -> pulumi_policy.Policy:
    common: dict[str, Any] = {
        "name": rule.name,
        "description": rule.description,
        "enforcement_level": pulumi_policy.EnforcementLevel(rule.level),
        "config_schema": pulumi_policy.PolicyConfigSchema(
            {it.name: it.to_schema() for it in rule.properties}
        ),
        "remediation_steps": rule.remedy,
    }
    if rule.whole:
        return pulumi_policy.StackValidationPolicy(validate=_of_stack(rule), **common)
    return pulumi_policy.ResourceValidationPolicy(validate=_of_resource(rule), **common)


def _of_stack(rule: Rule) -> pulumi_policy.StackValidation:
    def validate(args: pulumi_policy.StackValidationArgs, report: Report) -> None:
        found = ((it.urn, it.resource_type, raw.properties(it.props)) for it in args.resources)
        _judge(rule, found, args.get_config(), report=report)

    return validate


def _of_resource(rule: Rule) -> pulumi_policy.ResourceValidation:
    def validate(args: pulumi_policy.ResourceValidationArgs, report: Report) -> None:
        found = [(args.urn, args.resource_type, raw.properties(args.props))]
        _judge(rule, found, args.get_config(), report=report)

    return validate


def _judge(rule: Rule, found: Resources, config: Mapping[str, Any], *, report: Report) -> None:
    try:
        known = settings.read(config, rule.properties)
        state = states.load(known) if settings.STATE in rule.properties else None
    except (SettingsError, StateError) as error:
        report(f"nothing was judged: {error}", None)
        return
    question = Question(plan=planned.read(found), settings=known, state=state)
    _tell(rule, question, known, report=report)


def _tell(rule: Rule, question: Question, known: Settings, *, report: Report) -> None:
    unknown = []
    for finding in rule.judge(question):
        if finding.unknown and known.unknown != settings.FAIL:
            unknown.append(finding.message)
        else:
            prefix = "not judged: " if finding.unknown else ""
            report(prefix + finding.message, finding.urn or None)
    if unknown:
        raise NotJudgedError(unknown)
