"""A PipelineNamespace and a Job of 50 pods in it, which the component's readiness holds back."""

import pulumi
import pulumi_kubernetes as kubernetes

import pulumi_quotatree as quotatree

config = pulumi.Config()
pipeline = quotatree.PipelineNamespace(
    "pipeline",
    {
        "namespace": config.require("namespace"),
        "parent": config.require("parent"),
        "hard": {"pods": config.require("pods")},
        "deny_network": True,
    },
)
kubernetes.batch.v1.Job(
    "job",
    metadata={
        "name": "job",
        "namespace": pipeline.namespace,
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
)
