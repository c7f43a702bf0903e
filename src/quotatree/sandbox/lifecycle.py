"""A sandbox from `up` to `down`, and what tests of faults do to it in between."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from quotatree.errors import SandboxError
from quotatree.sandbox import (
    binaries,
    boot,
    certs,
    kubeconfig,
    locks,
    ports,
    processes,
    readiness,
    state,
)
from quotatree.sandbox.locations import Locations
from quotatree.sandbox.progress import Progress, Silent
from quotatree.sandbox.state import SandboxState
from quotatree.sandbox.versions import Versions

_PORT_ATTEMPTS: Final = 5

Install = Callable[[SandboxState, Progress], SandboxState]
"""Brings quotatree into a running control plane; called by `up`, each time, so it is idempotent.

It starts the controller with `start_quotatree` and returns what that returned.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `up` is asked for.

    A version of None is that of the sandbox if it exists, else the environment's, else the pinned
    one. `durable` makes etcd wait for the disk. `timeout` (seconds) bounds the start without the
    getting of binaries. `api_servers` of None are as many as the sandbox has, or one; none is ever
    taken away.
    """

    name: str = "default"
    kubernetes: str | None = None
    etcd: str | None = None
    scheduler: bool = False
    api_servers: int | None = None
    durable: bool = False
    timeout: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentStatus:
    """One process of a sandbox, and whether it runs."""

    process: state.Process
    running: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A sandbox at this moment; `ready` is what its API servers say of themselves."""

    state: SandboxState
    components: tuple[ComponentStatus, ...]
    ready: bool

    @property
    def running(self) -> bool:
        """Whether all that was started runs, and the API server is ready."""
        return self.ready and all(component.running for component in self.components)


def up(
    settings: Settings,
    *,
    progress: Progress | None = None,
    install: Install | None = None,
    environ: Mapping[str, str] | None = None,
) -> SandboxState:
    """Bring a sandbox up, or what is missing of it; returns when everything in it works.

    When it fails, or is interrupted, nothing that it started is left running; a sandbox that was
    whole before stays as it was.

    Raises:
        InputError: the name or a version is malformed.
        SandboxError: a binary cannot be had, or a component does not start.
    """
    progress = progress or Silent()
    environ = os.environ if environ is None else environ
    where = Locations.of(environ)
    with _locked(where, settings.name, progress):
        known = state.load(where.sandbox(settings.name))
        versions = _versions(settings, known, environ)
        current = known or _fresh(settings.name, where, versions)
        current = _with_api_servers(current, settings.api_servers or 1)
        components = _components(settings, current)
        paths = binaries.ensure(
            [*boot.programs(components), binaries.KUBECTL],
            versions,
            locations=where,
            environ=environ,
            progress=progress,
        )
        current = replace(
            current,
            durable=settings.durable or (known is not None and known.durable),
            kubectl=paths.get(binaries.KUBECTL),
        )
        return _bring_up(current, _Plan(components, paths, settings.timeout, install), progress)


def down(
    name: str,
    *,
    purge: bool = False,
    progress: Progress | None = None,
    environ: Mapping[str, str] | None = None,
) -> bool:
    """Stop a sandbox; `purge` deletes its data as well. Returns False when there is none.

    Raises:
        SandboxError: a process cannot be stopped, or the state file is damaged.
    """
    progress = progress or Silent()
    where = Locations.of(os.environ if environ is None else environ)
    directory = where.sandbox(name)
    with _locked(where, name, progress):
        known = state.load(directory)
        if known is not None:
            with progress.step(f"stopping sandbox {name}"):
                boot.stop(known)
        if purge:
            if directory.exists():
                shutil.rmtree(directory)
            _lock_file(where, name).unlink()
    return known is not None


