"""The doctor with few rights: what one may not read is said, and what was looked at is not lost."""

from __future__ import annotations

import pytest
from tests.service.cluster.scripted import Answer, Script

from quotatree.cli.doctor import command, reading
from quotatree.cli.doctor.command import Wishes
from quotatree.cluster.client import Client
from quotatree.errors import ClusterError
from quotatree.manifests import crd
from quotatree.manifests.settings import InstallSettings

CRD = crd.tree_quotas(InstallSettings(version="1", image="x")) | {
    "status": {"conditions": [{"type": "Established", "status": "True"}]}
}
FORBIDDEN = b'{"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no right"}'
BEFORE_THE_KIND = 4
"""Requests after the first one: configuration, trial, Lease, Secret."""


def only_version_and(script: Script, *, kind: bool) -> None:
    script.otherwise = Answer(403, (FORBIDDEN,))
    script.json({"gitVersion": "v1.36.0"})
    if kind:
        for _ in range(BEFORE_THE_KIND):
            script.refuse(403, "Forbidden", "no right")
        script.json(CRD)


async def test_a_tree_that_may_not_be_read_does_not_hide_the_installation(
    api: Client, script: Script
) -> None:
    only_version_and(script, kind=True)
    checks = await command.examined(api, Wishes(namespace="quotatree-system", fix=False))
    assert {check.name: check.result for check in checks} == {
        "API server": "ok",
        "custom resource": "ok",
        "installation": "not checked",
        "rights": "not checked",
        "webhook": "not checked",
        "certificate": "not checked",
        "quotas": "not checked",
        "usage": "not checked",
        "others": "not checked",
        "pod requests": "not checked",
    }


@pytest.mark.parametrize(
    ("kind", "fix"),
    [
        pytest.param(True, True, id="a repair was asked for"),
        pytest.param(False, False, id="nothing may be read"),
    ],
)
async def test_what_cannot_be_done_at_all_is_an_error(
    api: Client, script: Script, *, kind: bool, fix: bool
) -> None:
    only_version_and(script, kind=kind)
    with pytest.raises(ClusterError, match="no right"):
        await command.examined(api, Wishes(namespace="quotatree-system", fix=fix))


async def test_a_configuration_that_may_not_be_read_is_not_absent(
    api: Client, script: Script
) -> None:
    script.refuse(403, "Forbidden", "no right")
    script.refuse(404)
    found, why = await reading.configuration(api)
    assert found is None
    assert "no right" in why
    assert await reading.configuration(api) == (None, "")
