"""Free loopback ports."""

from __future__ import annotations

import random
import socket
from typing import Final

from quotatree.errors import SandboxError
from quotatree.sandbox.state import Ports

# Below the range from which outgoing connections get their ports (Linux begins at 32768, macOS at
# 49152), so that a component that is restarted finds its port still free.
RANGE: Final = range(20000, 30000)
_ATTEMPTS: Final = 200


def choose(generator: random.Random, *, api_servers: int = 1) -> Ports:
    """Different ports that nobody listens on at this moment, for so many API servers.

    Raises:
        SandboxError: none was found.
    """
    found = several(generator, 3 + api_servers)
    return Ports(
        api_server=found[0],
        etcd=found[1],
        etcd_peer=found[2],
        webhook=found[3],
        api_servers=found[4:],
    )


def several(generator: random.Random, count: int) -> tuple[int, ...]:
    """So many different ports that nobody listens on at this moment.

    Raises:
        SandboxError: none was found.
    """
    found: list[int] = []
    for _ in range(_ATTEMPTS):
        if len(found) == count:
            return tuple(found)
        port = generator.choice(RANGE)
        if port not in found and free(port):
            found.append(port)
    raise SandboxError(
        f"no {count} free ports between {RANGE.start} and {RANGE.stop}; stop what listens there, "
        "or a sandbox (quotatree sandbox status)"
    )


def free(port: int) -> bool:
    """Whether a server could listen on that port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        # As Go's servers do: connections of a predecessor that linger do not count.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
