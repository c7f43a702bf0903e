"""Quotatree and a tree; with `existing` it only makes sure that quotatree is there."""

import pulumi

import pulumi_quotatree as quotatree

config = pulumi.Config()
existing = config.get_bool("existing")
installation = quotatree.QuotaTreeInstallation(
    "quotatree",
    {"existing": True} if existing else {"webhook_url": config.require("webhook_url")},
)
tree = quotatree.QuotaTree(
    "tree",
    {
        "tree": {config.require("namespace"): {"hard": {"pods": "2"}}},
        "installation": installation.ready,
    },
)
pulumi.export("ready", installation.ready)
pulumi.export("namespaces", tree.namespaces)
