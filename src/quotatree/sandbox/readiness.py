"""When a control plane is ready: judged by what it does, not by what it says.

The API server answers /readyz; then the controllers must have worked: the default ServiceAccount
exists (without it no pod can be created), a ResourceQuota gets its status, and the garbage
collector takes away an object whose owner does not exist.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from quotatree.sandbox import certs
from quotatree.sandbox.state import SandboxState

POLL_SECONDS: Final = 0.05
REQUEST_TIMEOUT_SECONDS: Final = 3.0
PROBE_NAME: Final = "quotatree-sandbox-probe"
# A namespace that every cluster has and nobody uses: no namespace needs to be made and awaited.
PROBE_NAMESPACE: Final = "kube-public"

_QUOTAS = f"/api/v1/namespaces/{PROBE_NAMESPACE}/resourcequotas"
_CONFIG_MAPS = f"/api/v1/namespaces/{PROBE_NAMESPACE}/configmaps"
_SYSTEM = "kube-system"
_BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
_SERVICE_ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"


class Api:
    """The few requests that readiness needs, as administrator; no answer is status 0.

    `number` says which API server is asked, the first is 0.
    """

    def __init__(self, state: SandboxState, number: int = 0) -> None:
        files = certs.Files(state.certificates)
        admin = files.client(certs.ADMIN)
        self._port = state.ports.all_api_servers[number]
        self._context = ssl.create_default_context(cafile=str(files.ca))
        self._context.load_cert_chain(admin, files.key(admin))

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and decoded answer (text where it is not JSON)."""
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self._port, timeout=REQUEST_TIMEOUT_SECONDS, context=self._context
        )
        content = None if body is None else json.dumps(body)
        try:
            connection.request(method, path, content, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, _decoded(response.read())
        except (OSError, http.client.HTTPException):
            return 0, None
        finally:
            connection.close()


def _decoded(content: bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    try:
        return json.loads(content)
    except ValueError:
        return content.decode(errors="replace")


def wait(condition: Callable[[], bool], *, deadline: float, between: Callable[[], None]) -> bool:
    """Poll until `condition` holds; False when `deadline` (of time.monotonic) comes first.

    `between` is called before each pause and may raise to end the wait early.
    """
    while not condition():
        between()
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def listening(port: int) -> bool:
    """Whether somebody accepts connections on that loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(REQUEST_TIMEOUT_SECONDS)
        return client.connect_ex(("127.0.0.1", port)) == 0


def make_controller_accounts(api: Api) -> None:
    """Make the ServiceAccounts under which the built-in controllers work.

    The controller manager makes them itself, but with all its controllers behind one limit of
    20 requests/s; that was half of the time a sandbox took to start (8.4 s against 4.5 s). Which
    ones there are say the role bindings that the API server makes at its start.
    """
    _, answer = api.call("GET", _BINDINGS)
    bindings = answer.get("items", []) if isinstance(answer, dict) else []
    for name in controller_accounts(bindings):
        body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
        api.call("POST", f"/api/v1/namespaces/{_SYSTEM}/serviceaccounts", body)


def controller_accounts(bindings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of controllers' ServiceAccounts among the subjects of ClusterRoleBindings.

    Source: Kubernetes `plugin/pkg/auth/authorizer/rbac/bootstrappolicy/controller_policy.go`.
    """
    return sorted(
        {
            subject["name"]
            for binding in bindings
            if binding["metadata"]["name"].startswith("system:controller:")
            for subject in binding.get("subjects", [])
            if subject["kind"] == "ServiceAccount" and subject.get("namespace") == _SYSTEM
        }
    )


def api_ready(api: Api) -> bool:
    """Whether the API server says that it is ready."""
    return api.call("GET", "/readyz")[0] == 200


class Controllers:
    """Probes of the built-in controllers, to be asked again and again until none is missing."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._planted = False
        self._collected = False

    def missing(self) -> list[str]:
        """What the controllers have not done yet, in words; empty when all of them work."""
        answers = {
            "the ServiceAccount controller": self._service_account(),
            "the ResourceQuota controller": self._quota(),
            "the garbage collector": self._garbage(),
        }
        return [name for name, works in answers.items() if not works]

    def forget(self) -> None:
        """Remove the probes; a probe of an earlier attempt would answer for this one."""
        self._api.call("DELETE", f"{_QUOTAS}/{PROBE_NAME}")
        self._api.call("DELETE", f"{_CONFIG_MAPS}/{PROBE_NAME}")

    def _service_account(self) -> bool:
        return self._api.call("GET", _SERVICE_ACCOUNT)[0] == 200

    def _quota(self) -> bool:
        status, quota = self._api.call("GET", f"{_QUOTAS}/{PROBE_NAME}")
        if status == 404:
            probe = _object("ResourceQuota") | {"spec": {"hard": {"count/secrets": "1k"}}}
            self._api.call("POST", _QUOTAS, probe)
        return status == 200 and "count/secrets" in quota.get("status", {}).get("used", {})

    def _garbage(self) -> bool:
        if not self._planted:
            probe = _object("ConfigMap")
            probe["metadata"]["ownerReferences"] = [
                {"apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": "nobody"}
            ]
            self._planted = self._api.call("POST", _CONFIG_MAPS, probe)[0] in {201, 409}
        elif not self._collected:
            self._collected = self._api.call("GET", f"{_CONFIG_MAPS}/{PROBE_NAME}")[0] == 404
        return self._collected


def _object(kind: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": PROBE_NAME}}
