"""The health check for Argo CD, run as Argo CD runs it: Lua over the object as `obj`."""

import lupa
import pytest
import yaml
from tests.service.integrations import INTEGRATIONS

KEY = "resource.customizations.health.quotatree.dev_TreeQuota"
SCRIPT = yaml.safe_load((INTEGRATIONS / "argocd" / "health.yaml").read_text(encoding="utf-8"))
READY = {"type": "Ready", "status": "True", "message": "in force"}


def health(obj):
    lua = lupa.LuaRuntime(unpack_returned_tuples=True)
    lua.globals().obj = lua.table_from(obj, recursive=True)
    answer = lua.execute(SCRIPT["data"][KEY])
    return answer["status"], answer["message"]


def quota(*conditions, observed=2):
    status = {"observedGeneration": observed, "conditions": list(conditions)}
    return {"metadata": {"generation": 2}, "status": status}


def condition(kind, status, message):
    return {"type": kind, "status": status, "message": message}


@pytest.mark.parametrize(
    ("obj", "want"),
    [
        pytest.param(
            {"metadata": {"generation": 1}}, ("Progressing", "waiting for the controller"), id="new"
        ),
        pytest.param(
            quota(READY, observed=1), ("Progressing", "waiting for the controller"), id="changed"
        ),
        pytest.param(quota(), ("Progressing", "not measured yet"), id="no conditions"),
        pytest.param(
            quota(condition("Ready", "False", "vision is not measured")),
            ("Progressing", "vision is not measured"),
            id="measuring",
        ),
        pytest.param(quota(READY), ("Healthy", "in force"), id="in force"),
        pytest.param(
            quota(READY, condition("Exceeded", "True", "over by 3")),
            ("Degraded", "over by 3"),
            id="exceeded",
        ),
        pytest.param(
            quota(READY, condition("GuaranteeGranted", "False", "no room in org")),
            ("Progressing", "no room in org"),
            id="a guarantee waits",
        ),
        pytest.param(
            quota(
                READY,
                condition("Exceeded", "False", ""),
                condition("GuaranteeGranted", "True", ""),
                condition("LooserThanAncestor", "True", "org allows less"),
            ),
            ("Healthy", "in force"),
            id="what is only a warning",
        ),
    ],
)
def test_health_for_argo_cd(obj, want):
    assert health(obj) == want
