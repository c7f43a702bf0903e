"""Pulumi components for quotatree: trees of namespaces with quotas, pipelines, the installation.

They may use the pure half of quotatree (`units`, `model`, `codec`, `engine`, `manifests` and the
errors), and nothing that talks to a cluster: that is Pulumi's part. Here, and only here, is
everything that users import.
"""

from pulumi_quotatree.errors import TreeError
from pulumi_quotatree.installation import QuotaTreeInstallation, QuotaTreeInstallationArgs
from pulumi_quotatree.pipeline import PipelineNamespace, PipelineNamespaceArgs
from pulumi_quotatree.tree import (
    ListedNodeArgs,
    NodeArgs,
    QuotaArgs,
    QuotaTree,
    QuotaTreeArgs,
    ScopeSelectorArgs,
    ScopeTermArgs,
)

__all__ = [
    "ListedNodeArgs",
    "NodeArgs",
    "PipelineNamespace",
    "PipelineNamespaceArgs",
    "QuotaArgs",
    "QuotaTree",
    "QuotaTreeArgs",
    "QuotaTreeInstallation",
    "QuotaTreeInstallationArgs",
    "ScopeSelectorArgs",
    "ScopeTermArgs",
    "TreeError",
]
