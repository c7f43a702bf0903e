"""The command lines of the components: pure functions of the sandbox's state."""

from __future__ import annotations

from typing import Final

from quotatree.sandbox import certs
from quotatree.sandbox.state import CONTROLLER_MANAGER, SCHEDULER, SandboxState

SERVICE_RANGE: Final = "10.96.0.0/16"

# They need nodes with addresses or a cloud, and a sandbox has neither.
DISABLED_CONTROLLERS: Final = (
    "node-ipam-controller",
    "node-route-controller",
    "service-lb-controller",
    "cloud-node-lifecycle-controller",
)


def etcd(state: SandboxState) -> tuple[str, ...]:
    """Flags of etcd: one member, TLS with client certificates, both ports on loopback.

    Without --durable it does not wait for the disk: several times faster, and nothing is lost when
    processes are killed, only when the machine itself goes down.
    """
    client = f"https://127.0.0.1:{state.ports.etcd}"
    peer = f"https://127.0.0.1:{state.ports.etcd_peer}"
    files = certs.Files(state.certificates)
    return (
        f"--name={state.name}",
        f"--data-dir={state.data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster={state.name}={peer}",
        "--client-cert-auth",
        f"--trusted-ca-file={files.etcd_ca}",
        f"--cert-file={files.etcd}",
        f"--key-file={files.key(files.etcd)}",
        "--peer-client-cert-auth",
        f"--peer-trusted-ca-file={files.etcd_ca}",
        f"--peer-cert-file={files.etcd}",
        f"--peer-key-file={files.key(files.etcd)}",
        "--log-level=warn",
        # The most that etcd advises; its default of 2 GiB fills up in long load tests.
        f"--quota-backend-bytes={8 * 1024**3}",
        *(() if state.durable else ("--unsafe-no-fsync",)),
    )


def api_server(state: SandboxState, number: int = 0) -> tuple[str, ...]:
    """Flags of kube-apiserver: RBAC and Node authorization, default admission plugins.

    Several differ in their port only, as those of a real cluster do in their machine.
    """
    files = certs.Files(state.certificates)
    return (
        f"--etcd-servers=https://127.0.0.1:{state.ports.etcd}",
        f"--etcd-cafile={files.etcd_ca}",
        f"--etcd-certfile={files.etcd_client}",
        f"--etcd-keyfile={files.key(files.etcd_client)}",
        "--bind-address=127.0.0.1",
        f"--secure-port={state.ports.all_api_servers[number]}",
        f"--tls-cert-file={files.api_server}",
        f"--tls-private-key-file={files.key(files.api_server)}",
        f"--client-ca-file={files.ca}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={files.service_account_public}",
        f"--service-account-signing-key-file={files.service_account_key}",
        # An endpoint on loopback is refused by the API itself, so none is kept.
        "--endpoint-reconciler-type=none",
        "--profiling=false",
    )


def controller_manager(state: SandboxState) -> tuple[str, ...]:
    """Flags of kube-controller-manager: all default controllers that a sandbox can have.

    Its request rate stays at the default (20/s): what holds here holds on a real cluster.
    """
    files = certs.Files(state.certificates)
    disabled = ",".join(f"-{name}" for name in DISABLED_CONTROLLERS)
    return (
        f"--kubeconfig={state.component_kubeconfig(CONTROLLER_MANAGER)}",
        f"--controllers=*,{disabled}",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={files.service_account_key}",
        f"--root-ca-file={files.ca}",
        f"--cluster-signing-cert-file={files.ca}",
        f"--cluster-signing-key-file={files.key(files.ca)}",
        "--leader-elect=false",
        # Nobody asks it anything; readiness is seen by what the controllers do.
        "--secure-port=0",
        "--profiling=false",
    )


def scheduler(state: SandboxState) -> tuple[str, ...]:
    """Flags of kube-scheduler."""
    return (
        f"--kubeconfig={state.component_kubeconfig(SCHEDULER)}",
        "--leader-elect=false",
        "--secure-port=0",
    )
