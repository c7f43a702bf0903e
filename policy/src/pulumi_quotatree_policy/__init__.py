"""Pulumi policy pack for quotatree: what the tree would refuse is told at preview.

It may use the pure half of quotatree (`units`, `model`, `codec`, `engine`, `manifests` and the
errors). Rules are pure: they get what is planned as plain values and return findings. Only `pack`
and `raw` know Pulumi, only `states` reads a file or runs a command.
"""

from pulumi_quotatree_policy.catalog import RULES
from pulumi_quotatree_policy.pack import policies, run

__all__ = ["RULES", "policies", "run"]
