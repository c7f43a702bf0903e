"""The paths of the admission server, and what is said where no replica can answer."""

from __future__ import annotations

from typing import Final

from quotatree.manifests import objects, webhook

USAGE: Final = webhook.USAGE_PATH
LENIENT_USAGE: Final = webhook.LENIENT_USAGE_PATH
RECOUNT: Final = webhook.RECOUNT_PATH
NAMESPACE: Final = webhook.NAMESPACE_PATH
TREE_QUOTA: Final = webhook.TREE_QUOTA_PATH
REVIEWS: Final = (USAGE, LENIENT_USAGE, RECOUNT, NAMESPACE, TREE_QUOTA)
REFUSABLE: Final = frozenset({USAGE, NAMESPACE, TREE_QUOTA})
"""Reviews that are refused where nobody decides."""

ENTRIES: Final = {
    USAGE: "usage",
    LENIENT_USAGE: "usage",
    RECOUNT: "recount",
    NAMESPACE: "namespace",
    TREE_QUOTA: "treequota",
}
"""What metrics call a path; any other by itself."""

ALIVE: Final = "/livez"
READY: Final = "/readyz"
METRICS: Final = objects.METRICS_PATH

RELAY: Final = "/relay"
"""Before the path of a review that another replica hands on; it is never handed on again."""
