"""What is known about one sandbox, as a value, and the file that remembers it.

A process is remembered by its pid and the moment when it started, so that a process of somebody
else that got the same pid later is never taken for ours.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from quotatree.errors import SandboxError
from quotatree.sandbox.versions import Versions

STATE_FILE: Final = "state.json"
_FORMAT: Final = 1

ETCD: Final = "etcd"
API_SERVER: Final = "kube-apiserver"
API_SERVERS: Final = (API_SERVER, *(f"{API_SERVER}-{number}" for number in range(2, 4)))
"""API servers on the one etcd; a sandbox runs the first of them, or several."""
CONTROLLER_MANAGER: Final = "kube-controller-manager"
SCHEDULER: Final = "kube-scheduler"
QUOTATREE: Final = "quotatree"
REPLICAS: Final = (QUOTATREE, *(f"{QUOTATREE}-{number}" for number in range(2, 6)))
"""Replicas of quotatree's controller; a sandbox runs the first of them, or several."""
FRONT: Final = f"{QUOTATREE}-front"
"""What stands in front of several replicas."""
COMPONENTS: Final = (ETCD, *API_SERVERS, CONTROLLER_MANAGER, SCHEDULER, *REPLICAS, FRONT)
"""In the order of starting; stopping goes the other way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Loopback ports; `webhook` is kept free for quotatree's own server.

    Where there are several replicas, each has one of `replicas`, and `webhook` is in front of them.
    `api_servers` are those of the further API servers, from the second on.
    """

    api_server: int
    etcd: int
    etcd_peer: int
    webhook: int
    replicas: tuple[int, ...] = ()
    api_servers: tuple[int, ...] = ()

    @property
    def all_api_servers(self) -> tuple[int, ...]:
        """The ports of all API servers, in the order of `API_SERVERS`."""
        return (self.api_server, *self.api_servers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that a sandbox started.

    `started` is what the operating system says about its start, compared as text; `log_offset` is
    where in the log file its own lines begin; `env` is what was added to the environment.
    """

    component: str
    pid: int
    started: str
    argv: tuple[str, ...]
    log: Path
    log_offset: int = 0
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxState:
    """One sandbox: where it lives, what it runs, and the processes that were started for it.

    That a process is listed does not mean that it still runs; `status` says that.
    """

    name: str
    directory: Path
    versions: Versions
    ports: Ports
    durable: bool = False
    kubectl: Path | None = None
    processes: Mapping[str, Process] = field(default_factory=dict)

    @property
    def server(self) -> str:
        """The URL of the API server, of the first where there are several."""
        return self.servers[0]

    @property
    def servers(self) -> tuple[str, ...]:
        """The URLs of all API servers."""
        return tuple(f"https://127.0.0.1:{port}" for port in self.ports.all_api_servers)

    @property
    def webhook_url(self) -> str:
        """The URL under which the API server reaches quotatree."""
        return f"https://127.0.0.1:{self.ports.webhook}"

    @property
    def kubeconfig(self) -> Path:
        """Credentials of an administrator (group system:masters), readable by the owner only."""
        return self.kubeconfigs[0]

    @property
    def kubeconfigs(self) -> tuple[Path, ...]:
        """The administrator's credentials for each of `servers`."""
        more = (f"kubeconfig-{number}" for number in range(2, len(self.servers) + 1))
        return tuple(self.directory / name for name in ("kubeconfig", *more))

    @property
    def certificates(self) -> Path:
        """Keys and certificates."""
        return self.directory / "certs"

    @property
    def data(self) -> Path:
        """Where etcd keeps its data."""
        return self.directory / "etcd"

    @property
    def pids(self) -> dict[str, int]:
        """The pid of each component that was started, in the order of starting."""
        return {c: self.processes[c].pid for c in COMPONENTS if c in self.processes}

    def log(self, component: str) -> Path:
        """The file that a component's output goes to."""
        return self.directory / "logs" / f"{component}.log"

    def component_kubeconfig(self, component: str) -> Path:
        """The credentials of one component."""
        return self.certificates / f"{component}.kubeconfig"

    def with_process(self, process: Process) -> SandboxState:
        """The same with one process more, or another one in its place."""
        return replace(self, processes={**self.processes, process.component: process})

    def without(self, component: str) -> SandboxState:
        """The same with a component forgotten."""
        rest = {name: p for name, p in self.processes.items() if name != component}
        return replace(self, processes=rest)


def encode(state: SandboxState) -> str:
    """The text of the state file; the directory is where the file lies, so it is left out."""
    document = asdict(state) | {"format": _FORMAT}
    del document["directory"]
    document["processes"] = [asdict(process) for process in state.processes.values()]
    return json.dumps(document, indent=2, default=str) + "\n"


def decode(text: str, directory: Path) -> SandboxState:
    """The inverse of `encode`.

    Raises:
        SandboxError: the text is not what this version of quotatree writes.
    """
    try:
        document = json.loads(text)
        if document["format"] != _FORMAT:
            raise ValueError(f"format {document['format']}")
        processes = [_process(raw) for raw in document["processes"]]
        return SandboxState(
            name=document["name"],
            directory=directory,
            versions=Versions(**document["versions"]),
            ports=_ports(document["ports"]),
            durable=document["durable"],
            kubectl=Path(document["kubectl"]) if document["kubectl"] else None,
            processes={process.component: process for process in processes},
        )
    except (ValueError, KeyError, TypeError) as error:
        raise SandboxError(
            f"{directory / STATE_FILE} cannot be read ({error}); stop what is left of the sandbox "
            f"by hand and delete {directory}"
        ) from error


def load(directory: Path) -> SandboxState | None:
    """What is remembered about the sandbox in `directory`; None when there is none."""
    try:
        text = (directory / STATE_FILE).read_text()
    except FileNotFoundError:
        return None
    return decode(text, directory)


def save(state: SandboxState) -> SandboxState:
    """Remember it: all or nothing, readable by the owner only. Returns what was given."""
    write_private(state.directory / STATE_FILE, encode(state).encode())
    return state


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, so that no reader ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)


def _ports(raw: dict[str, Any]) -> Ports:
    several = {key: tuple(raw.get(key, ())) for key in ("replicas", "api_servers")}
    return Ports(**raw | several)


def _process(raw: dict[str, Any]) -> Process:
    values = raw | {"argv": tuple(raw["argv"]), "log": Path(raw["log"])}
    return Process(**values)
