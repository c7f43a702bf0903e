"""Where the other tools' objects live in the API: which kinds tell of limits and trees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from quotatree.importers import capsule, hnc, kueue, openshift, rancher


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """One kind of another tool. Which versions there are, the cluster says."""

    group: str
    kind: str
    plural: str
    namespaced: bool = False


FOREIGN: Final[Mapping[str, tuple[Foreign, ...]]] = {
    "hnc": (
        Foreign(
            group=hnc.GROUP,
            kind="HierarchyConfiguration",
            plural="hierarchyconfigurations",
            namespaced=True,
        ),
        Foreign(
            group=hnc.GROUP,
            kind="SubnamespaceAnchor",
            plural="subnamespaceanchors",
            namespaced=True,
        ),
        Foreign(
            group=hnc.GROUP,
            kind="HierarchicalResourceQuota",
            plural="hierarchicalresourcequotas",
            namespaced=True,
        ),
        Foreign(group=hnc.GROUP, kind="HNCConfiguration", plural="hncconfigurations"),
    ),
    "capsule": (
        Foreign(group=capsule.GROUP, kind="Tenant", plural="tenants"),
        Foreign(group=capsule.GROUP, kind="GlobalResourceQuota", plural="globalresourcequotas"),
        Foreign(group=capsule.GROUP, kind="ResourcePool", plural="resourcepools"),
    ),
    "rancher": (Foreign(group=rancher.GROUP, kind="Project", plural="projects", namespaced=True),),
    "kueue": (
        Foreign(group=kueue.GROUP, kind="ClusterQueue", plural="clusterqueues"),
        Foreign(group=kueue.GROUP, kind="Cohort", plural="cohorts"),
        Foreign(group=kueue.GROUP, kind="LocalQueue", plural="localqueues", namespaced=True),
    ),
    "openshift": (
        Foreign(group=openshift.GROUP, kind="ClusterResourceQuota", plural="clusterresourcequotas"),
    ),
}
"""Tool → its kinds. Plain ResourceQuotas and Namespaces belong to every cluster."""
