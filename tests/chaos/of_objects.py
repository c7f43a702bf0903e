"""Faults of objects: certificates and tokens that end, and administrators who know better."""

import asyncio
import base64
import json
import random
from collections.abc import Awaitable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.chaos.faults import fault
from tests.chaos.stage import REPLICAS, Stage
from tests.cluster.harness.trees import eventually

from quotatree.cluster import client as clients
from quotatree.cluster import paths
from quotatree.manifests import rbac
from quotatree.manifests.settings import DEFAULT_NAMESPACE
from quotatree.model import names
from quotatree.sandbox.state import write_private
from quotatree.webhook import certificates, tls

HERE = ("127.0.0.1",)
TOKENS_ARE_BELIEVED = 11.0
"""Seconds: an API server remembers for ten that a token was good."""
REFUSED = frozenset({403, 422})
"""Answers of a policy."""
FEWER, LOWER = {"spec": {"hard": {"cpu": None}}}, {"spec": {"hard": {"pods": "0"}}}


# -- certificates -----------------------------------------------------------------------------


async def secret(stage: Stage) -> dict[str, Any]:
    return await stage.ask("GET", paths.SECRETS.path(DEFAULT_NAMESPACE, tls.SECRET))


async def bundles(stage: Stage) -> set[str]:
    path = paths.VALIDATING_WEBHOOKS.path(None, "quotatree")
    found = await stage.ask("GET", path)
    return {entry["clientConfig"].get("caBundle", "") for entry in found["webhooks"]}


@fault("expired-serving-certificate")
async def expired_serving_certificate(stage: Stage, chance: random.Random) -> str:
    """The webhook's certificate in the Secret has expired a month ago."""
    now = datetime.now(UTC)  # noqa: TID251
    have = tls.read(await secret(stage))
    assert have is not None
    past = now - certificates.SERVING_LIFE - timedelta(days=30)
    made = certificates.carry_out(certificates.Step.SIGN, have, hosts=HERE, now=past)
    assert made.serving.not_valid_after_utc < now
    await fill(stage, certificates.to_data(made))

    async def renewed() -> bool:
        found = tls.read(await secret(stage))
        return found is not None and found.serving.not_valid_after_utc > now

    await eventually(renewed, what="another certificate")
    return f"it had ended on {made.serving.not_valid_after_utc:%Y-%m-%d}"


async def fill(stage: Stage, data: dict[str, bytes]) -> None:
    body = {"data": {key: base64.b64encode(value).decode() for key, value in data.items()}}
    await patch(stage, paths.SECRETS.path(DEFAULT_NAMESPACE, tls.SECRET), body)


async def patch(stage: Stage, path: str, body: object, *, kind: str = clients.MERGE_PATCH) -> None:
    await stage.ask("PATCH", path, body=body, content_type=kind)


@fault("lost-certificates")
async def lost_certificates(stage: Stage, chance: random.Random) -> str:
    """The Secret with the webhook's certificates and its authority is deleted."""
    before = await bundles(stage)
    await stage.ask("DELETE", paths.SECRETS.path(DEFAULT_NAMESPACE, tls.SECRET))

    async def published() -> bool:
        return await bundles(stage) != before

    await eventually(published, what="another authority is published")
    return "another authority"


@fault("lost-bundle")
async def lost_bundle(stage: Stage, chance: random.Random) -> str:
    """The webhook configuration trusts an authority that nobody has."""
    _, stranger = certificates._authority(datetime.now(UTC))  # noqa: TID251
    text = base64.b64encode(certificates.pem([stranger])).decode()
    path = paths.VALIDATING_WEBHOOKS.path(None, "quotatree")
    count = len((await stage.ask("GET", path))["webhooks"])
    swap = [
        {"op": "replace", "path": f"/webhooks/{i}/clientConfig/caBundle", "value": text}
        for i in range(count)
    ]
    await patch(stage, path, swap, kind=clients.JSON_PATCH)

    async def mended() -> bool:
        return text not in await bundles(stage)

    await eventually(mended, what="the bundle is right again")
    return f"in {count} entries"


# -- credentials ------------------------------------------------------------------------------


@fault("expired-token")
async def expired_token(stage: Stage, chance: random.Random) -> str:
    """The leader's token ends; five seconds later there is another one in its file."""
    leads = await with_token_file(stage)
    since = stage.log(leads)
    await stage.ask("DELETE", paths.SECRETS.path(DEFAULT_NAMESPACE, f"chaos-{leads}"))
    await asyncio.sleep(TOKENS_ARE_BELIEVED + 5.0)
    told = stage.said(leads, since, "nauthorized")
    await new_token(stage, leads)
    return f"{leads}, refused {told} times, then {await stage.leader()} leads"


async def with_token_file(stage: Stage) -> str:
    """Return a leader that reads its token from a file, as a pod does."""
    for _ in REPLICAS:
        leads = await stage.leader()
        path = stage.sandbox.component_kubeconfig(leads)
        document = json.loads(path.read_text())
        user = document["users"][0]["user"]
        await new_token(stage, leads)
        if "tokenFile" in user:
            return leads
        document["users"][0]["user"] = {"tokenFile": str(path.with_suffix(".token"))}
        write_private(path, json.dumps(document).encode())
        await stage.start(leads)
        await eventually(lambda one=leads: stage.ready(one), what=f"{leads} is ready")
    leads = await stage.leader()
    await new_token(stage, leads)
    return leads


