from pathlib import Path

import pytest

from quotatree.sandbox import argv, state
from quotatree.sandbox.versions import PINNED


def test_without_durable_etcd_does_not_wait_for_the_disk():
    assert "--unsafe-no-fsync" in argv.etcd(_state())
    assert "--unsafe-no-fsync" not in argv.etcd(_state(durable=True))


@pytest.mark.parametrize("build", [argv.etcd, argv.api_server])
def test_servers_listen_on_loopback_only(build):
    flags = build(_state())
    served = [f for f in flags if f.startswith(("--listen", "--bind-address"))]

    assert served
    assert all("127.0.0.1" in flag for flag in served)


def test_nobody_talks_to_etcd_without_a_certificate():
    flags = argv.etcd(_state())

    assert "--client-cert-auth" in flags
    assert "--peer-client-cert-auth" in flags
    assert not [flag for flag in flags if "http://" in flag]


def test_the_api_server_authorizes_as_real_clusters_do():
    flags = argv.api_server(_state())

    assert "--authorization-mode=Node,RBAC" in flags
    assert "--secure-port=20001" in flags
    assert "--etcd-servers=https://127.0.0.1:20002" in flags
    assert not [flag for flag in flags if "disable-admission" in flag]


def test_several_api_servers_differ_in_their_port_alone():
    current = _state(more=(20005,))
    first, second = (argv.api_server(current, number) for number in range(2))

    assert set(first) - set(second) == {"--secure-port=20001"}
    assert set(second) - set(first) == {"--secure-port=20005"}


def test_controllers_have_accounts_of_their_own_and_all_but_the_cloud_ones_run():
    flags = argv.controller_manager(_state())
    chosen = next(f for f in flags if f.startswith("--controllers=")).partition("=")[2].split(",")

    assert "--use-service-account-credentials=true" in flags
    assert chosen[0] == "*"
    assert all(name.startswith("-") for name in chosen[1:])
    assert not [n for n in chosen if any(w in n for w in ("quota", "garbage", "namespace", "job"))]


def test_files_are_the_sandbox_s_own():
    state_ = _state()
    commands = [argv.etcd, argv.api_server, argv.controller_manager, argv.scheduler]
    paths = [f.partition("=")[2] for build in commands for f in build(state_) if "=/" in f]

    assert paths
    assert all(path.startswith("/sandboxes/one/") for path in paths)


def _state(*, durable=False, more=()):
    return state.SandboxState(
        name="one",
        directory=Path("/sandboxes/one"),
        versions=PINNED,
        ports=state.Ports(
            api_server=20001, etcd=20002, etcd_peer=20003, webhook=20004, api_servers=more
        ),
        durable=durable,
    )
