"""Which state of a managed ResourceQuota quota admission goes by, asked of the API server itself.

Quota admission reads its own cache, which may lag behind what is committed, most of all on a busy
machine; with an old object it wastes its few tries. The policy `quotatree-lookout` has that same
cache for its parameter: it answers a dry run that bears the annotation `quotatree.dev/lookout`
with a refusal that tells the resourceVersion it sees. Nothing is ever written.
"""

from __future__ import annotations

import re
from typing import Final

from quotatree.cluster import paths
from quotatree.cluster.client import MERGE_PATCH, Client
from quotatree.cluster.refusal import RefusedError
from quotatree.errors import ClusterError
from quotatree.manifests.lookout import SEES
from quotatree.model import names
from quotatree.model.names import Namespace

TIMEOUT: Final = 0.5
"""Seconds after which the answer is of no use any more."""

_SAID: Final = re.compile(re.escape(SEES) + r"(\d+)")


async def admission_sees(client: Client, namespace: Namespace, quota: str) -> int | None:
    """Return the resourceVersion of a managed ResourceQuota that quota admission goes by.

    None where that cannot be learned: without the policy, or when the API server does not answer.
    Of several API servers it is the one that this client talks to.
    """
    body = {"metadata": {"annotations": {names.ANNOTATION_LOOKOUT: "true"}}}
    path = paths.RESOURCE_QUOTAS.path(namespace, quota)
    try:
        await client.request(
            "PATCH",
            path,
            params={"dryRun": "All"},
            body=body,
            content_type=MERGE_PATCH,
            timeout=TIMEOUT,
            retry=False,
        )
    except RefusedError as refusal:
        said = _SAID.search(refusal.said)
        return int(said[1]) if said else None
    except ClusterError:
        return None
    return None
