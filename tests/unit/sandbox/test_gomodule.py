from importlib import resources

import pytest

from quotatree.errors import InputError
from quotatree.sandbox import gomodule
from quotatree.sandbox.versions import PINNED

UPSTREAM = """\
module k8s.io/kubernetes

go 1.25.0

require (
\tk8s.io/api v0.0.0
\tk8s.io/klog/v2 v2.130.1
)

replace (
\tk8s.io/client-go => ./staging/src/k8s.io/client-go
\tk8s.io/api => ./staging/src/k8s.io/api
)
"""

WANT = """\
module quotatree.dev/sandbox/kubernetes

go 1.25.0

require k8s.io/kubernetes v1.35.4

tool (
\tk8s.io/kubernetes/cmd/kube-apiserver
\tk8s.io/kubernetes/cmd/kube-controller-manager
\tk8s.io/kubernetes/cmd/kube-scheduler
\tk8s.io/kubernetes/cmd/kubectl
)

replace (
\tk8s.io/api => k8s.io/api v0.35.4
\tk8s.io/client-go => k8s.io/client-go v0.35.4
)
"""


def test_the_module_replaces_every_staging_module_by_its_published_version():
    assert gomodule.kubernetes_module("1.35.4", go_mod=UPSTREAM) == WANT


def test_a_go_mod_without_staging_modules_is_refused():
    with pytest.raises(InputError, match=r"v1\.35\.4 replaces no staging module"):
        gomodule.kubernetes_module("1.35.4", go_mod="module k8s.io/kubernetes\n")


def test_the_shipped_module_is_the_generated_one_plus_what_go_mod_tidy_adds():
    folder = resources.files("quotatree.sandbox") / "gomod" / "kubernetes"
    shipped = (folder / "go.mod").read_text()
    upstream = "\n".join(
        ["go 1.26.0", *(f"replace {m} => ./staging/src/{m}" for m in _replaced(shipped))]
    )

    generated = gomodule.kubernetes_module(PINNED.kubernetes, go_mod=upstream)

    assert set(generated.splitlines()) - set(shipped.splitlines()) == {
        f"require k8s.io/kubernetes v{PINNED.kubernetes}"
    }
    assert f"k8s.io/kubernetes v{PINNED.kubernetes}" in shipped


def test_the_shipped_etcd_module_has_the_pinned_version():
    folder = resources.files("quotatree.sandbox") / "gomod" / "etcd"

    assert f"go.etcd.io/etcd/server/v3 v{PINNED.etcd}" in (folder / "go.mod").read_text()


@pytest.mark.parametrize(
    ("kubernetes", "want_staging"), [("1.36.3", "v0.36.3"), ("1.37.0-rc.1", "v0.37.0-rc.1")]
)
def test_staging_modules_have_major_version_0(kubernetes, want_staging):
    assert gomodule.staging_version(kubernetes) == want_staging


@pytest.mark.parametrize(
    ("go_mod", "want_go"),
    [("go 1.26.0\n", "1.26.0"), ("go 1.25\n", "1.25.0"), ("go 1.22.0\n", "1.24.0"), ("", "1.24.0")],
    ids=["as it is", "without patch", "too old for tool lines", "none"],
)
def test_go_is_new_enough_for_tool_lines(go_mod, want_go):
    assert gomodule.go_version(go_mod) == want_go


def test_the_binary_is_told_its_version():
    flags = gomodule.linker_flags("kubernetes", "1.36.3")

    assert "-X k8s.io/component-base/version.gitVersion=v1.36.3" in flags
    assert "-X k8s.io/component-base/version.gitMinor=36" in flags


def _replaced(shipped):
    return [line.split()[0] for line in shipped.splitlines() if "=>" in line]
