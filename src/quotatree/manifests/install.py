"""The whole installation: settings in, objects out, in the order in which to apply them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import yaml

from quotatree.manifests import (
    crd,
    deployment,
    lookout,
    namespace_policies,
    objects,
    quota_policies,
    rbac,
    webhook,
)
from quotatree.manifests.settings import InstallSettings


def policies(settings: InstallSettings) -> list[objects.Manifest]:
    """Return every ValidatingAdmissionPolicy, each followed by its binding."""
    return [
        *quota_policies.managed_quotas(settings),
        *quota_policies.limits(settings),
        *quota_policies.birth_gate(settings),
        *quota_policies.growth_gate(settings),
        *lookout.lookout(settings),
        *namespace_policies.tree_labels(settings),
        *namespace_policies.attach(settings),
        *namespace_policies.owners(settings),
        *namespace_policies.deletion(settings),
        *namespace_policies.made_by(settings),
    ]


def installation(settings: InstallSettings) -> list[objects.Manifest]:
    """Return all objects of an installation, each after those that it needs.

    The policies come before the controller: what guards the managed ResourceQuotas stands before
    the first of them does. The webhooks come last.
    """
    return [
        deployment.namespace(settings),
        crd.tree_quotas(settings),
        *rbac.controller_rights(settings),
        *rbac.people_rights(settings),
        *deployment.priority(settings),
        *policies(settings),
        *deployment.workload(settings),
        webhook.usage_configuration(settings),
        webhook.spec_configuration(settings),
    ]


def to_yaml(manifests: Sequence[objects.Manifest]) -> str:
    """Return a multi-document YAML text for `kubectl apply -f -`; long expressions as blocks."""
    return yaml.dump_all(
        manifests,
        Dumper=_Dumper,
        sort_keys=False,
        explicit_start=True,
        allow_unicode=True,
        width=100,
    )


def to_json(manifests: Sequence[objects.Manifest]) -> str:
    """Return the objects as one Kubernetes `List` in JSON."""
    document = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


class _Dumper(yaml.SafeDumper):
    """Block style for texts of several lines, and no anchors: YAML that people read."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
