"""A deep tree whose inner namespaces have no TreeQuota: nothing stands between them at deletion."""

import pulumi

import pulumi_quotatree as quotatree

config = pulumi.Config()
prefix = config.require("prefix")
chain: quotatree.NodeArgs = {}
for depth in range(config.require_int("depth"), 0, -1):
    chain = {"children": {f"{prefix}-{depth}": chain, f"{prefix}-{depth}-leaf": {}}}
quotatree.QuotaTree("tree", {"tree": {f"{prefix}-0": {"hard": {"pods": "9"}, **chain}}})
