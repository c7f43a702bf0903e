"""Starting, watching and stopping processes that outlive the command that started them.

Each leads its own session, so a Ctrl-C in the terminal does not reach it, and is known by pid and
start, so that a pid that was given away again is never signalled.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from quotatree.errors import SandboxError
from quotatree.sandbox.state import Process

TAIL_LINES: Final = 15
_POLL_SECONDS: Final = 0.02
_INTERRUPTS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOG_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND


def spawn(
    component: str,
    argv: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str],
    remember: Callable[[Process], None],
) -> Process:
    """Start a process in a session of its own, its output appended to `log`.

    `remember` is called before any interrupt can be seen, so that no process is ever forgotten.

    Raises:
        SandboxError: the program cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    offset = log.stat().st_size if log.exists() else 0
    null = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    output = (os.POSIX_SPAWN_OPEN, 1, str(log), _LOG_FLAGS, 0o600)
    with uninterrupted():
        try:
            pid = os.posix_spawn(
                argv[0],
                list(argv),
                {**os.environ, **env},
                file_actions=[null, output, (os.POSIX_SPAWN_DUP2, 1, 2)],
                setsid=True,
                setsigmask=(),
                setsigdef=_INTERRUPTS,
            )
        except OSError as error:
            raise SandboxError(f"{argv[0]} cannot be started: {error.strerror}") from error
        process = Process(
            component=component,
            pid=pid,
            started=started(pid) or "",
            argv=tuple(argv),
            log=log,
            log_offset=offset,
            env=dict(env),
        )
        remember(process)
    return process


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP wait until the block ends."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def started(pid: int) -> str | None:
    """When a process started, in the words of the operating system; None when it is gone.

    A zombie counts as gone. Linux counts clock ticks since the boot, whose id is therefore part of
    the answer (source: proc(5), /proc/pid/stat, field 22).
    """
    _reap(pid)
    if not Path("/proc/self/stat").exists():
        return _started_by_ps(pid)
    try:
        # The second field is the program's name in brackets and may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else f"{boot} {fields[19]}"


def alive(process: Process) -> bool:
    """Whether the very process that was started still runs."""
    return bool(process.started) and started(process.pid) == process.started


def send(process: Process, number: signal.Signals, *, whole: bool = False) -> bool:
    """Send a signal to the process if it is still ours; False when it is gone.

    `whole` sends it to those that it has started as well: each leads a group of its own.
    """
    if not alive(process):
        return False
    try:
        (os.killpg if whole else os.kill)(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def stop(processes: Iterable[Process], *, grace: float) -> None:
    """End all of them at once: SIGTERM, and after `grace` seconds SIGKILL for who is left.

    Raises:
        SandboxError: one survives even that.
    """
    ending = [process for process in processes if send(process, signal.SIGTERM)]
    for process in _survivors(ending, seconds=grace):
        send(process, signal.SIGKILL, whole=True)
    left = _survivors(ending, seconds=10.0)
    if left:
        names = ", ".join(f"{p.component} (pid {p.pid})" for p in left)
        raise SandboxError(f"still running after SIGKILL: {names}; try again")


def tail(process: Process, *, lines: int = TAIL_LINES) -> str:
    """The last lines that this process itself has written."""
    try:
        with process.log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            # 64 KiB are more than any sensible number of lines, and bound what is read.
            file.seek(max(process.log_offset, size - 65536))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def _survivors(processes: Sequence[Process], *, seconds: float) -> list[Process]:
    deadline = time.monotonic() + seconds
    left = [process for process in processes if alive(process)]
    while left and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        left = [process for process in left if alive(process)]
    return left


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        # Not a child of this process: whoever adopted it reaps it.
        return


def _started_by_ps(pid: int) -> str | None:
    shown = subprocess.run(  # noqa: S603 - a number is all that varies
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split(maxsplit=1)
    return None if len(shown) < 2 or shown[0].startswith("Z") else shown[1].strip()
