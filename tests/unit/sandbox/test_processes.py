import os
import random
import signal
import socket
import time
from dataclasses import replace

import pytest

from quotatree.errors import SandboxError
from quotatree.sandbox import boot, ports, processes, readiness


@pytest.fixture
def sleeper(tmp_path):
    started = _spawn(tmp_path, "exec sleep 60")
    yield started
    processes.stop([started], grace=0.0)


def test_a_process_is_remembered_before_anyone_can_interrupt(tmp_path):
    seen = []

    def remember(process):
        seen.append((process, signal.pthread_sigmask(signal.SIG_BLOCK, ())))

    started = _spawn(tmp_path, "exec sleep 60", remember=remember)
    processes.stop([started], grace=5.0)

    assert seen[0][0] == started
    assert {signal.SIGINT, signal.SIGTERM} <= seen[0][1]


def test_a_process_leads_a_session_of_its_own(sleeper):
    assert os.getsid(sleeper.pid) == sleeper.pid


def test_a_process_that_got_our_pid_later_is_left_alone(sleeper):
    impostor = replace(sleeper, started="another boot 1")

    processes.stop([impostor], grace=0.0)

    assert not processes.alive(impostor)
    assert processes.alive(sleeper)


def test_who_ignores_sigterm_is_killed(tmp_path):
    deaf = _spawn(tmp_path, "trap '' TERM; echo ready; while :; do sleep 60 & wait; done")
    _wait(lambda: "ready" in processes.tail(deaf))

    processes.stop([deaf], grace=0.1)

    assert not processes.alive(deaf)


def test_a_stopped_process_is_killed_too(sleeper):
    processes.send(sleeper, signal.SIGSTOP)

    processes.stop([sleeper], grace=0.1)

    assert not processes.alive(sleeper)


def test_a_zombie_does_not_count_as_alive(tmp_path):
    gone = _spawn(tmp_path, "exit 3")
    _wait(lambda: not processes.alive(gone))

    assert not processes.send(gone, signal.SIGKILL)


def test_a_program_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SandboxError, match=r"/nowhere cannot be started: No such file"):
        processes.spawn("etcd", ["/nowhere"], log=tmp_path / "log", env={}, remember=lambda _: None)


def test_the_tail_begins_where_this_process_began(tmp_path):
    first = _spawn(tmp_path, "echo old")
    _wait(lambda: not processes.alive(first))
    second = _spawn(tmp_path, "for i in 1 2 3; do echo $i; done; exit 1")
    _wait(lambda: not processes.alive(second))

    assert processes.tail(second) == "1\n2\n3"
    assert processes.tail(second, lines=1) == "3"


def test_a_component_that_ended_is_reported_with_the_end_of_its_log(tmp_path):
    ended = _spawn(tmp_path, "echo because; exit 1")

    with pytest.raises(SandboxError, match=r"(?s)etcd has ended; the end of .*log:\nbecause"):
        boot.wait_for(lambda: False, [ended], deadline=time.monotonic() + 10.0)


def test_a_taken_port_is_told_apart(tmp_path):
    ended = _spawn(tmp_path, "echo 'bind: address already in use'; exit 1")

    with pytest.raises(boot.PortTakenError):
        boot.wait_for(lambda: False, [ended], deadline=time.monotonic() + 10.0)


def test_ports_are_free_and_different():
    chosen = ports.choose(random.Random(7), api_servers=3)
    numbers = {chosen.api_server, chosen.etcd, chosen.etcd_peer, chosen.webhook}
    numbers |= set(chosen.api_servers)

    assert len(numbers) == 6
    assert numbers <= set(ports.RANGE)


def test_a_port_that_somebody_listens_on_is_not_free():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not ports.free(server.getsockname()[1])


def _spawn(directory, script, remember=lambda _: None):
    return processes.spawn(
        "etcd", ["/bin/sh", "-c", script], log=directory / "log", env={}, remember=remember
    )


def _wait(condition):
    assert readiness.wait(condition, deadline=time.monotonic() + 10.0, between=lambda: None)
