"""Who gets its first figures from us: what was born behind a closed gate, and nobody else."""

from dataclasses import replace

import pytest

from quotatree.engine import birth, plan
from quotatree.engine.world import World
from quotatree.model import names
from quotatree.model.names import Namespace
from quotatree.model.scope import ScopeTerm, managed_name, scope_set
from quotatree.testing import words
from quotatree.units.resources import EMPTY, Resources

NEW = Namespace("new")
BEST_EFFORT = scope_set([ScopeTerm(scope="BestEffort")])


def born(tree: str = "org: pods 5, cpu 3", *, changed: bool = True, **fields: object) -> World:
    """Return a world with a namespace whose managed quotas were created a moment ago."""
    return bear(words.world(tree), changed=changed, **fields)


def bear(world: World, *, changed: bool = True, **fields: object) -> World:
    world.see_namespace(words.namespace("new", parent="org", version=1000), changed=changed)
    for number, (scopes, hard) in enumerate(plan.wanted_hard(world, NEW).items()):
        made = words.managed(world, "new", used={}, scopes=scopes, version=1001 + number)
        bare = replace(made, spec_hard=hard, status_hard=EMPTY, used=EMPTY, ready=False, epoch=1)
        world.see_managed(replace(bare, **fields))
    return world


def test_zeros_are_written_and_the_gate_is_opened_in_one_write():
    found = birth.first_figures(born(), NEW)
    assert found.kinds == ("pods",)
    (write,) = found.writes
    assert write.used == Resources.parse({"pods": "0", "cpu": "0"})
    assert write.hard.keys() == write.used.keys()
    assert write.resource_version == 1001
    assert write.annotations == {names.ANNOTATION_READY: "true"}


def test_of_several_quotas_none_opens_the_gate_for_the_others():
    world = words.world("org: pods 5")
    scoped = words.quota("org", hard={"pods": "1"}, scopes=BEST_EFFORT)
    world.see_quota(replace(scoped, name="scoped"))
    found = birth.first_figures(bear(world), NEW)
    assert [w.quota for w in found.writes] == ["quotatree", managed_name(BEST_EFFORT)]
    assert [w.annotations for w in found.writes] == [{}, {}]


@pytest.mark.parametrize(
    "fields",
    [
        {"ready": True},
        {"epoch": 2},
        {"terminating": True},
        {"used": Resources.parse({"pods": "1"})},
        {"spec_hard": Resources.parse({"pods": "1E"})},
    ],
    ids=["the gate is open", "another leader's", "on its way out", "in use", "not as wanted"],
)
def test_what_is_not_new_and_ours_is_left_to_be_counted(fields):
    assert birth.first_figures(born(**fields), NEW) is None


def test_what_may_have_been_there_before_its_gate_is_left_to_be_counted():
    assert birth.first_figures(born(changed=False), NEW) is None
    world = words.world("org: pods 5")
    world.see_namespace(words.namespace("new", version=999), changed=True)
    assert birth.first_figures(bear(world), NEW) is None


@pytest.mark.parametrize("name", ["configmaps", "count/secrets", "count/jobs.batch", "a.example/b"])
def test_kinds_that_we_may_not_list_are_left_to_be_counted(name):
    assert birth.first_figures(born(f"org: pods 5, {name} 3"), NEW) is None


def test_a_namespace_of_the_same_name_is_another_one():
    world = born()
    world.lose_namespace(NEW, 2000)
    assert birth.first_figures(world, NEW) is None
    world.see_namespace(words.namespace("new", version=2001, uid="other"), changed=True)
    assert NEW not in world.born
