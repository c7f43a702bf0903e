"""Replicas of a sandbox: which of them leads, and what one of them answers by itself."""

import ssl
from typing import Any

import aiohttp
import orjson
from tests.cluster.harness import trees
from tests.service import webhook_reviews

from quotatree.cli import install
from quotatree.cluster.client import Client
from quotatree.sandbox import SandboxState, state
from quotatree.webhook import frames, routes

PATIENCE = 300.0
"""Seconds that one answer may take: an end for what hangs."""


def holder(sandbox: SandboxState, lease: dict[str, Any]) -> str:
    """Return the replica that holds the Lease; empty when nobody does."""
    identity = lease["spec"].get("holderIdentity") or ""
    return install.component_of(sandbox, identity) if identity else ""


async def call(
    sandbox: SandboxState,
    component: str,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    timeout: float = PATIENCE,
) -> tuple[int, bytes]:
    """Return status and body of what one replica answers; status 0 when it does not."""
    port = sandbox.ports.replicas[state.REPLICAS.index(component)]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    total = aiohttp.ClientTimeout(total=timeout)
    try:
        async with (
            aiohttp.ClientSession(timeout=total) as session,
            session.request(
                method, f"https://127.0.0.1:{port}{path}", data=body, ssl=context
            ) as answer,
        ):
            return answer.status, await answer.read()
    except (aiohttp.ClientError, TimeoutError):
        return 0, b""


async def is_ready(sandbox: SandboxState, component: str, *, timeout: float = PATIENCE) -> bool:
    """Whether a replica says that it is ready."""
    status, _ = await call(sandbox, component, "GET", routes.READY, timeout=timeout)
    return status == 200


async def ask_directly(
    client: Client,
    sandbox: SandboxState,
    component: str,
    name: str,
    *,
    pods: str,
    timeout: float = PATIENCE,
) -> tuple[int, bool]:
    """Ask one replica's own decider about so many pods; return the base, and whether it granted."""
    base = (await trees.managed(client))[name]
    used = base["status"]["used"]
    grown = {**base, "status": {**base["status"], "used": {**used, "pods": pods}}}
    body = webhook_reviews.review(obj=grown, old=base, namespace=name, name="quotatree")
    path = f"{routes.RELAY}{routes.USAGE}"
    status, content = await call(
        sandbox, component, "POST", path, orjson.dumps(body), timeout=timeout
    )
    answer = frames.answer(content) if status == 200 else None
    allowed = answer is not None and answer.status == 200
    version = int(base["metadata"]["resourceVersion"])
    return version, allowed and orjson.loads(answer.body)["response"]["allowed"]
