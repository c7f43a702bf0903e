"""What all objects of an installation share: their shape as plain data, names and labels."""

from __future__ import annotations

from typing import Any, Final

from quotatree.manifests.settings import InstallSettings

Manifest = dict[str, Any]
"""One Kubernetes object as plain data, ready for YAML or a request body."""

NAME: Final = "quotatree"
WEBHOOK_SERVICE: Final = "quotatree-webhook"
WEBHOOK_SECRET: Final = "quotatree-webhook-tls"  # noqa: S105 - the name of a Secret, not one
WEBHOOK_PORT: Final = 9443
METRICS_SERVICE: Final = "quotatree-metrics"
METRICS_PATH: Final = "/metrics"
LEASE: Final = "quotatree"
HEARTBEAT: Final = "quotatree-heartbeat"
"""A Lease that nobody holds: these are made to be written often."""


def labels(settings: InstallSettings, component: str) -> dict[str, str]:
    """Return the recommended labels for an object of `component`."""
    return {
        "app.kubernetes.io/name": NAME,
        "app.kubernetes.io/instance": NAME,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": NAME,
        "app.kubernetes.io/version": settings.version,
    }


def selector() -> dict[str, str]:
    """Return the labels that select the controller's pods: those that no upgrade changes."""
    return {"app.kubernetes.io/name": NAME, "app.kubernetes.io/component": "controller"}


def metadata(settings: InstallSettings, name: str, *, component: str) -> Manifest:
    """Return the metadata of a cluster-wide object."""
    return {"name": name, "labels": labels(settings, component)}


def local_metadata(settings: InstallSettings, name: str, *, component: str) -> Manifest:
    """Return the metadata of an object in the installation's own namespace."""
    return {
        "name": name,
        "namespace": settings.namespace,
        "labels": labels(settings, component),
    }
