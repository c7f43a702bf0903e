"""Which API server, as whom: kubeconfig files and in-cluster files read as kubectl reads them.

Rules from Kubernetes' `client-go/tools/clientcmd`: `KUBECONFIG` is a list of files of which the
first to name a thing wins, absent files of the list are passed over, relative paths are relative
to the file that holds them, and a process inside a cluster without any kubeconfig uses its
service account.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from quotatree.codec import yaml_tree
from quotatree.errors import InputError

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_FILES: Final = {
    "clusters": ("certificate-authority",),
    "users": ("client-certificate", "client-key", "tokenFile"),
}
_SECTIONS: Final = {"clusters": "cluster", "users": "user", "contexts": "context"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A program that prints credentials (`user.exec`), as `client.authentication.k8s.io` says."""

    api_version: str
    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str]
    interactive: str = "IfAvailable"
    install_hint: str = ""
    cluster_info: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One API server and one identity on it; `ca`, `certificate` and `key` are PEM.

    `insecure` means that the server's certificate is not checked. `impersonate` holds the request
    headers of `as`, `as-groups` and their like: leaving them out would mean acting with more
    rights than the file grants.
    """

    server: str
    namespace: str = "default"
    ca: str | None = None
    insecure: bool = False
    tls_server_name: str | None = None
    proxy: str | None = None
    certificate: str | None = None
    key: str | None = None
    token: str | None = None
    token_file: Path | None = None
    basic: tuple[str, str] | None = None
    plugin: Plugin | None = None
    impersonate: tuple[tuple[str, str], ...] = ()


def load(
    kubeconfig: str | None,
    context: str | None,
    *,
    env: Mapping[str, str] = os.environ,
    service_account: Path = SERVICE_ACCOUNT,
) -> Access:
    """Return the access that kubectl would use with these two options and this environment.

    Raises:
        InputError: a file, context, cluster or user is missing or malformed; the text names it.
    """
    files, required = _files(kubeconfig, env)
    merged = _merge([_read(file) for file in files if required or file.is_file()])
    if not merged["contexts"] and context is None and not required:
        if (service_account / "token").is_file():
            return in_cluster(env=env, service_account=service_account)
        looked = ", ".join(map(str, files))
        raise InputError(
            f"no cluster is configured: {looked} not found; give --kubeconfig or set KUBECONFIG "
            "(`quotatree sandbox up` starts a cluster on this machine and prints its line)"
        )
    return _select(merged, context)


def in_cluster(
    *, env: Mapping[str, str] = os.environ, service_account: Path = SERVICE_ACCOUNT
) -> Access:
    """Return the access of a pod's service account.

    Raises:
        InputError: the environment of a pod or the account's files are not there.
    """
    try:
        host, port = env["KUBERNETES_SERVICE_HOST"], env["KUBERNETES_SERVICE_PORT"]
    except KeyError as missing:
        raise InputError(f"{missing.args[0]} is not set: this is no pod of a cluster") from missing
    namespace = service_account / "namespace"
    return Access(
        server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        namespace=_text(namespace).strip() if namespace.is_file() else "default",
        ca=_text(service_account / "ca.crt"),
        token_file=service_account / "token",
    )


def _files(kubeconfig: str | None, env: Mapping[str, str]) -> tuple[list[Path], bool]:
    """Return the files to read, and whether all of them must exist."""
    if kubeconfig is not None:
        return [Path(kubeconfig).expanduser()], True
    listed = [part for part in env.get("KUBECONFIG", "").split(os.pathsep) if part]
    return [Path(part).expanduser() for part in listed or ["~/.kube/config"]], False


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{file}: cannot be read: {why}") from error


def _read(file: Path) -> dict[str, Any]:
    """Read one kubeconfig; paths inside become absolute, since merging forgets where they stood."""
    text = _text(file)
    try:
        config = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        finding, (line, column) = yaml_tree.syntax_finding(text, error)
        hint = f"; {finding.hint}" if finding.hint else ""
        raise InputError(f"{file}:{line}:{column}: {finding.message}{hint}") from error
    if not isinstance(config, dict):
        raise InputError(f"{file}: not a kubeconfig: a mapping is expected at the top")
    for section, inner in _SECTIONS.items():
        for index, entry in enumerate(config.get(section) or []):
            place = f"{file}: {section}[{index}]"
            if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
                raise InputError(f"{place}: a mapping with `name` and `{inner}` is expected")
            if not isinstance(entry.setdefault(inner, {}) or {}, dict):
                raise InputError(f"{place}.{inner}: a mapping is expected")
            entry[inner] = _absolute(entry[inner] or {}, section, file.parent)
    return config


def _absolute(entry: dict[str, Any], section: str, folder: Path) -> dict[str, Any]:
    changed: dict[str, Any] = {
        key: str(folder.absolute() / entry[key])
        for key in _FILES.get(section, ())
        if entry.get(key)
    }
    plugin = entry.get("exec")
    if isinstance(plugin, dict) and os.sep in str(plugin.get("command", "")):
        changed["exec"] = plugin | {"command": str(folder.absolute() / plugin["command"])}
    return entry | changed


def _merge(configs: list[dict[str, Any]]) -> dict[str, Any]:
    """Merge kubeconfigs: for each name, and for the current context, the first file wins."""
    merged: dict[str, Any] = {section: {} for section in _SECTIONS}
    merged["current-context"] = ""
    for config in configs:
        for section, inner in _SECTIONS.items():
            for entry in config.get(section) or []:
                merged[section].setdefault(entry["name"], entry[inner])
        merged["current-context"] = merged["current-context"] or config.get("current-context") or ""
    return merged


def _named(merged: Mapping[str, Any], section: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] | None = merged[section].get(name)
    if found is None:
        known = ", ".join(sorted(merged[section])) or "none"
        raise InputError(f"kubeconfig: no {_SECTIONS[section]} {name!r}; there are: {known}")
    return found


def _select(merged: Mapping[str, Any], context: str | None) -> Access:
    name = context or merged["current-context"]
    if not name:
        known = ", ".join(sorted(merged["contexts"])) or "none"
        raise InputError(f"kubeconfig: no current-context is set; give --context, one of: {known}")
    chosen = _named(merged, "contexts", name)
    if not chosen.get("cluster"):
        raise InputError(f"kubeconfig: context {name!r} names no cluster")
    cluster = _named(merged, "clusters", chosen["cluster"])
    user = _named(merged, "users", chosen["user"]) if chosen.get("user") else {}
    if not cluster.get("server"):
        raise InputError(f"kubeconfig: cluster {chosen['cluster']!r} has no server")
    if user.get("auth-provider"):
        raise InputError(
            f"kubeconfig: user {chosen['user']!r} has an auth-provider; Kubernetes removed these "
            "in 1.26: use the provider's exec plugin instead"
        )
    return _access(cluster, user, chosen.get("namespace") or "default")


def _access(cluster: Mapping[str, Any], user: Mapping[str, Any], namespace: str) -> Access:
    ca = _pem(cluster, "certificate-authority")
    basic = (str(user["username"]), str(user.get("password", ""))) if "username" in user else None
    return Access(
        server=str(cluster["server"]).rstrip("/"),
        namespace=namespace,
        ca=ca,
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        tls_server_name=cluster.get("tls-server-name"),
        proxy=cluster.get("proxy-url"),
        certificate=_pem(user, "client-certificate"),
        key=_pem(user, "client-key"),
        token=user.get("token"),
        token_file=Path(user["tokenFile"]) if user.get("tokenFile") else None,
        basic=basic,
        plugin=_plugin(user["exec"], cluster, ca) if user.get("exec") else None,
        impersonate=_impersonation(user),
    )


def _pem(entry: Mapping[str, Any], key: str) -> str | None:
    """Return PEM text given inline as base64 (`<key>-data`, which wins) or as a file."""
    if inline := entry.get(f"{key}-data"):
        try:
            return base64.b64decode(inline, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, ValueError, TypeError) as error:
            raise InputError(f"kubeconfig: {key}-data is not base64 of PEM: {error}") from error
    return _text(Path(entry[key])) if entry.get(key) else None


def _plugin(spec: Mapping[str, Any], cluster: Mapping[str, Any], ca: str | None) -> Plugin:
    if not spec.get("command") or not spec.get("apiVersion"):
        raise InputError("kubeconfig: user.exec needs `command` and `apiVersion`")
    info = {
        "server": cluster["server"],
        "tls-server-name": cluster.get("tls-server-name"),
        "insecure-skip-tls-verify": cluster.get("insecure-skip-tls-verify"),
        "certificate-authority-data": base64.b64encode(ca.encode()).decode() if ca else None,
        "proxy-url": cluster.get("proxy-url"),
    }
    return Plugin(
        api_version=spec["apiVersion"],
        command=spec["command"],
        args=tuple(map(str, spec.get("args") or ())),
        env={item["name"]: str(item.get("value", "")) for item in spec.get("env") or ()},
        interactive=spec.get("interactiveMode") or "IfAvailable",
        install_hint=spec.get("installHint") or "",
        cluster_info={k: v for k, v in info.items() if v}
        if spec.get("provideClusterInfo")
        else None,
    )


def _impersonation(user: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    headers = [("Impersonate-User", user["as"])] if user.get("as") else []
    headers += [("Impersonate-Uid", user["as-uid"])] if user.get("as-uid") else []
    headers += [("Impersonate-Group", group) for group in user.get("as-groups") or ()]
    for key, values in (user.get("as-user-extra") or {}).items():
        headers += [(f"Impersonate-Extra-{key}", value) for value in values]
    return tuple(headers)
