"""Get the binaries of the sandbox's control plane: `uv run python -m tools.control_plane`.

They are downloaded, or built with Go; with a full cache this takes about a second. Tests would do
the same, but pytest hides what is said while they start.
"""

from __future__ import annotations

import os
import sys

from quotatree.errors import QuotaTreeError
from quotatree.sandbox import binaries, boot, shown_on, state
from quotatree.sandbox.locations import Locations
from quotatree.sandbox.versions import Versions


def main() -> int:
    """Make sure that the cache is complete for the versions that the environment asks for."""
    wanted = [name for name in boot.programs(boot.CONTROL_PLANE) if name != state.SCHEDULER]
    try:
        versions = Versions.choose(os.environ)
        binaries.ensure(
            [*wanted, binaries.KUBECTL],
            versions,
            locations=Locations.of(os.environ),
            environ=os.environ,
            progress=shown_on(sys.stderr),
        )
    except QuotaTreeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"etcd {versions.etcd} and Kubernetes {versions.kubernetes} are in the cache")
    return 0


if __name__ == "__main__":
    sys.exit(main())
