"""What the controller keeps true about its own installation: the CA bundle, who leads."""

from __future__ import annotations

import base64
from typing import Any, Final
from urllib.parse import urlsplit

from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.manifests.objects import WEBHOOK_SERVICE
from quotatree.manifests.webhook import WEBHOOK_CONFIGURATION
from quotatree.model import names
from quotatree.settings import Settings

JSON_PATCH: Final = "application/json-patch+json"


def hosts(settings: Settings) -> tuple[str, ...]:
    """Return the names and addresses under which the API server reaches the webhook."""
    if settings.webhook.url is not None:
        return (urlsplit(settings.webhook.url).hostname or "localhost",)
    service = f"{WEBHOOK_SERVICE}.{settings.namespace}"
    return (f"{service}.svc", service, f"{service}.svc.cluster.local")


def address(settings: Settings) -> str:
    """Return the URL by which other replicas reach this one, empty when they cannot."""
    host = settings.webhook.address
    if not host:
        return ""
    return f"https://{f'[{host}]' if ':' in host else host}:{settings.webhook.port}"


async def label_leader(client: Client, *, namespace: str, pod: str, leads: bool) -> None:
    """Label our pod while we lead, and take the label from a pod that died with it."""
    if leads:
        selector = f"{names.LABEL_LEADER}=true"
        found, _ = await client.list_all(paths.PODS, namespace=namespace, label_selector=selector)
        for other in {it["metadata"]["name"] for it in found} - {pod}:
            await _label(client, namespace, other, leads=False)
    await _label(client, namespace, pod, leads=leads)


async def _label(client: Client, namespace: str, pod: str, *, leads: bool) -> None:
    value = "true" if leads else None
    body = {"metadata": {"labels": {names.LABEL_LEADER: value}}}
    await client.patch(paths.PODS, pod, body=body, namespace=namespace)


def bundle_patch(configuration: dict[str, Any], bundle: bytes) -> list[dict[str, Any]]:
    """Return the JSON patch that puts `bundle` (PEM) into every entry; empty when it is there."""
    wanted = base64.b64encode(bundle).decode()
    return [
        {"op": "add", "path": f"/webhooks/{index}/clientConfig/caBundle", "value": wanted}
        for index, entry in enumerate(configuration.get("webhooks", ()))
        if entry["clientConfig"].get("caBundle") != wanted
    ]


async def publish_bundle(client: Client, bundle: bytes) -> None:
    """Make the API server trust the webhook's certificates; a public authority needs no bundle."""
    if not bundle:
        return
    for kind in (paths.VALIDATING_WEBHOOKS, paths.MUTATING_WEBHOOKS):
        await _publish(client, kind, bundle)


async def _publish(client: Client, kind: paths.Kind, bundle: bytes) -> None:
    found = await client.find(kind, WEBHOOK_CONFIGURATION)
    patch = [] if found is None else bundle_patch(found, bundle)
    if found is not None and patch:
        test = {
            "op": "test",
            "path": "/metadata/resourceVersion",
            "value": found["metadata"]["resourceVersion"],
        }
        await client.patch(
            kind, WEBHOOK_CONFIGURATION, body=[test, *patch], content_type=JSON_PATCH
        )
