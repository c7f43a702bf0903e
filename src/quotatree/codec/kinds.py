"""What a kind is called in paths and in `count/…`: kind to resource, for the kinds that we know.

The API server knows the plural of a kind, a manifest does not show it. Known here are the built-in
kinds (Kubernetes 1.36) and the custom ones whose pods `codec.workloads` knows; of the others the
cluster tells (`from_discovery`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from quotatree.codec import fields

Kind = tuple[str, str]
"""API group (empty for the core one) and kind."""

Plurals = Mapping[Kind, str]
"""Kind to its plural; empty for a kind that is not of a namespace, and so never counted."""

_NAMESPACED: Final[Mapping[str, str]] = {
    "": "ConfigMap Endpoints LimitRange PersistentVolumeClaim Pod PodTemplate "
    "ReplicationController ResourceQuota Secret ServiceAccount Service",
    "apps": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "argoproj.io": "CronWorkflow Workflow WorkflowTemplate",
    "autoscaling": "HorizontalPodAutoscaler",
    "batch": "CronJob Job",
    "coordination.k8s.io": "Lease",
    "discovery.k8s.io": "EndpointSlice",
    "jobset.x-k8s.io": "JobSet",
    "kubeflow.org": "JAXJob MPIJob PaddleJob PyTorchJob TFJob XGBoostJob",
    "kueue.x-k8s.io": "LocalQueue Workload",
    "networking.k8s.io": "Ingress NetworkPolicy",
    "policy": "PodDisruptionBudget",
    "quotatree.dev": "TreeQuota",
    "ray.io": "RayCluster RayJob RayService",
    "rbac.authorization.k8s.io": "Role RoleBinding",
    "resource.k8s.io": "ResourceClaim ResourceClaimTemplate",
    "storage.k8s.io": "CSIStorageCapacity",
    "tekton.dev": "Pipeline PipelineRun Task TaskRun",
    "trainer.kubeflow.org": "TrainingRuntime TrainJob",
}

_CLUSTER_WIDE: Final[Mapping[str, str]] = {
    "": "Namespace Node PersistentVolume",
    "admissionregistration.k8s.io": "MutatingAdmissionPolicy MutatingAdmissionPolicyBinding "
    "MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding "
    "ValidatingWebhookConfiguration",
    "apiextensions.k8s.io": "CustomResourceDefinition",
    "apiregistration.k8s.io": "APIService",
    "certificates.k8s.io": "CertificateSigningRequest",
    "flowcontrol.apiserver.k8s.io": "FlowSchema PriorityLevelConfiguration",
    "kueue.x-k8s.io": "ClusterQueue Cohort ResourceFlavor",
    "networking.k8s.io": "IngressClass",
    "node.k8s.io": "RuntimeClass",
    "rbac.authorization.k8s.io": "ClusterRole ClusterRoleBinding",
    "resource.k8s.io": "DeviceClass ResourceSlice",
    "scheduling.k8s.io": "PriorityClass",
    "storage.k8s.io": "CSIDriver CSINode StorageClass VolumeAttachment VolumeAttributesClass",
    "trainer.kubeflow.org": "ClusterTrainingRuntime",
}

_VERSIONS: Final[Mapping[str, str]] = {
    "argoproj.io": "v1alpha1",
    "jobset.x-k8s.io": "v1alpha2",
    "trainer.kubeflow.org": "v1alpha1",
}
"""API group → the version in which its kinds are read, where that is not `v1`."""

UNCOUNTED: Final = frozenset({("", "Event"), ("events.k8s.io", "Event")})
"""Events have a namespace and are never counted: `pkg/quota/v1/install/registry.go`."""

_LEGACY: Final[Mapping[str, str]] = {
    "configmaps": "configmaps",
    "replicationcontrollers": "replicationcontrollers",
    "resourcequotas": "resourcequotas",
    "secrets": "secrets",
}
"""Resource → the older name of its count: `legacyObjectCountAliases`."""


def _plural(kind: str) -> str:
    word = kind.lower()
    if word.endswith(("s", "ss")):
        return word if word == "endpoints" else f"{word}es"
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"


KNOWN: Final[Plurals] = {
    **{(g, k): _plural(k) for g, kinds in _NAMESPACED.items() for k in kinds.split()},
    **{(g, k): "" for g, kinds in _CLUSTER_WIDE.items() for k in kinds.split()},
    **dict.fromkeys(UNCOUNTED, ""),
}
"""Every kind above."""


def version(group: str) -> str:
    """Return the version in which kinds of an API group are read."""
    return _VERSIONS.get(group, "v1")


def of(obj: Mapping[str, Any]) -> Kind:
    """Return group and kind of an object; both empty when it says neither."""
    group, slash, _ = fields.text(obj, "apiVersion").rpartition("/")
    return (group if slash else "", fields.text(obj, "kind"))


def resource(kind: Kind, plurals: Plurals = KNOWN) -> str | None:
    """Return `<plural>[.<group>]`, empty for what no quota counts, None for an unknown kind."""
    plural = plurals.get(kind)
    if plural is None:
        return None
    return f"{plural}.{kind[0]}" if plural and kind[0] else plural


def counts(resource: str) -> tuple[str, ...]:
    """Return the names under which each object of a resource counts as one."""
    legacy = _LEGACY.get(resource)
    return (f"count/{resource}", legacy) if legacy else (f"count/{resource}",)


def from_discovery(documents: Iterable[Mapping[str, Any]]) -> Plurals:
    """Return the kinds that the documents of discovery (`APIResourceList`) name, and ours.

    What the cluster says of a kind counts more than the table.
    """
    found: dict[Kind, str] = dict(KNOWN)
    for document in documents:
        group = fields.text(document, "groupVersion").rpartition("/")[0]
        for item in fields.items(document, "resources"):
            plural = fields.text(item, "name")
            if "/" not in plural and (group, fields.text(item, "kind")) not in UNCOUNTED:
                namespaced = item.get("namespaced") is True
                found[group, fields.text(item, "kind")] = plural if namespaced else ""
    return found
