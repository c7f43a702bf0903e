"""The same namespace with limits on storage, counts of objects and GPUs too."""

import pulumi
from pulumi_kubernetes.core.v1 import Namespace, ResourceQuota

ai_namespace = Namespace("ai-namespace", metadata={"name": "ai-pipeline-full"})

ai_resource_quota = ResourceQuota(
    "ai-resource-quota",
    metadata={"name": "ai-quota", "namespace": ai_namespace.metadata["name"]},
    spec={
        "hard": {
            "cpu": "20",
            "memory": "100Gi",
            "requests.storage": "500Gi",
            "requests.ephemeral-storage": "200Gi",
            "count/pods": "50",
            "count/persistentvolumeclaims": "10",
            "requests.nvidia.com/gpu": "4",
        }
    },
)

pulumi.export("ai_namespace", ai_namespace.metadata["name"])
pulumi.export("ai_resource_quota", ai_resource_quota.metadata["name"])
