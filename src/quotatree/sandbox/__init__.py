"""A real control plane on loopback: binaries, certificates, processes, readiness.

Here belongs what starts, watches and stops processes on this machine. It knows nothing of trees
and quotas: what makes a sandbox one of quotatree comes in from above, as the `install` of `up`.
Only the composition root, the commands and the tests import it, and need no more than the names
below.
"""

from quotatree.sandbox.lifecycle import (
    ComponentStatus,
    Install,
    Settings,
    Status,
    down,
    find,
    kill,
    names,
    restart,
    start_quotatree,
    status,
    up,
    with_replicas,
)
from quotatree.sandbox.progress import Live, Plain, Progress, Silent, Step, shown_on
from quotatree.sandbox.state import Process, SandboxState

__all__ = [
    "ComponentStatus",
    "Install",
    "Live",
    "Plain",
    "Process",
    "Progress",
    "SandboxState",
    "Settings",
    "Silent",
    "Status",
    "Step",
    "down",
    "find",
    "kill",
    "names",
    "restart",
    "shown_on",
    "start_quotatree",
    "status",
    "up",
    "with_replicas",
]
