"""Label selectors pick what Kubernetes picks."""

import pytest

from quotatree.importers import selectors

LABELS = {"env": "dev", "tier": "1"}


def term(key, operator, *values):
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "want"),
    [
        pytest.param({}, True, id="empty picks all"),
        pytest.param({"matchLabels": {"env": "dev"}}, True, id="equal"),
        pytest.param({"matchLabels": {"env": "dev", "tier": "2"}}, False, id="all must be equal"),
        pytest.param(term("env", "In", "prod", "dev"), True, id="in"),
        pytest.param(term("env", "In", "prod"), False, id="not among"),
        pytest.param(term("env", "NotIn", "prod"), True, id="not in"),
        pytest.param(term("none", "NotIn", "prod"), True, id="absent is not in"),
        pytest.param(term("none", "In", "prod"), False, id="absent is not among"),
        pytest.param(term("env", "Exists"), True, id="exists"),
        pytest.param(term("none", "DoesNotExist"), True, id="does not exist"),
        pytest.param(term("env", "DoesNotExist"), False, id="exists after all"),
        pytest.param(term("env", "Like", "d*"), False, id="no such operator"),
        pytest.param(
            {"matchLabels": {"env": "dev"}} | term("tier", "In", "2"), False, id="both must hold"
        ),
    ],
)
def test_selector(selector, want):
    assert selectors.matches(selector, LABELS) is want
