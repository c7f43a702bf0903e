"""The same limit inside a tree: the pipeline gets 20 CPUs of the 200 that its team may use."""

import pulumi

from pulumi_quotatree import PipelineNamespace, QuotaTree

research = QuotaTree(
    "research",
    {
        "tree": {
            "research": {
                "hard": {"cpu": "400", "memory": "2Ti", "requests.nvidia.com/gpu": "64"},
                "children": {
                    "vision": {"hard": {"cpu": "200"}, "guaranteed": {"cpu": "50"}},
                    "language": {"hard": {"cpu": "300"}},
                },
            }
        }
    },
)

ai_pipeline = PipelineNamespace(
    "ai-pipeline",
    {"parent": research.namespace("vision"), "hard": {"cpu": "20", "memory": "100Gi"}},
)

pulumi.export("namespaces", research.namespaces)
pulumi.export("ai_pipeline", ai_pipeline.namespace)
