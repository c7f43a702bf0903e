"""The text of the Go modules that the binaries are built from, and what is read from others.

`k8s.io/kubernetes` replaces its staging modules by folders of its own repository, which a module
that requires it cannot see. So our module replaces each of them by the published version that
belongs to the same release: Kubernetes v1.36.3 goes with k8s.io/api v0.36.3 (source: the tags that
the publishing bot of Kubernetes sets).
"""

from __future__ import annotations

import re
from typing import Final

from quotatree.errors import InputError

KUBERNETES_PACKAGES: Final = {
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
}
ETCD_PACKAGES: Final = {"etcd": "go.etcd.io/etcd/server/v3"}
PACKAGES: Final = KUBERNETES_PACKAGES | ETCD_PACKAGES

# The `tool` directive, which keeps a command's dependencies in go.mod, came with this one.
_OLDEST_GO: Final = (1, 24, 0)
_STAGING = re.compile(
    r"^\s*(?:replace\s+)?(k8s\.io/\S+)\s+=>\s+\./staging/src/\1\s*$", re.MULTILINE
)
_GO = re.compile(r"^go\s+(\d+)\.(\d+)(?:\.(\d+))?\s*$", re.MULTILINE)


def staging_modules(go_mod: str) -> tuple[str, ...]:
    """The modules that Kubernetes' own go.mod replaces by folders, sorted."""
    return tuple(sorted(_STAGING.findall(go_mod)))


def staging_version(kubernetes: str) -> str:
    """The version of the staging modules: 1.36.3 → v0.36.3, 1.37.0-rc.1 → v0.37.0-rc.1."""
    major, rest = kubernetes.split(".", 1)
    if major != "1":
        raise InputError(f'no staging modules are known for Kubernetes "{kubernetes}"')
    return f"v0.{rest}"


def go_version(go_mod: str) -> str:
    """The Go version that a go.mod asks for, but never one without the `tool` directive."""
    found = _GO.search(go_mod)
    asked = tuple(int(part or 0) for part in found.groups()) if found else _OLDEST_GO
    return ".".join(str(part) for part in max(asked, _OLDEST_GO))


def kubernetes_module(version: str, *, go_mod: str) -> str:
    """The go.mod that builds Kubernetes `version`, before `go mod tidy`.

    `go_mod` is the text of the go.mod of k8s.io/kubernetes itself at that version.
    """
    staging = staging_modules(go_mod)
    if not staging:
        raise InputError(f"the go.mod of k8s.io/kubernetes v{version} replaces no staging module")
    required = staging_version(version)
    return "\n".join(
        [
            "module quotatree.dev/sandbox/kubernetes",
            "",
            f"go {go_version(go_mod)}",
            "",
            f"require k8s.io/kubernetes v{version}",
            "",
            "tool (",
            *(f"\t{package}" for package in KUBERNETES_PACKAGES.values()),
            ")",
            "",
            "replace (",
            *(f"\t{module} => {module} {required}" for module in staging),
            ")",
            "",
        ]
    )


def etcd_module(version: str, *, go_mod: str) -> str:
    """The go.mod that builds etcd `version`, before `go mod tidy`."""
    package = ETCD_PACKAGES["etcd"]
    return "\n".join(
        [
            "module quotatree.dev/sandbox/etcd",
            "",
            f"go {go_version(go_mod)}",
            "",
            f"require {package} v{version}",
            "",
            f"tool {package}",
            "",
        ]
    )


def linker_flags(product: str, version: str) -> str:
    """What `go build -ldflags` gets: no symbols, and the version that the binary reports.

    Source: `hack/lib/version.sh` of Kubernetes names the variables; etcd knows its version itself.
    """
    if product != "kubernetes":
        return "-s -w"
    major, minor = version.split(".")[:2]
    values = {
        "gitVersion": f"v{version}",
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
    }
    settings = [
        f"-X {package}.{key}={value}"
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
        for key, value in values.items()
    ]
    return " ".join(["-s -w", *settings])
