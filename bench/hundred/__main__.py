"""One organisation, nine teams of ten pipelines each, every one with a limit of its own."""

import pulumi

import pulumi_quotatree as quotatree

prefix = pulumi.Config().require("prefix")
TEAMS, PIPELINES = 9, 10  # and the organisation itself: 100 namespaces

teams: dict[str, quotatree.NodeArgs] = {}
for team in range(TEAMS):
    pipelines: dict[str, quotatree.NodeArgs] = {
        f"{prefix}-{team}-{pipeline}": {"hard": {"cpu": "20", "pods": "10"}}
        for pipeline in range(PIPELINES)
    }
    teams[f"{prefix}-{team}"] = {
        "hard": {"cpu": "100"},
        "guaranteed": {"cpu": "10"},
        "children": pipelines,
    }
tree = quotatree.QuotaTree(
    "tree", {"tree": {prefix: {"hard": {"cpu": "400", "pods": "500"}, "children": teams}}}
)
pulumi.export("namespaces", tree.namespaces)
