"""What the controller keeps true about its own installation: the CA bundle, the gated kinds."""

from __future__ import annotations

import base64
from typing import Any, Final
from urllib.parse import urlsplit

from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.manifests.objects import WEBHOOK_SERVICE
from quotatree.manifests.webhook import WEBHOOK_CONFIGURATION
from quotatree.settings import Settings

JSON_PATCH: Final = "application/json-patch+json"


def hosts(settings: Settings) -> tuple[str, ...]:
    """Return the names and addresses under which the API server reaches the webhook."""
    if settings.webhook.url is not None:
        return (urlsplit(settings.webhook.url).hostname or "localhost",)
    service = f"{WEBHOOK_SERVICE}.{settings.namespace}"
    return (f"{service}.svc", service, f"{service}.svc.cluster.local")


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
