"""Objects to the state of the tree: who belongs to it, and whose numbers are whose."""

import pytest

from quotatree.engine import survey
from quotatree.errors import InputError
from quotatree.model.observed import ManagedQuota, ObservedNamespace
from quotatree.model.quota import Quota
from quotatree.model.scope import ScopeTerm
from quotatree.units.resources import Resources

BEST_EFFORT = (ScopeTerm(scope="BestEffort"),)


def namespace(name, parent=None, **other):
    return ObservedNamespace(name=name, uid=name, resource_version=1, parent=parent, **other)


def quota(namespace, hard, name="quota", **other):
    return Quota(namespace=namespace, name=name, hard=Resources.parse(hard), **other)


def measured(namespace, used, *, ready=True, scopes=(), **other):
    used = Resources.parse(used)
    return ManagedQuota(
        namespace=namespace,
        name="quotatree",
        uid=f"{namespace}-{scopes}",
        resource_version=1,
        scopes=scopes,
        spec_hard=used,
        status_hard=used,
        used=used,
        ready=ready,
        **other,
    )


def state(*, spaces, quotas=(), managed=()):
    return survey.survey(
        survey.Observed(namespaces=spaces, quotas=quotas, managed=managed, resource_version=9)
    )


def by_name(found):
    return {node.namespace: node for node in found.nodes}


def test_only_namespaces_of_a_tree_are_in_it_sorted_by_path():
    found = state(
        spaces=(
            namespace("zoo"),
            namespace("b", "zoo"),
            namespace("a", "zoo"),
            namespace("a1", "a"),
            namespace("alone"),
            namespace("limited"),
        ),
        quotas=(quota("limited", {"cpu": "1"}),),
    )
    assert [node.namespace for node in found.nodes] == ["limited", "zoo", "a", "a1", "b"]
    assert found.resource_version == 9


def test_several_quotas_of_a_namespace_count_as_the_tightest():
    found = state(
        spaces=(namespace("a"),),
        quotas=(
            quota("a", {"cpu": "5", "pods": "9"}),
            quota("a", {"cpu": "3"}, name="other"),
        ),
    )
    assert found.nodes[0].figures.hard == Resources.parse({"cpu": "3", "pods": "9"})


def test_a_guarantee_counts_once_it_is_granted():
    asked = Resources.parse({"cpu": "4"})
    for granted, want in (({}, "2"), ({"cpu": "4"}, "4")):
        found = state(
            spaces=(namespace("a"), namespace("b", "a")),
            quotas=(
                quota("b", {}, guaranteed=asked, granted=Resources.parse(granted)),
                quota("a", {"cpu": "9"}),
            ),
            managed=(measured("b", {"cpu": "2"}),),
        )
        assert by_name(found)["a"].figures.charged == Resources.parse({"cpu": want})
        assert by_name(found)["a"].figures.used == Resources.parse({"cpu": "2"})


def test_a_slice_is_held_and_what_it_leaves_unused_is_available():
    found = state(
        spaces=(namespace("a"),),
        quotas=(quota("a", {"cpu": "9"}),),
        managed=(measured("a", {"cpu": "2"}, slice=Resources.parse({"cpu": "5"})),),
    )
    figures = found.nodes[0].figures
    assert (str(figures.used), str(figures.held), str(figures.available)) == (
        "cpu=2",
        "cpu=5",
        "cpu=7",
    )


def test_quotas_of_one_scope_set_form_their_own_tree_of_numbers():
    found = state(
        spaces=(namespace("a"), namespace("b", "a")),
        quotas=(quota("a", {"pods": "9"}, name="best", scopes=BEST_EFFORT),),
        managed=(measured("b", {"pods": "7"}), measured("b", {"pods": "2"}, scopes=BEST_EFFORT)),
    )
    (scoped,) = by_name(found)["b"].scoped
    assert str(scoped.figures.available) == "pods=7"
    assert str(by_name(found)["b"].figures.available) == ""


@pytest.mark.parametrize(
    ("managed", "want"),
    [
        ((), False),
        ((measured("a", {"cpu": "1"}),), True),
        ((measured("a", {"cpu": "1"}, ready=False),), False),
        ((measured("a", {}), measured("a", {"pods": "1"}, ready=False, scopes=BEST_EFFORT)), True),
    ],
    ids=["no ResourceQuota", "gate open", "gate closed", "a scoped one has no gate"],
)
def test_enforced_means_measured_with_an_open_gate(managed, want):
    found = state(spaces=(namespace("a"),), quotas=(quota("a", {"cpu": "9"}),), managed=managed)
    assert found.nodes[0].enforced is want


def test_a_part_of_the_tree_keeps_the_numbers_of_the_whole():
    whole = state(
        spaces=(namespace("a"), namespace("b", "a"), namespace("c", "a")),
        quotas=(quota("a", {"cpu": "9", "pods": "3"}),),
        managed=(measured("c", {"cpu": "4"}),),
    )
    part = survey.only(whole, namespace="b", resources=["cpu"])
    assert [node.namespace for node in part.nodes] == ["b"]
    assert str(part.nodes[0].figures.available) == "cpu=5"


def test_a_namespace_outside_every_tree_cannot_be_shown():
    with pytest.raises(InputError, match="in no tree"):
        survey.only(state(spaces=(namespace("a"),)), namespace="a")
