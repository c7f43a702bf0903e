"""A namespace whose pods may ask for 20 CPUs and 100 GiB in all."""

import pulumi
from pulumi_kubernetes.core.v1 import Namespace, ResourceQuota

ai_namespace = Namespace("ai-namespace", metadata={"name": "ai-pipeline"})

ai_resource_quota = ResourceQuota(
    "ai-resource-quota",
    metadata={"name": "ai-quota", "namespace": ai_namespace.metadata["name"]},
    spec={"hard": {"cpu": "20", "memory": "100Gi"}},
)

pulumi.export("ai_namespace", ai_namespace.metadata["name"])
pulumi.export("ai_resource_quota", ai_resource_quota.metadata["name"])
