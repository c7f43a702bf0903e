"""Everything that this repository says about the cluster: the tree from its file, and a workload.

The tree stands in `quotatree.yaml`, so that `quotatree plan` and this program read the same.
"""

import pulumi
import pulumi_kubernetes as kubernetes

import pulumi_quotatree as quotatree

tree = quotatree.QuotaTree("acme", {"file": "quotatree.yaml"})
nightly = quotatree.PipelineNamespace(
    "nightly",
    {
        "namespace": "acme-nightly",
        "parent": tree.namespace("acme-vision"),
        "hard": {"cpu": "20", "memory": "100Gi"},
    },
)
kubernetes.batch.v1.CronJob(
    "training",
    metadata={"name": "training", "namespace": nightly.namespace},
    spec={
        "schedule": "0 2 * * *",
        "job_template": {
            "spec": {
                "parallelism": 4,
                "template": {
                    "spec": {
                        "service_account_name": nightly.service_account,
                        "restart_policy": "Never",
                        "containers": [
                            {
                                "name": "train",
                                "image": "registry.example/train:1",
                                "resources": {"requests": {"cpu": "4", "memory": "16Gi"}},
                            }
                        ],
                    }
                },
            }
        },
    },
)
pulumi.export("namespaces", tree.namespaces)
