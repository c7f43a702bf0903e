"""One namespace with one limit; with `adopt` it has to exist already."""

import pulumi

import pulumi_quotatree as quotatree

config = pulumi.Config()
name = config.require("namespace")
quotatree.QuotaTree(
    "tree",
    {
        "tree": {name: {"hard": {"pods": "5"}}},
        "adopt": [name] if config.get_bool("adopt") else [],
    },
)
