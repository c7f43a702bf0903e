"""QuotaTreeInstallation on the real engine: quotatree and its first tree in one program."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from tests.pulumi.ground import Ground, pod
from tests.pulumi.soak import SOAK
from tests.pulumi.workshop import PROGRAMS, Stack, Workshop

import quotatree
from quotatree.cli import install
from quotatree.cluster import paths
from quotatree.manifests import install as manifests
from quotatree.manifests import rbac
from quotatree.manifests.settings import DEFAULT_NAMESPACE, InstallSettings
from quotatree.sandbox import SandboxState, Silent

pytestmark = pytest.mark.pulumi

PROGRAM = PROGRAMS / "installation"


@pytest.fixture
def empty(bare: SandboxState, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    """The control plane without quotatree; programs run there."""
    monkeypatch.setenv("KUBECONFIG", str(bare.kubeconfig))
    ground = Ground(bare.kubeconfig)
    try:
        yield ground
    finally:
        ground.close()


def controller(bare: SandboxState, ground: Ground) -> threading.Thread:
    """What a Deployment does where there are nodes: start the controller when it may."""

    def work() -> None:
        account = (paths.SERVICE_ACCOUNTS, rbac.SERVICE_ACCOUNT, DEFAULT_NAMESPACE)
        ground.until(lambda: bool(ground.get(*account)), "the controller's account is there")
        install.start_in_sandbox(bare, Silent())

    started = threading.Thread(target=work)
    started.start()
    return started


def expected(bare: SandboxState) -> list[dict[str, object]]:
    """The very objects of `quotatree manifests`."""
    settings = InstallSettings(version=quotatree.__version__, webhook_url=bare.webhook_url)
    return list(manifests.installation(settings))


def test_quotatree_and_its_first_tree_come_up_and_go_in_one_program(
    workshop: Workshop, bare: SandboxState, *, empty: Ground
) -> None:
    config = {"webhook_url": bare.webhook_url, "namespace": "first"}
    stack = workshop.stack(PROGRAM, "whole", config=config)
    stack.preview()
    assert not empty.exists(DEFAULT_NAMESPACE)
    starting = controller(bare, empty)
    stack.up()
    starting.join()
    assert stack.outputs == {"ready": "quotatree.dev/v1alpha1", "namespaces": {"first": "first"}}
    assert [empty.create(pod(f"n{n}"), "first") == "" for n in range(3)] == [True, True, False]
    wanted = expected(bare)
    of_tree = ("TreeQuota", "QuotaTree", "QuotaTreeInstallation")
    kinds = [urn.split("::")[2].split(":")[-1] for urn in stack.resources]
    made = [kind for kind in kinds if kind not in of_tree]
    assert len(made) == len(wanted) + 2, made  # the tree's Namespace, and the look for the CRD
    is_settled(stack)
    already_there(workshop)
    stack.destroy()
    assert stack.resources == []
    assert not empty.exists("first")
    assert not empty.exists(DEFAULT_NAMESPACE)


def is_settled(stack: Stack) -> None:
    """The controller wrote certificates and status meanwhile: none of it is the program's."""
    if SOAK:
        assert set(stack.up()) == {"same", "read"}
    stack.refresh()
    assert set(stack.up()) == {"same", "read"}


def already_there(workshop: Workshop) -> None:
    config = {"existing": "true", "namespace": "second"}
    second = workshop.stack(PROGRAM, "existing", config=config)
    second.up()
    assert second.outputs["namespaces"] == {"second": "second"}
    second.destroy()


def test_an_installation_that_is_not_there_is_told_at_preview(
    workshop: Workshop, empty: Ground
) -> None:
    config = {"existing": "true", "namespace": "never"}
    errors = workshop.stack(PROGRAM, config=config).errors("preview")
    assert any("quotatree-needs-quotatree-installed" in said for said in errors), errors
    assert not empty.exists("never")


def test_a_tree_on_a_cluster_without_quotatree_is_told_at_preview(
    workshop: Workshop, empty: Ground
) -> None:
    stack = workshop.stack(PROGRAMS / "one-node", config={"namespace": "never"})
    began = time.monotonic()
    (said,) = stack.errors("preview")
    assert time.monotonic() - began < 30
    assert "needs-quotatree-installed" in said
    assert "does not exist" in said