async def new_token(stage: Stage, component: str) -> None:
    """Give a replica a token that ends when a Secret of its own is deleted."""
    name = f"chaos-{component}"
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}
    try:
        bound = await stage.ask("POST", paths.SECRETS.path(DEFAULT_NAMESPACE), body=body)
    except clients.ClusterError as error:
        if error.status != 409:
            raise
        bound = await stage.ask("GET", paths.SECRETS.path(DEFAULT_NAMESPACE, name))
    reference = {
        "apiVersion": "v1",
        "kind": "Secret",
        "name": name,
        "uid": bound["metadata"]["uid"],
    }
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": 24 * 3600, "boundObjectRef": reference},
    }
    path = paths.SERVICE_ACCOUNTS.path(DEFAULT_NAMESPACE, rbac.SERVICE_ACCOUNT, "token")
    answer = await stage.ask("POST", path, body=request)
    file = stage.sandbox.component_kubeconfig(component).with_suffix(".token")
    write_private(file, answer["status"]["token"].encode())


# -- objects changed by hand ------------------------------------------------------------------


def some(stage: Stage, chance: random.Random) -> list[str]:
    """Return a third of the crowded namespaces."""
    return chance.sample(stage.traffic.crowded, len(stage.traffic.crowded) // 3)


def quota(namespace: str, subresource: str | None = None) -> str:
    return paths.RESOURCE_QUOTAS.path(namespace, "quotatree", subresource)


async def edit(stage: Stage, targets: Iterable[str], bodies: Iterable[object]) -> None:
    """Patch all of them at once."""
    await asyncio.gather(*(patch(stage, *pair) for pair in zip(targets, bodies, strict=True)))


async def refused(requests: Iterable[Awaitable[object]]) -> int:
    """Return how many of the requests were refused for good, when all of them are answered."""
    answers = await asyncio.gather(*requests, return_exceptions=True)
    errors = [answer for answer in answers if isinstance(answer, BaseException)]
    for error in errors:
        if not (isinstance(error, clients.ClusterError) and error.status in REFUSED):
            raise error
    return len(errors)


@fault("quotas-deleted")
async def quotas_deleted(stage: Stage, chance: random.Random) -> str:
    """An administrator deletes a third of the managed ResourceQuotas: each time that is refused."""
    chosen = some(stage, chance)
    told = await refused(stage.ask("DELETE", quota(name)) for name in chosen)
    assert told == len(chosen), f"{told} of {len(chosen)} were refused"
    return f"{told} refused"


@fault("annotations-edited")
async def annotations_edited(stage: Stage, chance: random.Random) -> str:
    """An administrator takes annotations of managed ResourceQuotas off, or writes other epochs."""
    chosen = some(stage, chance)
    kinds = (
        {names.ANNOTATION_READY: None},
        {names.ANNOTATION_EPOCH: None},
        {names.ANNOTATION_EPOCH: "1"},
        {names.ANNOTATION_TOUCHED: "by hand"},
    )
    bodies = [{"metadata": {"annotations": chance.choice(kinds)}} for _ in chosen]
    await edit(stage, map(quota, chosen), bodies)
    return f"{len(chosen)} of them"


@fault("epoch-of-the-future")
async def epoch_of_the_future(stage: Stage, chance: random.Random) -> str:
    """An administrator writes an epoch greater than any: as out of another cluster's backup."""
    chosen = some(stage, chance)[:3]
    body = {
        "metadata": {"annotations": {names.ANNOTATION_EPOCH: str(10**12 + chance.randrange(99))}}
    }
    await edit(stage, map(quota, chosen), [body] * len(chosen))
    return f"{len(chosen)} of them"


@fault("spec-edited")
async def spec_edited(stage: Stage, chance: random.Random) -> str:
    """An administrator lowers spec.hard of managed ResourceQuotas; to take names out is refused."""
    chosen = some(stage, chance)
    half = len(chosen) // 2
    told = await refused(patch(stage, quota(name), FEWER) for name in chosen[:half])
    assert told == half, f"{told} of {half} were refused"
    await edit(stage, map(quota, chosen[half:]), [LOWER] * (len(chosen) - half))
    await asyncio.sleep(2.0)
    return f"{len(chosen) - half} of them, {told} refused"


@fault("status-edited")
async def status_edited(stage: Stage, chance: random.Random) -> str:
    """An administrator writes a usage of zero, or a far too great one, into their status."""
    chosen = some(stage, chance)
    kinds = ({"pods": "0", "cpu": "0"}, {"pods": "500"}, {"cpu": "99"})
    bodies = [{"status": {"used": chance.choice(kinds)}} for _ in chosen]
    targets = [quota(name, "status") for name in chosen]
    await edit(stage, targets, bodies)
    await asyncio.sleep(2.0)
    return f"{len(chosen)} of them"


@fault("lease-deleted")
async def lease_deleted(stage: Stage, chance: random.Random) -> str:
    """An administrator deletes the Lease."""
    leads = await stage.leader()
    await stage.ask("DELETE", paths.LEASES.path(DEFAULT_NAMESPACE, "quotatree"))
    return f"{leads}, then {await stage.leader()}"
