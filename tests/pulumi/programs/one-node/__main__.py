"""One namespace with one limit; with `adopt` it has to exist already."""

import pulumi

import pulumi_quotatree as quotatree

config = pulumi.Config()
name = config.require("namespace")
parent = config.get("parent")
guaranteed = config.get("guaranteed")
node: quotatree.ListedNodeArgs = {"namespace": name, "hard": {"pods": "5"}}
if guaranteed:
    node["guaranteed"] = {"pods": guaranteed}
quotatree.QuotaTree(
    "tree",
    {
        "nodes": [node],
        "adopt": [name] if config.get_bool("adopt") else [],
        "timeout_seconds": config.get_int("timeout") or 120,
        **({"parent": parent} if parent else {}),
    },
)
