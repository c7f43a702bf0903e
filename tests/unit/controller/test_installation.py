"""What the controller keeps true about its own installation."""

from typing import Any

import pytest

from quotatree.cluster import paths
from quotatree.controller import installation
from quotatree.settings import Settings, WebhookSettings


class Pods:
    """Pods with labels, as the API server has them."""

    def __init__(self, **labels: dict[str, str]) -> None:
        self.labels = labels

    async def list_all(
        self, kind: paths.Kind, *, namespace: str, label_selector: str
    ) -> tuple[list[dict[str, Any]], int]:
        assert (kind, namespace) == (paths.PODS, "quotatree-system")
        key, _, value = label_selector.partition("=")
        found = [name for name, labels in self.labels.items() if labels.get(key) == value]
        return [{"metadata": {"name": name}} for name in found], 1

    async def patch(self, kind: paths.Kind, name: str, *, body: Any, namespace: str) -> None:
        assert (kind, namespace) == (paths.PODS, "quotatree-system")
        for key, value in body["metadata"]["labels"].items():
            if value is None:
                self.labels[name].pop(key, None)
            else:
                self.labels[name][key] = value

    def led_by(self) -> list[str]:
        return [n for n, labels in self.labels.items() if "quotatree.dev/leader" in labels]


async def label(pods: Pods, pod: str, *, leads: bool) -> None:
    await installation.label_leader(
        pods,  # type: ignore[arg-type]
        namespace="quotatree-system",
        pod=pod,
        leads=leads,
    )


async def test_the_label_of_a_pod_that_died_with_it_goes_when_another_leads():
    pods = Pods(a={"quotatree.dev/leader": "true", "app": "x"}, b={})
    await label(pods, "b", leads=True)
    assert (pods.led_by(), pods.labels["a"]) == (["b"], {"app": "x"})


async def test_a_pod_that_steps_down_takes_its_own_label_off_and_no_others():
    pods = Pods(a={"quotatree.dev/leader": "true"}, b={"quotatree.dev/leader": "true"})
    await label(pods, "a", leads=False)
    assert pods.led_by() == ["b"]


@pytest.mark.parametrize(
    ("host", "want"),
    [
        ("10.0.0.7", "https://10.0.0.7:9443"),
        ("fd00::7", "https://[fd00::7]:9443"),
        (None, ""),
    ],
)
def test_a_replica_is_reached_at_its_address_and_port(host: str | None, want: str) -> None:
    settings = Settings(identity="a", webhook=WebhookSettings(address=host))
    assert installation.address(settings) == want
