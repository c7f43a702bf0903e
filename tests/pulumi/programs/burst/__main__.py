"""A namespace, its quota, and a Job with more pods than the quota allows, in one program."""

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
quota = kubernetes.core.v1.ResourceQuota(
    "quota",
    metadata={"name": "quota", "namespace": namespace.metadata["name"]},
    spec={"hard": {"pods": config.require("pods")}},
)
kubernetes.batch.v1.Job(
    "job",
    metadata={
        "name": "job",
        "namespace": namespace.metadata["name"],
        # There are no nodes, so the Job never ends: what counts is which pods are admitted.
        "annotations": {"pulumi.com/skipAwait": "true"},
    },
    spec={
        "parallelism": 50,
        "completions": 50,
        "template": {
            "spec": {"restart_policy": "Never", "containers": [{"name": "c", "image": "none"}]}
        },
    },
    opts=pulumi.ResourceOptions(depends_on=[quota]),
)
