"""The sandbox on real processes: directories of their own for the tests, binaries for all."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from quotatree import sandbox as control_plane
from quotatree.errors import SandboxError
from quotatree.sandbox import boot, ports, processes, readiness, state

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

COMPONENTS = ["etcd", "kube-apiserver", "kube-controller-manager"]
SLEEP = ["/bin/sleep", "600"]


@pytest.fixture
def environ(tmp_path):
    """An environment without other sandboxes; whatever runs in it is stopped at the end."""
    yield from _environ(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """The environment in which the sandbox `one` runs; each test leaves it whole."""
    for environ in _environ(tmp_path_factory.mktemp("shared")):
        _up(environ)
        yield environ


def _environ(directory):
    environ = {**os.environ, "XDG_STATE_HOME": str(directory)}
    yield environ
    for name in control_plane.names(environ):
        control_plane.down(name, purge=True, environ=environ)
    assert _left(directory) == []


@pytest.fixture
def run(environ):
    """`quotatree sandbox …` as a process of its own."""

    def run(*arguments, want_exit=0):
        command = [sys.executable, "-m", "quotatree", "sandbox", *arguments]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == want_exit, done.stderr
        return done

    return run


def test_from_up_to_down_by_the_command_line(run, environ, tmp_path, record_property):
    first = run("up", "--no-quotatree")
    record_property("up_seconds", re.search(r"is up after ([\d.]+) s", first.stderr)[1])
    kubeconfig = Path(first.stdout.removeprefix("export KUBECONFIG=").strip())
    assert kubeconfig.stat().st_mode & 0o777 == 0o600
    _make_namespace(_api(environ, "default"), "kept")

    again = json.loads(run("up", "--no-quotatree", "--json").stdout.splitlines()[-1])
    assert again["kubeconfig"] == str(kubeconfig)
    assert list(again["pids"]) == COMPONENTS

    shown = json.loads(run("status", "-o", "json").stdout)["sandboxes"]
    assert [(one["name"], one["running"]) for one in shown] == [("default", True)]
    assert {c["name"]: c["pid"] for c in shown[0]["components"]} == again["pids"]
    assert run("logs", "kube-apiserver", "-n", "3").stdout.count("\n") == 3

    run("down")
    assert _left(tmp_path) == []
    run("status", want_exit=1)

    run("up", "--no-quotatree")
    assert "kept" in _namespaces(_api(environ, "default"))
    run("down", "--purge")
    assert not kubeconfig.exists()


def test_controllers_work_and_their_probes_are_gone(shared):
    api = _api(shared)

    assert api.call("GET", "/api/v1/resourcequotas")[1]["items"] == []
    assert api.call("GET", "/api/v1/namespaces/default/serviceaccounts/default")[0] == 200
    assert _namespaces(api) == {"default", "kube-system", "kube-public", "kube-node-lease"}


def test_a_second_sandbox_avoids_the_ports_of_the_first_and_knows_nothing_of_it(
    shared, monkeypatch
):
    # The chosen ports were free a moment ago, and now somebody listens there.
    taken = control_plane.find("one", environ=shared).ports
    first_choice = [replace(taken, webhook=taken.webhook + 1)]
    choose = ports.choose
    monkeypatch.setattr(
        ports, "choose", lambda g, **_: first_choice.pop() if first_choice else choose(g)
    )

    _up(shared, name="other")
    assert not first_choice
    _make_namespace(_api(shared, "other"), "only-here")

    assert "only-here" not in _namespaces(_api(shared))
    assert control_plane.status("other", environ=shared).running
    control_plane.down("other", purge=True, environ=shared)
    assert control_plane.status("one", environ=shared).running


@pytest.mark.parametrize("component", COMPONENTS)
def test_up_repairs_what_was_killed(shared, component):
    before = control_plane.find("one", environ=shared)
    control_plane.kill("one", component, environ=shared)
    assert not control_plane.status("one", environ=shared).running

    after = _up(shared)

    assert control_plane.status("one", environ=shared).running
    assert after.server == before.server
    assert {c for c in COMPONENTS if after.pids[c] != before.pids[c]} == {component}


def test_restart_keeps_everything_but_the_pid(shared):
    before = control_plane.find("one", environ=shared)

    after = control_plane.restart("one", "kube-apiserver", environ=shared)

    assert readiness.api_ready(readiness.Api(after))
    assert after.pids["kube-apiserver"] != before.pids["kube-apiserver"]
    assert after.without("kube-apiserver") == before.without("kube-apiserver")


def test_the_scheduler_comes_when_asked_for_and_stays(shared):
    with_scheduler = _up(shared, scheduler=True)

    assert "kube-scheduler" in with_scheduler.pids
    assert _up(shared).pids == with_scheduler.pids


def test_another_api_server_comes_when_asked_for_and_stays(shared):
    current = _up(shared, api_servers=2)
    first, second = (readiness.Api(current, number) for number in range(2))

    _make_namespace(second, "through-the-second")
    assert "through-the-second" in _namespaces(first)
    assert _up(shared).pids == current.pids
    control_plane.kill("one", state.API_SERVERS[1], environ=shared)
    assert readiness.api_ready(first)
    assert not readiness.api_ready(second)
    assert not control_plane.status("one", environ=shared).running
    control_plane.restart("one", state.API_SERVERS[1], environ=shared)
    assert readiness.api_ready(second)


def test_a_failed_installation_leaves_a_running_sandbox_as_it_was(shared):
    before = _up(shared)

    with pytest.raises(SandboxError, match="does not get ready"):
        _up(shared, install=_broken_install)

    assert control_plane.find("one", environ=shared).pids == before.pids
    assert control_plane.status("one", environ=shared).running


def test_a_failed_installation_of_a_new_sandbox_leaves_no_process(environ, tmp_path):
    with pytest.raises(SandboxError, match="does not get ready"):
        _up(environ, install=_broken_install)

    assert _left(tmp_path) == []
    assert control_plane.find("one", environ=environ).pids == {}


def test_quotatree_is_started_once_and_can_be_killed_restarted_and_stopped(shared):
    def install(current, _progress):
        return control_plane.start_quotatree(current, {state.QUOTATREE: SLEEP}, {"A": "b"})

    first = _up(shared, install=install)
    assert _up(shared, install=install).pids == first.pids
    control_plane.kill("one", "quotatree", environ=shared)
    restarted = control_plane.restart("one", "quotatree", environ=shared)

    assert processes.alive(restarted.processes["quotatree"])
    rest = {c: pid for c, pid in first.pids.items() if c != "quotatree"}
    assert boot.stop(restarted, [state.QUOTATREE]).pids == rest


@pytest.mark.parametrize(
    ("when", "number"),
    [
        ("etcd", signal.SIGINT),
        ("kube-apiserver", signal.SIGTERM),
        ("kube-controller-manager", signal.SIGINT),
    ],
)
def test_an_interrupted_up_leaves_no_process(environ, tmp_path, when, number):
    command = [sys.executable, "-m", "quotatree", "sandbox", "up", "--no-quotatree"]
    log = tmp_path / "quotatree" / "sandboxes" / "default" / "logs" / f"{when}.log"
    with subprocess.Popen(
        command,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # What runs in the background is started with SIGINT ignored, and its children too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread
    ) as starting:
        assert readiness.wait(log.exists, deadline=time.monotonic() + 60, between=lambda: None)
        starting.send_signal(number)

    assert starting.returncode != 0
    assert _left(tmp_path) == []


def test_a_component_that_does_not_start_is_shown_with_its_log(environ, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    for name in COMPONENTS:
        (own / name).write_text("#!/bin/sh\necho flag provided but not defined\nexit 2\n")
        (own / name).chmod(0o755)

    with pytest.raises(SandboxError, match=r"(?s)etcd has ended.*flag provided but not defined"):
        _up({**environ, "QUOTATREE_SANDBOX_BIN": str(own)})


def _broken_install(current, _progress):
    control_plane.start_quotatree(current, {state.QUOTATREE: SLEEP}, {})
    raise SandboxError("the controller does not get ready")


def _up(environ, *, name="one", scheduler=False, api_servers=None, install=None):
    settings = control_plane.Settings(name=name, scheduler=scheduler, api_servers=api_servers)
    return control_plane.up(settings, install=install, environ=environ)


def _api(environ, name="one"):
    return readiness.Api(control_plane.find(name, environ=environ))


def _namespaces(api):
    return {item["metadata"]["name"] for item in api.call("GET", "/api/v1/namespaces")[1]["items"]}


def _make_namespace(api, name):
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    assert api.call("POST", "/api/v1/namespaces", body)[0] == 201


def _left(directory):
    """The processes that run with something of this directory on their command lines."""
    shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in shown.stdout.splitlines() if str(directory) in line]