def names(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The sandboxes that exist, running or not, sorted."""
    root = Locations.of(os.environ if environ is None else environ).sandboxes
    found = root.glob(f"*/{state.STATE_FILE}") if root.is_dir() else ()
    return tuple(sorted(path.parent.name for path in found))


def find(name: str, *, environ: Mapping[str, str] | None = None) -> SandboxState:
    """What is known about a sandbox.

    Raises:
        SandboxError: there is none of that name.
    """
    known = state.load(Locations.of(os.environ if environ is None else environ).sandbox(name))
    if known is None:
        others = ", ".join(names(environ)) or "none"
        raise SandboxError(
            f'there is no sandbox "{name}" (there are: {others}); '
            f"start it with `quotatree sandbox up --name {name}`"
        )
    return known


def status(name: str, *, environ: Mapping[str, str] | None = None) -> Status:
    """Which processes of a sandbox run, and whether its API server is ready.

    Raises:
        SandboxError: there is none of that name.
    """
    known = find(name, environ=environ)
    components = tuple(
        ComponentStatus(process=known.processes[c], running=processes.alive(known.processes[c]))
        for c in known.pids
    )
    running = {c.process.component for c in components if c.running}
    servers = state.API_SERVERS[: len(known.servers)]
    ready = all(
        component in running and readiness.api_ready(readiness.Api(known, number))
        for number, component in enumerate(servers)
    )
    return Status(state=known, components=components, ready=ready)


def kill(
    name: str,
    component: str,
    number: signal.Signals = signal.SIGKILL,
    *,
    whole: bool = False,
    environ: Mapping[str, str] | None = None,
) -> None:
    """Send a signal to one component; with SIGKILL, return when it is gone.

    `whole` sends it to the processes that it has started as well: a replica of quotatree has two.

    Raises:
        SandboxError: the sandbox or the component does not run.
    """
    process = _process(find(name, environ=environ), component)
    if not processes.send(process, number, whole=whole):
        raise SandboxError(f"{component} of sandbox {name} does not run")
    if number is signal.SIGKILL:
        processes.stop([process], grace=0.0)


def restart(
    name: str,
    component: str,
    *,
    timeout: float = 60.0,
    more: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> SandboxState:
    """Stop one component if it runs, start it as before, and wait for its port or readiness.

    `more` are flags beside those that it had; it keeps them until it is brought `up` anew. Of the
    controller manager, the scheduler and quotatree only the start is awaited.

    Raises:
        SandboxError: it was never started, or does not start.
    """
    known = find(name, environ=environ)
    process = _process(known, component)
    command = (*process.argv, *more)
    current = boot.launch(boot.stop(known, [component]), component, command, env=process.env)
    conditions: dict[str, Callable[[], bool]] = {
        state.ETCD: lambda: readiness.listening(current.ports.etcd),
    }
    if component in state.API_SERVERS:
        api = readiness.Api(current, state.API_SERVERS.index(component))
        conditions[component] = lambda: readiness.api_ready(api)
    condition = conditions.get(component, lambda: True)
    started = current.processes[component]
    if not boot.wait_for(condition, [started], deadline=time.monotonic() + timeout):
        raise SandboxError(
            f"{component} is not ready after {timeout:g} s; the end of {started.log}:\n"
            f"{processes.tail(started)}"
        )
    return current


def start_quotatree(
    current: SandboxState, commands: Mapping[str, Sequence[str]], env: Mapping[str, str]
) -> SandboxState:
    """Start quotatree's processes, for use inside an `Install`; `env` is added to our own.

    `commands` has those of `state.REPLICAS` and `state.FRONT` that are to run. One that runs with
    the same command and environment is left alone, another one is replaced, others are stopped.
    """
    for component in (*state.REPLICAS, state.FRONT):
        command = tuple(commands.get(component, ()))
        known = current.processes.get(component)
        if known is not None and processes.alive(known):
            if known.argv == command and known.env == dict(env):
                continue
            current = boot.stop(current, [component])
        if command:
            current = boot.launch(current, component, command, env=env)
    return current


def with_replicas(current: SandboxState, count: int) -> SandboxState:
    """Return the sandbox with ports for so many replicas; one alone needs none of its own.

    Raises:
        SandboxError: there are no free ports.
    """
    known = current.ports.replicas
    if count > 1 and len(known) < count:
        more = ports.several(random.SystemRandom(), count - len(known))
        chosen = replace(current.ports, replicas=(*known, *more))
        return state.save(replace(current, ports=chosen))
    return current


def _with_api_servers(current: SandboxState, count: int) -> SandboxState:
    missing = count - len(current.servers)
    if missing <= 0:
        return current
    more = ports.several(random.SystemRandom(), missing)
    chosen = replace(current.ports, api_servers=(*current.ports.api_servers, *more))
    return replace(current, ports=chosen)


@dataclass(frozen=True, slots=True)
class _Plan:
    components: tuple[str, ...]
    paths: Mapping[str, Path]
    timeout: float
    install: Install | None


def _bring_up(current: SandboxState, plan: _Plan, progress: Progress) -> SandboxState:
    before = {c: p for c, p in current.processes.items() if processes.alive(p)}
    was_whole = all(component in before for component in plan.components)
    try:
        current = _boot(current, plan, progress)
        return current if plan.install is None else plan.install(current, progress)
    except BaseException:
        # The file knows of every process, whatever was interrupted.
        progress.note(f"stopping what was started in sandbox {current.name}")
        with processes.uninterrupted():
            latest = state.load(current.directory) or current
            ours = [c for c, p in latest.processes.items() if before.get(c) != p]
            boot.stop(latest, ours if was_whole else state.COMPONENTS)
        raise


def _boot(current: SandboxState, plan: _Plan, progress: Progress) -> SandboxState:
    for _ in range(_PORT_ATTEMPTS):
        certs.issue(current.certificates, now=datetime.fromtimestamp(time.time(), tz=UTC))
        kubeconfig.write(current)
        state.save(current)
        attempt = boot.Boot(current, plan.paths, progress=progress, timeout=plan.timeout)
        try:
            return attempt.control_plane(plan.components)
        except boot.PortTakenError as reason:
            progress.note(f"choosing other ports: {str(reason).splitlines()[-1]}")
            servers = len(current.servers)
            chosen = ports.choose(random.SystemRandom(), api_servers=servers)
            current = replace(boot.stop(attempt.state), ports=chosen)
    raise SandboxError(f"{_PORT_ATTEMPTS} times somebody else took a port; try again")


def _fresh(name: str, where: Locations, versions: Versions) -> SandboxState:
    return SandboxState(
        name=name,
        directory=where.sandbox(name),
        versions=versions,
        ports=ports.choose(random.SystemRandom()),
    )


def _versions(
    settings: Settings, known: SandboxState | None, environ: Mapping[str, str]
) -> Versions:
    if known is None:
        return Versions.choose(environ, kubernetes=settings.kubernetes, etcd=settings.etcd)
    asked = Versions.choose(
        {},
        kubernetes=settings.kubernetes or known.versions.kubernetes,
        etcd=settings.etcd or known.versions.etcd,
    )
    if asked != known.versions:
        have = known.versions
        raise SandboxError(
            f"sandbox {settings.name} has Kubernetes {have.kubernetes} and etcd {have.etcd}, not "
            f"{asked.kubernetes} and {asked.etcd}; use another --name, or delete it with "
            f"`quotatree sandbox down --name {settings.name} --purge`"
        )
    return asked


def _components(settings: Settings, current: SandboxState) -> tuple[str, ...]:
    left_out = set(state.API_SERVERS[len(current.servers) :])
    if not settings.scheduler and state.SCHEDULER not in current.processes:
        left_out.add(state.SCHEDULER)
    return tuple(c for c in boot.CONTROL_PLANE if c not in left_out)


def _process(known: SandboxState, component: str) -> state.Process:
    if component not in known.processes:
        started = ", ".join(known.pids) or "nothing"
        raise SandboxError(f"sandbox {known.name} has started {started}, but no {component}")
    return known.processes[component]


def _locked(where: Locations, name: str, progress: Progress) -> AbstractContextManager[None]:
    return locks.held(
        _lock_file(where, name),
        waiting=f"waiting for another command that works on sandbox {name}",
        progress=progress,
    )


def _lock_file(where: Locations, name: str) -> Path:
    # Beside the directory and not in it, because a purge deletes that.
    return where.sandbox(name).with_name(f".{name}.lock")
