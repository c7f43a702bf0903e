"""A tree of three namespaces and a pipeline below it, on a prefix and under a parent of choice."""

import pulumi

import pulumi_quotatree as quotatree

config = pulumi.Config()
prefix = config.require("prefix")
parent = config.get("parent")

tree = quotatree.QuotaTree(
    "tree",
    {
        "tree": {
            f"{prefix}-org": {
                "hard": {"cpu": "40", "pods": "30"},
                "children": {
                    f"{prefix}-vision": {"hard": {"cpu": "20"}, "guaranteed": {"cpu": "10"}},
                    f"{prefix}-language": {},
                },
            }
        },
        **({"parent": parent} if parent else {}),
    },
)
pipeline = quotatree.PipelineNamespace(
    "pipeline",
    {
        "namespace": f"{prefix}-pipeline",
        "parent": tree.namespace(f"{prefix}-vision"),
        "hard": {"pods": "10"},
    },
)
pulumi.export("namespaces", tree.namespaces)
pulumi.export("pipeline", pipeline.namespace)
