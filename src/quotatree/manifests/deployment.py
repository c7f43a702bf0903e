"""The controller in the cluster, and the API server's room kept free for it.

Waiting creations must not starve the webhook that they wait for: the controller's own requests have
a priority level of their own.
"""

from __future__ import annotations

from typing import Any, Final

from quotatree.manifests import objects, rbac
from quotatree.manifests.settings import InstallSettings

DEPLOYMENT: Final = "quotatree"

FLOW: Final = "quotatree"
# Before `service-accounts` (9000) and everything for ordinary users, after the levels of the
# control plane itself (800 and less) [Kubernetes 1.36 bootstrap objects].
_FLOW_PRECEDENCE: Final = 850
# Nobody else's id in an image; any number above 10000 will do.
_USER_ID: Final = 65532
# Read by many a Prometheus without an operator. The certificate is the webhook's own.
_SCRAPE: Final = {
    "prometheus.io/scrape": "true",
    "prometheus.io/scheme": "https",
    "prometheus.io/port": str(objects.WEBHOOK_PORT),
    "prometheus.io/path": objects.METRICS_PATH,
}


def namespace(settings: InstallSettings) -> objects.Manifest:
    """Return the installation's namespace, held to the strictest pod security."""
    metadata = objects.metadata(settings, settings.namespace, component="controller")
    metadata["labels"]["pod-security.kubernetes.io/enforce"] = "restricted"
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def priority(settings: InstallSettings) -> list[objects.Manifest]:
    """Return the controller's share of the API server, and which requests belong to it."""
    api = "flowcontrol.apiserver.k8s.io/v1"
    return [
        {
            "apiVersion": api,
            "kind": "PriorityLevelConfiguration",
            "metadata": objects.metadata(settings, FLOW, component="controller"),
            "spec": {
                "type": "Limited",
                "limited": {
                    "nominalConcurrencyShares": 20,
                    # Its requests are few and urgent; lent seats come back at once.
                    "lendablePercent": 50,
                    "limitResponse": {
                        "type": "Queue",
                        "queuing": {"queues": 16, "handSize": 4, "queueLengthLimit": 100},
                    },
                },
            },
        },
        {
            "apiVersion": api,
            "kind": "FlowSchema",
            "metadata": objects.metadata(settings, FLOW, component="controller"),
            "spec": {
                "priorityLevelConfiguration": {"name": FLOW},
                "matchingPrecedence": _FLOW_PRECEDENCE,
                "distinguisherMethod": {"type": "ByUser"},
                "rules": [
                    {
                        "subjects": _flow_subjects(settings),
                        "resourceRules": [
                            {
                                "apiGroups": ["*"],
                                "resources": ["*"],
                                "verbs": ["*"],
                                "clusterScope": True,
                                "namespaces": ["*"],
                            }
                        ],
                    }
                ],
            },
        },
    ]


def _flow_subjects(settings: InstallSettings) -> list[dict[str, Any]]:
    account = {
        "kind": "ServiceAccount",
        "serviceAccount": {"name": rbac.SERVICE_ACCOUNT, "namespace": settings.namespace},
    }
    users = [{"kind": "User", "user": {"name": user}} for user in settings.controller_users]
    return [account, *users]


def workload(settings: InstallSettings) -> list[objects.Manifest]:
    """Return Services, Deployment and PodDisruptionBudget; none for a controller outside."""
    if settings.webhook_url is not None:
        return []
    return [
        _service(settings),
        _metrics(settings),
        _deployment(settings),
        _disruption_budget(settings),
    ]


def _service(settings: InstallSettings) -> objects.Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": objects.local_metadata(settings, objects.WEBHOOK_SERVICE, component="webhook"),
        "spec": {
            "selector": objects.selector(),
            "ports": [{"name": "webhook", "port": 443, "targetPort": "webhook"}],
        },
    }


def _metrics(settings: InstallSettings) -> objects.Manifest:
    """Return the Service by which a ServiceMonitor finds each replica, one not ready included."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": objects.local_metadata(settings, objects.METRICS_SERVICE, component="metrics"),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": objects.selector(),
            "ports": [
                {"name": "metrics", "port": objects.WEBHOOK_PORT, "targetPort": "webhook"},
            ],
        },
    }


def _disruption_budget(settings: InstallSettings) -> objects.Manifest:
    """Return the budget: one pod at a time, so that a single one never blocks a drain."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": objects.local_metadata(settings, DEPLOYMENT, component="controller"),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": objects.selector()}},
    }


def _deployment(settings: InstallSettings) -> objects.Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": objects.local_metadata(settings, DEPLOYMENT, component="controller"),
        "spec": {
            "replicas": settings.replicas,
            # A new pod stands for election first: the one that leads hands over when it is told to
            # stop, and no grant is lost or doubled by that (decision 0008).
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "selector": {"matchLabels": objects.selector()},
            "template": {
                "metadata": {
                    "labels": objects.labels(settings, "controller"),
                    "annotations": dict(_SCRAPE),
                },
                "spec": _pod(settings),
            },
        },
    }


def _pod(settings: InstallSettings) -> dict[str, Any]:
    return {
        "serviceAccountName": rbac.SERVICE_ACCOUNT,
        "priorityClassName": "system-cluster-critical",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER_ID,
            "runAsGroup": _USER_ID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": objects.selector()},
                # Without it the pods of the revision before would count during an update.
                "matchLabelKeys": ["pod-template-hash"],
            }
        ],
        "containers": [_container(settings)],
        # OpenSSL takes a key from a file only, and nothing else here can be written to. No disk.
        "volumes": [{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}],
    }


def _container(settings: InstallSettings) -> dict[str, Any]:
    return {
        "name": "controller",
        "image": settings.image,
        "args": [
            "controller",
            f"--namespace={settings.namespace}",
            f"--webhook-port={objects.WEBHOOK_PORT}",
            "--log-format=json",
            *(f"--api-server={url}" for url in settings.api_servers),
            *([] if settings.slices else ["--no-slices"]),
        ],
        "env": [_from_pod("POD_NAME", "metadata.name"), _from_pod("POD_IP", "status.podIP")],
        "ports": [{"name": "webhook", "containerPort": objects.WEBHOOK_PORT}],
        # No CPU limit: throttling a decider delays every creation in the cluster.
        "resources": {
            "requests": {"cpu": "100m", "memory": "256Mi"},
            "limits": {"memory": "1Gi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - the pod's own
        # It leads until no Service sends anybody here any more, and only then hands over.
        "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
        "startupProbe": _probe("/livez", period=1, failures=60),
        "livenessProbe": _probe("/livez", period=10, failures=3),
        "readinessProbe": _probe("/readyz", period=2, failures=2),
    }


def _from_pod(name: str, field: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": field}}}


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    """Return a probe: every `period` seconds, `failures` in a row count."""
    return {
        "httpGet": {"path": path, "port": "webhook", "scheme": "HTTPS"},
        "periodSeconds": period,
        "failureThreshold": failures,
        "timeoutSeconds": 2,
    }
