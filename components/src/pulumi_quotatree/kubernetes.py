"""Kubernetes objects as Pulumi resources, of the provider that the user has.

The resources have the types and properties of `pulumi_kubernetes`, and so the same place in a state
and in anybody's transforms. They are registered here directly, because loading that package's
classes costs each preview about a second.
"""

import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

import pulumi

from quotatree.codec import quotas
from quotatree.manifests import crd
from quotatree.model import names
from quotatree.model.quota import Quota

PROVIDER: Final = "pulumi-kubernetes"
WAIT_FOR: Final = "pulumi.com/waitFor"
PATCH_FORCE: Final = "pulumi.com/patchForce"
"""Makes fields that others named before this program's own."""

READY: Final = "condition=Ready"
"""The provider compares observedGeneration too, so an old answer does not count."""

GRANTED: Final = "condition=GuaranteeGranted"
"""On a TreeQuota with a guarantee: `Ready` says nothing of it."""

ENFORCED: Final = f"jsonpath={{.metadata.labels['{names.LABEL_ENFORCED}']}}=true"
"""On a Namespace that has limits from above only."""

CRD: Final = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
NAMESPACE: Final = "kubernetes:core/v1:Namespace"


class KubernetesObject(pulumi.CustomResource):
    """One object of the API server."""

    metadata: pulumi.Output[Mapping[str, Any]]
    """Its metadata as the API server shows it."""

    spec: pulumi.Output[Mapping[str, Any]]
    """Its spec, where it was asked for."""

    def __init__(
        self,
        name: str,
        properties: Mapping[str, Any],
        opts: pulumi.ResourceOptions,
        *,
        token: str,
    ) -> None:
        own = pulumi.ResourceOptions(version=version(PROVIDER))
        super().__init__(token, name, dict(properties), pulumi.ResourceOptions.merge(opts, own))


def token_of(api_version: str, kind: str) -> str:
    """Return the type under which the provider knows a kind."""
    group = api_version if "/" in api_version else f"core/{api_version}"
    return f"kubernetes:{group}:{kind}"


def made(name: str, manifest: Mapping[str, Any], opts: pulumi.ResourceOptions) -> KubernetesObject:
    """Return an object that this program makes, changes and deletes."""
    token = token_of(manifest["apiVersion"], manifest["kind"])
    return KubernetesObject(name, manifest, opts, token=token)


def patched(
    name: str, manifest: Mapping[str, Any], opts: pulumi.ResourceOptions
) -> KubernetesObject:
    """Return an object of somebody else, of which this program keeps some fields."""
    token = token_of(manifest["apiVersion"], f"{manifest['kind']}Patch")
    return KubernetesObject(name, manifest, opts, token=token)


def existing(
    name: str, token: str, opts: pulumi.ResourceOptions, *, found: pulumi.Input[str]
) -> KubernetesObject:
    """Return the object named `found`, which must be there already.

    If it is not, Pulumi stops, at preview too, with `name` in the message. The provider takes the
    kind from the type; named in the properties too, it would read them as an older state.
    """
    nothing = dict.fromkeys(("apiVersion", "kind", "metadata"))
    own = pulumi.ResourceOptions(id=found)
    return KubernetesObject(name, nothing, pulumi.ResourceOptions.merge(opts, own), token=token)


def imported(
    name: str, manifest: Mapping[str, Any], opts: pulumi.ResourceOptions, *, found: str
) -> KubernetesObject:
    """Return the object named `found`, as it is: it comes into the state, and stays untouched.

    Pulumi compares what it imports with what the program says. Of a Namespace the provider reads
    every field as the program's, those of the controller too; of a custom resource it reads none
    but the name. So nothing is compared here, and whoever calls compares what comes out.
    """
    metadata = {k: v for k, v in manifest["metadata"].items() if k in {"name", "namespace"}}
    bare = {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "metadata": metadata}
    own = pulumi.ResourceOptions(import_=found, ignore_changes=["metadata", "spec", "status"])
    # None asks for what the API server shows.
    return made(name, {**bare, "spec": None}, pulumi.ResourceOptions.merge(opts, own))


def installed(
    name: str, installation: pulumi.Input[str] | None, opts: pulumi.ResourceOptions
) -> KubernetesObject:
    """Look for the kind TreeQuota: without it, creating one fails after a minute only.

    With `installation`, an Output of the same program, the look waits until that is known.
    """
    where: pulumi.Input[str] = crd.CRD_NAME
    if installation is not None:
        where = pulumi.Output.from_input(installation).apply(lambda _: crd.CRD_NAME)
    return existing(f"{name}-needs-quotatree-installed", CRD, opts, found=where)


def tree_quota(
    quota: Quota, spec: pulumi.Input[Mapping[str, Any]], *, forced: bool = False
) -> dict[str, Any]:
    """Return a TreeQuota that counts as made when the controller holds everybody to it.

    To its guarantee too; but one that stood already, and is taken over by force, may go on waiting.
    """
    manifest = quotas.to_dict(quota)
    wait: pulumi.Input[str]
    if forced:
        wait = READY
    elif isinstance(spec, Mapping):
        wait = _wait(spec)
    else:
        wait = pulumi.Output.all(spec).apply(lambda known: _wait(known[0]))
    force = {PATCH_FORCE: "true"} if forced else {}
    manifest["metadata"]["annotations"] = {WAIT_FOR: wait, **force}
    return {**manifest, "spec": spec}


def _wait(spec: Mapping[str, Any]) -> str:
    return json.dumps([READY, GRANTED]) if spec.get("guaranteed") else READY
