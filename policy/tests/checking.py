"""Programs in a few words, put to a rule the way Pulumi does it: proxies, floats and all."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi_policy
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError, unknown_checking_proxy

from pulumi_quotatree_policy import policies

UNKNOWN = UNKNOWN_STRING_VALUE
"""As Pulumi writes a value that is not known yet."""

Resource = tuple[str, str, dict[str, Any]]
_POLICIES = {policy.name: policy for policy in policies()}


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a rule said: violations by the name of the resource, and what was not judged."""

    violations: dict[str, list[str]] = field(default_factory=dict)
    unknown: str = ""

    @property
    def is_clean(self) -> bool:
        return not self.violations and not self.unknown

    def one(self) -> str:
        """The only violation there is."""
        (messages,) = self.violations.values()
        (message,) = messages
        return message


def urn(token: str, name: str) -> str:
    return f"urn:pulumi:dev::app::{token}::{name}"


def check(rule: str, *resources: Resource, **config: Any) -> Told:
    """What a rule says of a program."""
    policy = _POLICIES[rule]
    violations: dict[str, list[str]] = {}

    def report(message: str, about: str | None = None) -> None:
        violations.setdefault((about or "").rpartition("::")[2], []).append(message)

    unknown = []
    for args in _arguments(policy, resources, config):
        try:
            policy.validate(args, report)
        except UnknownValueError as error:
            unknown.append(error.message)
    return Told(violations=violations, unknown="; ".join(unknown))


def _arguments(policy, resources, config):
    options = pulumi_policy.PolicyResourceOptions(
        False, [], None, [], pulumi_policy.PolicyCustomTimeouts(0, 0, 0), []
    )
    found = [
        (token, unknown_checking_proxy(as_sent(props)), urn(token, name), name, options, None)
        for token, name, props in resources
    ]
    if isinstance(policy, pulumi_policy.StackValidationPolicy):
        kept = [pulumi_policy.PolicyResource(*it, None, [], {}) for it in found]
        return [pulumi_policy.StackValidationArgs(kept, config)]
    return [pulumi_policy.ResourceValidationArgs(*it, config) for it in found]


def as_sent(value: Any) -> Any:
    """As it comes over the wire: every number is a float."""
    if isinstance(value, Mapping):
        return {key: as_sent(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [as_sent(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


# -- objects ----------------------------------------------------------------------------------


def namespace(name: str, parent: str = "", **given: Any) -> Resource:
    labels = {"labels": {"quotatree.dev/parent": parent}} if parent else {}
    metadata = {"name": name, **labels, **given}
    return ("kubernetes:core/v1:Namespace", name, {"kind": "Namespace", "metadata": metadata})


def tree_quota(space: str, *, name: str = "quota", **hard: str) -> Resource:
    spec = {"hard": {key.replace("__", "/").replace("_", "."): v for key, v in hard.items()}}
    props = {"metadata": {"name": name, "namespace": space}, "spec": spec}
    return ("kubernetes:quotatree.dev/v1alpha1:TreeQuota", f"{space}-{name}", props)


def resource_quota(space: str, hard: Any, **spec: Any) -> Resource:
    props = {"metadata": {"name": "own", "namespace": space}, "spec": {"hard": hard, **spec}}
    return ("kubernetes:core/v1:ResourceQuota", f"{space}-own", props)


def limit_range(space: str, **requests: str) -> Resource:
    limits = [{"type": "Container", "defaultRequest": requests}]
    props = {"metadata": {"name": "defaults", "namespace": space}, "spec": {"limits": limits}}
    return ("kubernetes:core/v1:LimitRange", f"{space}-defaults", props)


def container(requests: Any = None, limits: Any = None, **given: Any) -> dict[str, Any]:
    amounts = {"requests": requests, "limits": limits}
    resources = {key: value for key, value in amounts.items() if value is not None}
    return {"name": "main", "image": "none", "resources": resources, **given}


def deployment(space: Any, *containers: dict[str, Any], **given: Any) -> Resource:
    return workload("apps/v1:Deployment", space, *containers, **given)


def workload(
    kind: str,
    space: Any,
    *containers: dict[str, Any],
    name: str = "app",
    status: dict[str, Any] | None = None,
    stored: bool = False,
    **spec: Any,
) -> Resource:
    """A workload; `stored` ones are in the cluster already, as their outputs show."""
    version = {"resourceVersion": "7"} if stored else {}
    props: dict[str, Any] = {
        "metadata": {"name": name, "namespace": space, **version},
        "spec": {"template": {"spec": {"containers": list(containers)}}, **spec},
    }
    if status is not None:
        props["status"] = status
    return (f"kubernetes:{kind}", name, props)


def pod(space: str, *containers: dict[str, Any], name: str = "pod") -> Resource:
    metadata = {"name": name, "namespace": space}
    return (
        "kubernetes:core/v1:Pod",
        name,
        {"metadata": metadata, "spec": {"containers": list(containers)}},
    )


def state(path: Any, *nodes: dict[str, Any]) -> str:
    """Write a state as `quotatree tree -o json` does; return its path."""
    document = {
        "apiVersion": "quotatree.dev/v1alpha1",
        "kind": "TreeState",
        "resourceVersion": "1",
        "nodes": list(nodes),
    }
    file = path / "state.json"
    file.write_text(json.dumps(document))
    return str(file)


def node(name: str, parent: str | None = None, **given: Any) -> dict[str, Any]:
    """A namespace in a state; `used` is that of its subtree, `held` its own."""
    hard, used = given.get("hard", {}), given.get("used", {})
    return {
        "namespace": name,
        "parent": parent,
        "enforced": True,
        "lifecycle": "Independent",
        "held": given.get("held", used),
        "used": used,
        "charged": used,
        "available": {},
        "hard": hard,
        "guaranteed": {},
        "quotas": [{"name": "quota", "hard": hard}] if hard else [],
    }
