"""What exists and becomes this program's own: imported first, as it is, and compared by us.

Once everything is in the state (`import_only` is gone), the program's fields are applied like any
others, only that they are taken from whoever named them before.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from pulumi_quotatree import kubernetes
from pulumi_quotatree.kubernetes import KubernetesObject
from quotatree.codec import quotas
from quotatree.model import names, scope
from quotatree.model.quota import Quota


def namespace(
    title: str, manifest: Mapping[str, Any], opts: pulumi.ResourceOptions
) -> KubernetesObject:
    """Return the Namespace as it is; what the program wants otherwise is told."""
    name = manifest["metadata"]["name"]
    found = kubernetes.imported(title, manifest, opts, found=name)
    wanted = {key: manifest["metadata"][key] for key in ("labels", "annotations")}
    _tell(found, pulumi.Output.all(wanted, found.metadata).apply(_metadata_differences))
    return found


def tree_quota(
    title: str, manifest: Mapping[str, Any], opts: pulumi.ResourceOptions
) -> KubernetesObject:
    """Return the TreeQuota as it is; what the program wants otherwise is told."""
    metadata = manifest["metadata"]
    where = f"{metadata['namespace']}/{metadata['name']}"
    found = kubernetes.imported(title, manifest, opts, found=where)
    _tell(found, pulumi.Output.all(manifest["spec"], found.spec).apply(_spec_differences))
    return found


def _tell(found: KubernetesObject, differences: pulumi.Output[list[str]]) -> None:
    def say(lines: Sequence[str]) -> None:
        for line in lines:
            pulumi.log.warn(f"{line}; `pulumi up` without import_only sets it", resource=found)

    differences.apply(say)


def _metadata_differences(both: Sequence[Any]) -> list[str]:
    wanted, live = both
    found = []
    for kind, one in (("labels", "label"), ("annotations", "annotation")):
        has = (live or {}).get(kind) or {}
        own = {k: v for k, v in (wanted[kind] or {}).items() if not k.startswith("pulumi.com/")}
        found += [
            _difference(f"{one} {k}", has.get(k), own[k]) for k in own if has.get(k) != own[k]
        ]
    parents = [((it or {}).get("labels") or {}).get(names.LABEL_PARENT) for it in (live, wanted)]
    if parents[0] is not None and parents[1] is None:
        found.append(_difference(f"label {names.LABEL_PARENT}", parents[0], None))
    return sorted(found)


def _spec_differences(both: Sequence[Any]) -> list[str]:
    wanted, live = (_quota(spec) for spec in both)
    pairs = (
        ("hard", str(live.hard), str(wanted.hard)),
        ("guaranteed", str(live.guaranteed), str(wanted.guaranteed)),
        ("scopes", scope.describe(live.scopes), scope.describe(wanted.scopes)),
        ("failurePolicy", live.failure_policy.value, wanted.failure_policy.value),
        ("mode", live.mode.value, wanted.mode.value),
    )
    return [_difference(what, has, want) for what, has, want in pairs if has != want]


def _quota(spec: Mapping[str, Any] | None) -> Quota:
    return quotas.parse({"spec": dict(spec or {})})


def _difference(what: str, has: object, want: object) -> str:
    return f"{what}: the cluster has {has or 'none'}, this program {want or 'none'}"
