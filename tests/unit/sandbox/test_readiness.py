import pytest

from quotatree.sandbox import readiness


def test_accounts_are_those_that_the_controllers_roles_are_bound_to():
    bindings = [
        _binding("system:controller:job-controller", "job-controller"),
        _binding("system:controller:job-controller-again", "job-controller"),
        _binding("system:controller:elsewhere", "x", namespace="default"),
        _binding("system:controller:person", "alice", kind="User"),
        _binding("cluster-admin", "root"),
        {"metadata": {"name": "system:controller:nobody"}},
    ]

    assert readiness.controller_accounts(bindings) == ["job-controller"]


def test_controllers_are_ready_when_each_has_done_its_work():
    api = FakeApi()
    probes = readiness.Controllers(api)
    assert len(probes.missing()) == 3

    api.works = True

    assert probes.missing() == []


@pytest.mark.parametrize("answer", [(0, None), (500, "etcd is away"), (403, {"kind": "Status"})])
def test_an_api_server_in_trouble_is_not_ready(answer):
    api = FakeApi()
    api.always = answer

    assert not readiness.api_ready(api)
    assert len(readiness.Controllers(api).missing()) == 3


def test_waiting_ends_at_the_deadline():
    assert not readiness.wait(lambda: False, deadline=0.0, between=lambda: None)


class FakeApi:
    """An API server whose controllers work from the moment when `works` is set."""

    def __init__(self):
        self.works = False
        self.always = None
        self.objects = {}

    def call(self, method, path, body=None):
        if self.always:
            return self.always
        if method == "POST":
            self.objects[f"{path}/{body['metadata']['name']}"] = body
            return 201, body
        if self.works:
            return self._worked(path)
        found = self.objects.get(path)
        return (200, found) if found else (404, {})

    def _worked(self, path):
        if "configmaps" in path:
            return 404, {}
        return 200, {"status": {"used": {"count/secrets": "0"}}}


def _binding(name, subject, namespace="kube-system", kind="ServiceAccount"):
    return {
        "metadata": {"name": name},
        "subjects": [{"kind": kind, "name": subject, "namespace": namespace}],
    }
