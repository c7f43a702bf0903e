"""Where objects live, and what must never become a path."""

from __future__ import annotations

import pytest

from quotatree.cluster import paths
from quotatree.errors import InputError


@pytest.mark.parametrize(
    ("path", "want"),
    [
        (paths.PODS.path(), "/api/v1/pods"),
        (paths.PODS.path("ns"), "/api/v1/namespaces/ns/pods"),
        (paths.PODS.path("ns", "p", "resize"), "/api/v1/namespaces/ns/pods/p/resize"),
        (paths.NAMESPACES.path(None, "ns"), "/api/v1/namespaces/ns"),
        (
            paths.TREE_QUOTAS.path("ns", "q", "status"),
            "/apis/quotatree.dev/v1alpha1/namespaces/ns/treequotas/q/status",
        ),
        (
            paths.CLUSTER_ROLES.path(None, "system:node"),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node",
        ),
        (paths.PODS.path("ns", "../x?y#z"), "/api/v1/namespaces/ns/pods/..%2Fx%3Fy%23z"),
    ],
    ids=["all", "one namespace", "subresource", "cluster-wide", "custom", "colon", "hostile name"],
)
def test_path(path: str, want: str) -> None:
    assert path == want


@pytest.mark.parametrize(
    ("kind", "parts", "want"),
    [
        (paths.NAMESPACES, ("ns", "x"), "cluster-wide"),
        (paths.PODS, (None, "p"), "the namespace is missing"),
        (paths.PODS, ("ns", None, "status"), "the object's name is missing"),
        (paths.PODS, ("ns", ""), "an empty name"),
        (paths.PODS, ("", "p"), "an empty name"),
    ],
)
def test_what_names_no_object_is_refused(
    kind: paths.Kind, parts: tuple[str | None, ...], want: str
) -> None:
    with pytest.raises(InputError, match=want):
        kind.path(*parts)


def test_an_object_says_where_it_lives() -> None:
    obj = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "l", "namespace": "n"},
    }
    assert paths.of(obj) == "/apis/coordination.k8s.io/v1/namespaces/n/leases/l"
    with pytest.raises(InputError, match="'v2', kind 'Lease'"):
        paths.of({"apiVersion": "v2", "kind": "Lease"})


def test_every_kind_has_a_name_of_its_own() -> None:
    listed = [kind for kind in vars(paths).values() if isinstance(kind, paths.Kind)]
    assert len(paths.KINDS) == len(listed)
    assert all(kind.kind for kind in listed)
