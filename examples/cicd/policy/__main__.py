"""All rules of quotatree's pack; how strict each is stands in `config.json` beside this file."""

from pulumi_quotatree_policy import run

run()
