"""A program as users write it: only type-checked."""

from collections.abc import Mapping

import pulumi

from pulumi_quotatree import (
    NodeArgs,
    PipelineNamespace,
    QuotaTree,
    QuotaTreeArgs,
    QuotaTreeInstallation,
)


def program(amount: pulumi.Output[str]) -> pulumi.Output[Mapping[str, str]]:
    """Use every component, with texts, Outputs and typed arguments."""
    installation = QuotaTreeInstallation("quotatree", {"image": amount, "replicas": 2})
    vision: NodeArgs = {"hard": {"cpu": amount, "memory": "1Ti"}, "labels": {"stage": "prod"}}
    args: QuotaTreeArgs = {
        "tree": {"org": {"hard": {"cpu": "200"}, "children": {"vision": vision}}},
        "installation": installation.ready,
        "adopt": ["org"],
    }
    tree = QuotaTree("org", args, pulumi.ResourceOptions(depends_on=[installation]))
    listed = QuotaTree("listed", {"nodes": [{"namespace": "a"}, {"namespace": "b", "parent": "a"}]})
    etl = PipelineNamespace("etl", {"parent": tree.namespace("vision"), "hard": {"pods": "9"}})
    names: list[pulumi.Output[str]] = [etl.namespace, etl.service_account, listed.namespace("a")]
    pulumi.export("names", names)
    return tree.namespaces


def misspelt() -> None:
    """A type checker finds these before Pulumi does."""
    QuotaTree("x", {"tre": {}})  # type: ignore[typeddict-unknown-key]
    QuotaTree("x", {"tree": {"org": {"hard": {"cpu": 20}}}})  # type: ignore[dict-item]
    PipelineNamespace("x", {"deny_network": "yes"})  # type: ignore[typeddict-item]
