"""The pack as Pulumi starts it: `pulumi preview --policy-pack <this directory>`."""

from pulumi_quotatree_policy import run

run()
