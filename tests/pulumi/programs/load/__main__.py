"""A namespace under a parent of choice, and a Deployment with replicas of choice in it."""

import pulumi
import pulumi_kubernetes as kubernetes

config = pulumi.Config()
parent = config.get("parent")

namespace = kubernetes.core.v1.Namespace(
    "namespace",
    metadata={
        "name": config.require("namespace"),
        "labels": {"quotatree.dev/parent": parent} if parent else {},
    },
)
replicas = config.require_int("replicas")
# An id is known once something has been made, and not at its first preview.
later = namespace.id.apply(lambda _: replicas) if config.get_bool("later") else replicas
kubernetes.apps.v1.Deployment(
    "trainer",
    metadata={
        "name": "trainer",
        "namespace": namespace.metadata["name"],
        # There are no nodes, so no pod ever runs: what counts is which are admitted.
        "annotations": {"pulumi.com/skipAwait": "true"},
    },
    spec={
        "replicas": later,
        "selector": {"match_labels": {"app": "trainer"}},
        "template": {
            "metadata": {"labels": {"app": "trainer"}},
            "spec": {
                "containers": [
                    {
                        "name": "main",
                        "image": "none",
                        "resources": {"requests": {"cpu": "2", "memory": "1Gi"}},
                    }
                ]
            },
        },
    },
)
