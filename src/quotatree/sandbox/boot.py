"""Starting the components of one sandbox, in order, each only when the one below it answers."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from quotatree.errors import SandboxError
from quotatree.sandbox import argv, processes, readiness, state
from quotatree.sandbox.progress import Progress
from quotatree.sandbox.state import SandboxState

_ARGUMENTS: Final[Mapping[str, Callable[[SandboxState], tuple[str, ...]]]] = {
    state.ETCD: argv.etcd,
    **{
        component: functools.partial(argv.api_server, number=number)
        for number, component in enumerate(state.API_SERVERS)
    },
    state.CONTROLLER_MANAGER: argv.controller_manager,
    state.SCHEDULER: argv.scheduler,
}
CONTROL_PLANE: Final = tuple(_ARGUMENTS)


def programs(components: Iterable[str]) -> tuple[str, ...]:
    """The binaries that these components run, each once: all API servers run the same."""
    return tuple(dict.fromkeys(map(_program, components)))


def _program(component: str) -> str:
    return state.API_SERVER if component in state.API_SERVERS else component


# What talks to the API server ends before it, and the API server before etcd: without etcd it does
# not end on SIGTERM. The seconds are those between SIGTERM and SIGKILL: Kubernetes' components wait
# for each other's connections and controllers, but whatever they know is in etcd.
_STOP_ORDER: Final = (
    ((state.FRONT, *state.REPLICAS), 10.0),
    ((state.SCHEDULER, state.CONTROLLER_MANAGER), 3.0),
    (state.API_SERVERS, 3.0),
    ((state.ETCD,), 10.0),
)
_PORT_TAKEN: Final = "address already in use"


class PortTakenError(SandboxError):
    """Somebody else began to listen on one of our ports; others have to be chosen."""


class Boot:
    """One attempt to bring a sandbox up; its state file is written at each change."""

    def __init__(
        self,
        current: SandboxState,
        paths: Mapping[str, Path],
        *,
        progress: Progress,
        timeout: float,
    ) -> None:
        """No wait goes on when `timeout` seconds have passed from now."""
        self.state = current
        self._paths = paths
        self._progress = progress
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._watched: list[state.Process] = []

    def control_plane(self, components: Sequence[str]) -> SandboxState:
        """Start what does not run, and wait until the controllers work.

        Raises:
            PortTakenError: a port is not free any more.
            SandboxError: a component ended or did not get ready; its log's tail is in the message.
        """
        with self._progress.step(self._doing(state.ETCD), after=state.API_SERVER):
            self._start(state.ETCD)
            port = self.state.ports.etcd
            self._wait(lambda: readiness.listening(port), lambda: "etcd does not listen")
        with self._progress.step(self._doing(state.API_SERVER), after=state.CONTROLLER_MANAGER):
            self._start(state.API_SERVER)
            api = readiness.Api(self.state)
            self._wait(lambda: readiness.api_ready(api), lambda: "kube-apiserver is not ready")
            # One after the other: two that make the first objects of a cluster disagree for longer.
            for number, more in enumerate(c for c in components if c in state.API_SERVERS[1:]):
                self._another_api_server(more, readiness.Api(self.state, number=number + 1))
        above = [c for c in components if c not in {state.ETCD, *state.API_SERVERS}]
        with self._progress.step(self._doing(*above)):
            if not self._runs(state.CONTROLLER_MANAGER):
                readiness.make_controller_accounts(api)
            for component in above:
                self._start(component)
            self._wait_for_controllers(readiness.Controllers(api))
        return self.state

    def _another_api_server(self, component: str, api: readiness.Api) -> None:
        self._start(component)
        self._wait(lambda: readiness.api_ready(api), lambda: f"{component} is not ready")

    def _doing(self, *components: str) -> str:
        verb = "checking" if all(map(self._runs, components)) else "starting"
        return f"{verb} {', '.join(components)}"

    def _runs(self, component: str) -> bool:
        known = self.state.processes.get(component)
        return known is not None and processes.alive(known)

    def _start(self, component: str) -> None:
        if not self._runs(component):
            command = (str(self._paths[_program(component)]), *_ARGUMENTS[component](self.state))
            launch(self.state, component, command, remember=self._remember)
        self._watched.insert(0, self.state.processes[component])

    def _remember(self, current: SandboxState) -> None:
        self.state = current

    def _wait_for_controllers(self, probes: readiness.Controllers) -> None:
        missing: list[str] = []

        def work() -> bool:
            missing[:] = probes.missing()
            return not missing

        probes.forget()
        try:
            self._wait(work, lambda: f"{', '.join(missing)}: no work done")
        finally:
            probes.forget()

    def _wait(self, condition: Callable[[], bool], what: Callable[[], str]) -> None:
        if not wait_for(condition, self._watched, deadline=self._deadline):
            newest = self._watched[0]
            raise SandboxError(
                f"{what()} after {self._timeout:g} s (allow more with --timeout); "
                f"the end of {newest.log}:\n{processes.tail(newest)}"
            )


def wait_for(
    condition: Callable[[], bool], watched: Sequence[state.Process], *, deadline: float
) -> bool:
    """Poll until `condition` holds (True) or `deadline` has passed (False).

    Raises:
        SandboxError: one of the watched processes has ended.
    """

    def between() -> None:
        for process in watched:
            _require_alive(process)

    return readiness.wait(condition, deadline=deadline, between=between)


def launch(
    current: SandboxState,
    component: str,
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    remember: Callable[[SandboxState], None] = lambda _: None,
) -> SandboxState:
    """Start a process of the sandbox; the state file knows it before any interrupt is seen."""

    def save(process: state.Process) -> None:
        remember(state.save(current.with_process(process)))

    log = current.log(component)
    process = processes.spawn(component, command, log=log, env=env or {}, remember=save)
    return current.with_process(process)


def stop(current: SandboxState, components: Sequence[str] = state.COMPONENTS) -> SandboxState:
    """Stop these components from the top down; the state file forgets each when it is gone."""
    for layer, grace in _STOP_ORDER:
        ending = [current.processes[c] for c in layer if c in components and c in current.processes]
        processes.stop(ending, grace=0.0 if _hangs(current, layer) else grace)
        for process in ending:
            current = state.save(current.without(process.component))
    return current


def _hangs(current: SandboxState, layer: Sequence[str]) -> bool:
    etcd = current.processes.get(state.ETCD)
    return state.API_SERVER in layer and (etcd is None or not processes.alive(etcd))


def _require_alive(process: state.Process) -> None:
    if processes.alive(process):
        return
    said = processes.tail(process)
    kind = PortTakenError if _PORT_TAKEN in said else SandboxError
    raise kind(f"{process.component} has ended; the end of {process.log}:\n{said or '(empty)'}")
