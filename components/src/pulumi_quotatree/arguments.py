"""What all components do with their arguments before they register anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi

from pulumi_quotatree import kubernetes, plan, values
from quotatree.codec import findings, quota_rules, treefile_rules

TIMEOUT_SECONDS: Final = 120
_GREATEST: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Whether to look for an installed quotatree, and what in the program makes it."""

    wanted: bool
    installation: pulumi.Input[str] | None


def known(args: object, kind: type, *, title: str) -> dict[str, Any]:
    """Return the arguments that were given; None counts as not given.

    Raises:
        TreeError: there is an argument that the component does not know.
    """
    if not isinstance(args, Mapping):
        raise plan.refuse(title, "args", f"must be a map, is {findings.kind_of(args)}")
    for problem in findings.unknown_keys(args, kind.__annotations__, ()):
        raise plan.refuse(title, str(problem.path[0]), "is no argument", hint=problem.hint)
    return {name: value for name, value in args.items() if value is not None}


def parent(given: Mapping[str, Any], *, title: str) -> pulumi.Input[str] | None:
    """Return the namespace under which something is put; as an Output it is checked when known.

    Raises:
        TreeError: it is no name, or one that must not have children.
    """
    found = given.get("parent")
    if found is None:
        return None

    def check(name: object) -> str:
        if not isinstance(name, str) or not quota_rules.DNS_LABEL.fullmatch(name):
            message = f"must be the name of a namespace, is {_kind(name)}"
            raise plan.refuse(title, "parent", message)
        if name in treefile_rules.RESERVED:
            message = f"namespace {name} belongs to the cluster itself"
            raise plan.refuse(title, "parent", message, hint="put it elsewhere")
        return name

    if values.is_later(found):
        return pulumi.Output.from_input(found).apply(check)
    return check(found)


def seconds(given: Mapping[str, Any], *, title: str) -> int:
    """Return how long a resource may take to be ready.

    Raises:
        TreeError: it is no time.
    """
    return whole(given, "timeout_seconds", title=title, default=TIMEOUT_SECONDS)


def whole(given: Mapping[str, Any], name: str, *, title: str, default: int) -> int:
    """Return a whole number above zero.

    Raises:
        TreeError: it is none.
    """
    found = given.get(name, default)
    # Other languages send every number as a float.
    number = isinstance(found, int | float) and not isinstance(found, bool)
    if not number or not 1 <= found <= _GREATEST or not float(found).is_integer():
        raise plan.refuse(title, name, f"must be a whole number from 1 on, is {_kind(found)}")
    return int(found)


def flag(given: Mapping[str, Any], name: str, *, title: str, default: bool = False) -> bool:
    """Return a yes or no.

    Raises:
        TreeError: it is neither.
    """
    found = given.get(name, default)
    if not isinstance(found, bool):
        raise plan.refuse(title, name, f"must be true or false, is {_kind(found)}")
    return found


def object_name(given: Mapping[str, Any], name: str, *, title: str, default: str) -> str:
    """Return the name of an object.

    Raises:
        TreeError: it is none, or not known yet.
    """
    found = given.get(name, default)
    if values.is_later(found):
        raise plan.refuse(title, name, f"must be known at the start, is {_kind(found)}")
    for finding in quota_rules.name_findings(found, (name,)):
        raise plan.refuse(title, name, finding.message, hint=finding.hint)
    return str(found)


def names(given: Mapping[str, Any], name: str, *, title: str) -> tuple[str, ...]:
    """Return a list of texts.

    Raises:
        TreeError: it is none.
    """
    found = given.get(name, ())
    if isinstance(found, str) or not isinstance(found, Sequence):
        raise plan.refuse(title, name, f"must be a list, is {_kind(found)}")
    for index, entry in enumerate(found):
        if not isinstance(entry, str):
            raise plan.refuse(title, f"{name}[{index}]", f"must be a text, is {_kind(entry)}")
    return tuple(found)


def look(given: Mapping[str, Any], *, title: str) -> Look:
    """Return whether and when to look for an installed quotatree.

    Raises:
        TreeError: it is neither yes nor no.
    """
    return Look(
        wanted=flag(given, "check_installation", title=title, default=True),
        installation=given.get("installation"),
    )


def first_waits(
    name: str,
    look: Look,
    *,
    component: pulumi.ComponentResource,
    opts: pulumi.ResourceOptions | None,
) -> pulumi.ResourceOptions:
    """Return what the first resources of a component wait for.

    That is an installed quotatree, and whatever the component itself depends on: Pulumi does not
    hand that down.
    """
    outer = pulumi.ResourceOptions(depends_on=opts.depends_on if opts is not None else None)
    if look.installation is not None:
        outer = pulumi.ResourceOptions.merge(outer, _after(look.installation))
    if not look.wanted:
        return outer
    options = pulumi.ResourceOptions.merge(outer, pulumi.ResourceOptions(parent=component))
    found = kubernetes.installed(name, look.installation, options)
    return pulumi.ResourceOptions.merge(outer, pulumi.ResourceOptions(depends_on=[found]))


def _after(value: pulumi.Input[str]) -> pulumi.ResourceOptions:
    """Return the option to wait for the resources that an Output comes from.

    They are named nowhere else: to read an object by an Output waits, and records no dependency, by
    which deletion would find its order.
    """
    sources: pulumi.Output[list[pulumi.Input[pulumi.Resource]]]
    sources = pulumi.Output.from_input(value).apply(lambda _: [])
    return pulumi.ResourceOptions(depends_on=sources)


def _kind(value: object) -> str:
    return "an Output" if values.is_later(value) else findings.kind_of(value)
