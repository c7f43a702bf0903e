"""A deep tree whose inner namespaces have no TreeQuota: nothing stands between them at deletion."""

import pulumi

import pulumi_quotatree as quotatree

prefix = pulumi.Config().require("prefix")
chain: quotatree.NodeArgs = {}
for depth in range(4, 0, -1):
    chain = {"children": {f"{prefix}-{depth}": chain, f"{prefix}-{depth}-leaf": {}}}
quotatree.QuotaTree("tree", {"tree": {f"{prefix}-0": {"hard": {"pods": "9"}, **chain}}})
