"""Namespaces that exist and become the program's own: imported, compared, then managed."""

import pytest
from recording import run

from pulumi_quotatree import QuotaTree, TreeError

TREE = {
    "org": {
        "hard": {"cpu": "20"},
        "labels": {"stage": "prod"},
        "children": {"team": {"quotas": [{"name": "best", "hard": {"pods": "5"}}]}},
    }
}
LIVE = {
    "org": {
        "metadata": {
            "name": "org",
            "labels": {"stage": "prod", "org.tree.quotatree.dev/depth": "0"},
            "annotations": {"quotatree.dev/children": "1"},
        },
        "spec": {"finalizers": ["kubernetes"]},
    },
    "team": {"metadata": {"name": "team", "labels": {"quotatree.dev/parent": "org"}}},
    "org/quota": {"metadata": {"name": "quota"}, "spec": {"hard": {"cpu": "20000m"}}},
    "team/best": {"metadata": {"name": "best"}, "spec": {"hard": {"pods": "5"}}},
}


def program(**args):
    given = {"take_over": ["org", "team"], "import_only": True, **args}
    return lambda: QuotaTree("lab", {"tree": TREE, **given})


def test_what_exists_is_imported_by_its_id_and_compared_by_nobody_else():
    ran = run(program(), live=LIVE)
    wanted = {"lab-org": "org", "lab-team": "team"}
    wanted |= {"lab-org.quota": "org/quota", "lab-team.best": "team/best"}
    assert {name: ran[name].request.importId for name in wanted} == wanted
    for name in wanted:
        assert list(ran[name].request.ignoreChanges) == ["metadata", "spec", "status"]
        assert set(ran[name].inputs) == {"apiVersion", "kind", "metadata"}
        assert set(ran[name].metadata) <= {"name", "namespace"}


def test_nothing_is_told_where_the_program_says_what_the_cluster_has():
    assert run(program(), live=LIVE).warnings == []


@pytest.mark.parametrize(
    ("id_", "there", "want"),
    [
        ("org", {"metadata": {"labels": {"stage": "test"}}}, "label stage: the cluster has test"),
        ("org", {"metadata": {}}, "label stage: the cluster has none, this program prod"),
        ("team", {"metadata": {}}, "label quotatree.dev/parent: the cluster has none"),
        (
            "org",
            {"metadata": {"labels": {"stage": "prod", "quotatree.dev/parent": "top"}}},
            "label quotatree.dev/parent: the cluster has top, this program none",
        ),
        ("org/quota", {"spec": {"hard": {"cpu": "30"}}}, "hard: the cluster has cpu=30"),
        ("org/quota", {"spec": {}}, "hard: the cluster has none, this program cpu=20"),
        (
            "team/best",
            {"spec": {"hard": {"pods": "5"}, "scopes": ["BestEffort"]}},
            "scopes: the cluster has BestEffort, this program none",
        ),
        (
            "team/best",
            {"spec": {"hard": {"pods": "5"}, "failurePolicy": "Ignore"}},
            "failurePolicy: the cluster has Ignore, this program Fail",
        ),
        (
            "team/best",
            {"spec": {"hard": {"pods": "5"}, "mode": "Observe"}},
            "mode: the cluster has Observe, this program Enforce",
        ),
    ],
    ids=[
        "label",
        "no-label",
        "no-parent",
        "a-parent",
        "hard",
        "no-hard",
        "scopes",
        "policy",
        "mode",
    ],
)
def test_what_differs_is_told(id_, there, want):
    (warning,) = run(program(), live={**LIVE, id_: there}).warnings
    assert want in warning
    assert "`pulumi up` without import_only sets it" in warning


def test_afterwards_its_fields_are_the_programs_whoever_named_them_before():
    ran = run(program(import_only=False))
    assert ran["lab-org"].request.importId == ""
    assert ran["lab-org"].metadata["labels"] == {"stage": "prod"}
    assert ran["lab-org"].metadata["annotations"]["pulumi.com/patchForce"] == "true"
    quota = ran["lab-org.quota"]
    assert quota.inputs["spec"] == {"hard": {"cpu": "20"}}
    assert quota.metadata["annotations"]["pulumi.com/patchForce"] == "true"


def test_a_guarantee_that_has_waited_for_room_does_not_stop_its_new_owner():
    tree = {"org": {"hard": {"cpu": "20"}, "guaranteed": {"cpu": "5"}}}
    ran = run(lambda: QuotaTree("lab", {"tree": tree, "take_over": ["org"]}))
    wait = ran["lab-org.quota"].metadata["annotations"]["pulumi.com/waitFor"]
    assert wait == "condition=Ready"


def test_what_is_not_listed_is_made_as_ever():
    ran = run(program(take_over=["org"]), live=LIVE)
    assert ran["lab-team"].request.importId == ""
    assert "pulumi.com/patchForce" not in ran["lab-team"].metadata.get("annotations", {})
    assert ran["lab-team.best"].inputs["spec"] == {"hard": {"pods": "5"}}


@pytest.mark.parametrize(
    ("args", "want"),
    [
        ({"take_over": ["tem"]}, 'take_over[0]: "tem" is no namespace of this tree (did you mean'),
        ({"adopt": ["org"]}, 'take_over: "org" is adopted too'),
        ({"import_only": "yes"}, "import_only: must be true or false"),
    ],
    ids=["misspelt", "both", "no-flag"],
)
def test_mistakes_are_told_at_once(args, want):
    with pytest.raises(TreeError) as error:
        run(program(**args))
    assert want in str(error.value)
