"""Plans, state in and state out: where every change of the tree ends without help."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quotatree.engine import plan, room
from quotatree.engine.world import World
from quotatree.model import effect, names
from quotatree.model.names import Namespace, QuotaName
from quotatree.model.observed import Lifecycle
from quotatree.model.quota import FailurePolicy
from quotatree.model.scope import ScopeTerm, scope_set
from quotatree.testing import words
from quotatree.testing.fake import FakeCluster
from quotatree.units.resources import Resources

ORG = "org: cpu 20 > team: cpu 5 > alice; team > bob"
BEST_EFFORT = scope_set([ScopeTerm(scope="BestEffort")])


def settled(text: str) -> tuple[World, FakeCluster]:
    world = words.world(text)
    cluster = FakeCluster(world)
    cluster.settle()
    return world, cluster


def hard(world: World, name: str, quota: str = "quotatree") -> str:
    return str(world.managed[Namespace(name)][quota].spec_hard)


def change(world: World, name: str, **fields: object) -> None:
    seen = world.namespaces[Namespace(name)]
    world.see_namespace(replace(seen, resource_version=seen.resource_version + 1, **fields))


def test_every_key_of_the_line_is_measured_and_none_is_limited_natively() -> None:
    world, _ = settled("org: cpu 20 > team: memory 5, pods 3 > alice: cpu 7")
    assert {n: hard(world, n) for n in ("org", "team", "alice")} == {
        "org": "cpu=1E,pods=1E",
        "team": "cpu=1E,memory=1Ei,pods=1E",
        "alice": "cpu=1E,memory=1Ei,pods=1E",
    }


def test_a_changed_limit_is_remembered_where_it_stands_and_written_nowhere_else() -> None:
    world, cluster = settled(ORG)
    changed = words.quota("org", hard={"cpu": "1"}, generation=2)
    world.see_quota(changed)
    (write,) = cluster.settle()
    assert isinstance(write, effect.PatchManaged)
    assert (write.namespace, write.limits) == ("org", (changed.asked,))


def test_what_the_controller_answers_to_a_limit_is_not_remembered() -> None:
    world, cluster = settled(ORG)
    quota = world.limits.find((Namespace("org"), QuotaName("quota")))
    assert quota is not None
    world.see_quota(replace(quota, granted=Resources.parse({"cpu": "1"})))
    assert cluster.settle() == []


def test_a_limit_that_is_gone_is_forgotten() -> None:
    world, cluster = settled(ORG)
    world.lose_quota(words.quota("team"))
    cluster.settle()
    assert {n: len(q["quotatree"].limits) for n, q in world.managed.items()} == {
        "org": 1,
        "team": 0,
        "alice": 0,
        "bob": 0,
    }


def test_scoped_limits_are_remembered_with_the_others() -> None:
    world, cluster = settled(ORG)
    world.see_quota(replace(words.quota("org", scopes=BEST_EFFORT), name=QuotaName("scoped")))
    cluster.settle()
    found = world.managed[Namespace("org")]
    assert [len(q.limits) for q in found.values()] == [2, 0]


def test_a_namespace_says_where_it_stands() -> None:
    world, _ = settled(ORG)
    labels = world.namespaces[Namespace("alice")].labels
    assert labels == {
        "alice.tree.quotatree.dev/depth": "0",
        "team.tree.quotatree.dev/depth": "1",
        "org.tree.quotatree.dev/depth": "2",
        "quotatree.dev/enforced": "true",
    }


def test_a_world_in_which_everything_is_written_gives_nothing_to_write() -> None:
    world, cluster = settled(ORG)
    assert cluster.settle() == []
    assert all(plan.plan_namespace(world, name) == () for name in world.namespaces)


def test_a_moved_subtree_takes_the_limits_of_its_new_place() -> None:
    world, cluster = settled(f"{ORG}; other: memory 3")
    change(world, "team", parent=Namespace("other"))
    cluster.settle()
    assert hard(world, "alice") == "cpu=1E,memory=1Ei,pods=1E"
    assert "org.tree.quotatree.dev/depth" not in world.namespaces[Namespace("alice")].labels
    assert world.namespaces[Namespace("org")].annotations == {}


def test_leaving_the_tree_takes_quota_and_labels_away() -> None:
    world, cluster = settled("org: cpu 20 > alice")
    change(world, "alice", parent=None)
    cluster.settle()
    assert world.managed[Namespace("alice")] == {}
    assert world.namespaces[Namespace("alice")].labels == {}


def test_a_managed_quota_that_was_deleted_comes_back_and_its_charge_never_went() -> None:
    world, cluster = settled("org: cpu 5 > a: holds cpu 5; org > b")
    world.lose_managed(world.managed[Namespace("a")]["quotatree"])
    node = world.ledger.forest.node(Namespace("org"))
    assert room.available(node, (), "cpu") == 0
    cluster.settle()
    assert hard(world, "a") == "cpu=1E,pods=1E"


def test_a_managed_quota_edited_by_hand_is_put_right() -> None:
    world, cluster = settled("org: cpu 5 > a")
    seen = world.managed[Namespace("a")]["quotatree"]
    edited = Resources.parse({"cpu": "999"})
    world.see_managed(
        replace(
            seen,
            resource_version=cluster.versions.next(),
            spec_hard=edited,
            status_hard=edited,
            labelled=False,
        )
    )
    cluster.settle()
    assert hard(world, "a") == "cpu=1E,pods=1E"
    assert world.managed[Namespace("a")]["quotatree"].labelled


@pytest.mark.parametrize(
    ("org", "team", "want"),
    [
        pytest.param("Ignore", "Ignore", "Ignore", id="every limit lets growth pass"),
        pytest.param("Ignore", "Fail", "Fail", id="its own limit is kept"),
        pytest.param("Fail", "Ignore", "Fail", id="the limit above is kept"),
    ],
)
def test_growth_passes_unjudged_only_where_every_limit_says_so(org: str, team: str, want: str):
    world, cluster = settled("org: cpu 5 > team: cpu 3 > a")
    for name, policy in (("org", org), ("team", team)):
        (known,) = world.limits.quotas(Namespace(name))
        policy_of = FailurePolicy(policy)
        world.see_quota(replace(known, generation=9, failure_policy=policy_of))
    cluster.settle()
    assert world.managed[Namespace("a")]["quotatree"].failure_policy.value == want
    assert world.managed[Namespace("org")]["quotatree"].failure_policy.value == org


def test_a_failure_policy_that_somebody_else_wrote_is_put_right() -> None:
    world, cluster = settled("org: cpu 5 > a")
    seen = world.managed[Namespace("a")]["quotatree"]
    version = cluster.versions.next()
    lenient = replace(seen, resource_version=version, failure_policy=FailurePolicy.IGNORE)
    assert world.see_managed(lenient) == {"a"}
    cluster.settle()
    assert world.managed[Namespace("a")]["quotatree"].failure_policy is FailurePolicy.FAIL


def test_a_resource_that_is_dropped_everywhere_leaves_the_managed_quotas() -> None:
    world, cluster = settled("org: cpu 5, pods 3 > a")
    world.see_quota(words.quota("org", hard={"cpu": "5"}, generation=2))
    cluster.settle()
    assert hard(world, "a") == "cpu=1E,pods=1E"


def test_a_scoped_quota_has_a_managed_quota_and_numbers_of_its_own() -> None:
    world, cluster = settled("org: cpu 5 > a")
    scoped = replace(words.quota("org", hard={"pods": "3"}, scopes=BEST_EFFORT), name="best-effort")
    world.see_quota(scoped)
    cluster.settle()
    assert hard(world, "a", "quotatree.besteffort") == "pods=1E"
    assert hard(world, "a") == "cpu=1E,pods=1E"
    world.lose_quota(scoped)
    cluster.settle()
    assert sorted(world.managed[Namespace("a")]) == ["quotatree"]


def test_a_key_that_is_only_guaranteed_is_measured_and_not_limited() -> None:
    world, _ = settled("org > a: keeps cpu 3")
    assert hard(world, "a") == "cpu=1E,pods=1E"


def test_the_gate_opens_only_when_every_quota_is_measured() -> None:
    world = words.world("org: cpu 5")
    world.see_namespace(words.namespace("new", parent="org", version=10**5))
    (create, *_) = plan.plan_namespace(world, Namespace("new"))
    assert isinstance(create, effect.CreateManaged)
    cluster = FakeCluster(world)
    cluster.carry_out(create)
    seen = world.managed[Namespace("new")]["quotatree"]
    unmeasured = replace(seen, resource_version=10**13, used=Resources(), status_hard=Resources())
    world.see_managed(unmeasured)
    plans = plan.plan_namespace(world, Namespace("new"))
    assert not any(isinstance(what, effect.PatchManaged) for what in plans)
    assert not any(
        isinstance(what, effect.PatchNamespace) and names.LABEL_ENFORCED in what.labels
        for what in plans
    )


def test_another_leaders_quota_is_left_alone() -> None:
    world, _ = settled("org: cpu 5 > a")
    seen = world.managed[Namespace("a")]["quotatree"]
    world.see_managed(
        replace(seen, resource_version=10**13, epoch=99, spec_hard=Resources.parse({"cpu": "1"}))
    )
    assert not any(
        isinstance(what, effect.PatchManaged | effect.PatchManagedStatus)
        for what in plan.plan_namespace(world, Namespace("a"))
    )


@pytest.mark.parametrize(
    ("lifecycle", "cascades", "want_owner"),
    [
        (Lifecycle.OWNED, True, "org"),
        (Lifecycle.OWNED, False, None),
        (Lifecycle.INDEPENDENT, True, None),
    ],
)
def test_a_namespace_is_owned_only_if_both_sides_say_so(
    lifecycle: Lifecycle, cascades: bool, want_owner: str | None
) -> None:
    world, cluster = settled("org: cpu 5 > a")
    if cascades:
        change(world, "org", annotations={names.ANNOTATION_CASCADE: "true"})
    change(world, "a", lifecycle=lifecycle)
    cluster.settle()
    owners = [owner.name for owner in world.namespaces[Namespace("a")].owners]
    assert owners == ([want_owner] if want_owner else [])
    has = names.FINALIZER_PARENT in world.namespaces[Namespace("org")].finalizers
    assert has == bool(want_owner)


def test_an_owner_with_another_uid_is_replaced_at_once() -> None:
    world, cluster = settled("org: cpu 5 > a")
    change(world, "org", annotations={names.ANNOTATION_CASCADE: "true"})
    change(world, "a", lifecycle=Lifecycle.OWNED)
    cluster.settle()
    change(world, "org", uid="uid-of-the-restored-org")
    (first, *_) = plan.plan_namespace(world, Namespace("a"))
    assert first == effect.SetOwner(
        namespace=Namespace("a"), uid=world.namespaces[Namespace("a")].uid, parent=Namespace("org")
    )


def owned(text: str, *owned: str, cascades: str = "org") -> tuple[World, FakeCluster]:
    """Return a settled world in which `owned` are Owned under a parent that cascades."""
    world, cluster = settled(text)
    change(world, cascades, annotations={names.ANNOTATION_CASCADE: "true"})
    for name in owned:
        change(world, name, lifecycle=Lifecycle.OWNED)
    cluster.settle()
    return world, cluster


def owners(world: World, name: str) -> list[str]:
    return [owner.uid for owner in world.namespaces[Namespace(name)].owners]


def test_our_finalizer_stands_on_the_parent_before_the_first_reference_to_it() -> None:
    world, _ = settled("org: cpu 5 > a")
    change(world, "org", annotations={names.ANNOTATION_CASCADE: "true"})
    change(world, "a", lifecycle=Lifecycle.OWNED)
    assert plan.plan_namespace(world, Namespace("a")) == ()
    finalizer = plan.plan_namespace(world, Namespace("org"))[-1]
    assert isinstance(finalizer, effect.SetFinalizer)
    assert finalizer.present


def test_permission_to_cascade_is_copied_down_before_a_parent_goes() -> None:
    world, cluster = owned("org: cpu 5 > team > a", "team")
    change(world, "org", terminating=True)
    (copied,) = plan.plan_namespace(world, Namespace("org"))
    assert isinstance(copied, effect.PatchNamespace)
    assert copied.namespace == "team"
    cluster.carry_out(copied)
    assert plan.plan_namespace(world, Namespace("org")) == (
        effect.SetFinalizer(
            namespace=Namespace("org"),
            uid=world.namespaces[Namespace("org")].uid,
            present=False,
        ),
    )


def test_a_reference_stays_while_the_owner_goes_and_when_it_has_gone() -> None:
    world, cluster = owned("org: cpu 5 > team > a", "team")
    uid = world.namespaces[Namespace("org")].uid
    change(world, "org", terminating=True)
    cluster.settle()
    assert owners(world, "team") == [uid]
    cluster.delete(Namespace("org"))
    cluster.settle()
    assert owners(world, "team") == [uid]


@pytest.mark.parametrize("then", ["independent", "moved", "forbidden"])
def test_a_parent_that_goes_lets_those_go_first_that_no_longer_follow(then: str) -> None:
    world, cluster = owned("org: cpu 5 > a; other", "a")
    change(world, "org", terminating=True)
    if then == "independent":
        change(world, "a", lifecycle=Lifecycle.INDEPENDENT)
    elif then == "moved":
        change(world, "a", parent=Namespace("other"))
    else:
        change(world, "org", annotations={})
    (first,) = plan.plan_namespace(world, Namespace("org"))
    assert isinstance(first, effect.SetOwner)
    assert first.parent is None
    cluster.settle()
    assert owners(world, "a") == []
    assert names.FINALIZER_PARENT not in world.namespaces[Namespace("org")].finalizers


def test_an_owner_that_was_never_seen_going_is_a_mistake() -> None:
    world, cluster = owned("org: cpu 5 > a", "a")
    cluster.delete(Namespace("org"))
    cluster.settle()
    assert owners(world, "a") == []


def test_a_moved_child_frees_its_old_owner_of_the_finalizer() -> None:
    world, cluster = owned("org: cpu 5 > a; other", "a")
    change(world, "a", parent=Namespace("other"))
    cluster.settle()
    assert owners(world, "a") == []
    assert names.FINALIZER_PARENT not in world.namespaces[Namespace("org")].finalizers


def counted(world: World, name: str) -> str:
    return world.namespaces[Namespace(name)].annotations.get(names.ANNOTATION_CHILDREN, "0")


def held_back(world: World, name: str) -> bool:
    return names.FINALIZER_PARENT in world.namespaces[Namespace(name)].finalizers


def test_a_child_that_is_being_deleted_holds_its_parent_back_and_counts_no_more() -> None:
    world, cluster = settled("org: cpu 5 > a; org > b")
    change(world, "a", terminating=True)
    cluster.settle()
    assert (counted(world, "org"), held_back(world, "org")) == ("1", True)
    cluster.delete(Namespace("a"))
    cluster.settle()
    assert (counted(world, "org"), held_back(world, "org")) == ("1", False)


def test_a_child_counts_until_our_finalizer_stands_on_its_parent_in_one_write() -> None:
    world, _ = settled("org: cpu 5 > a")
    change(world, "a", terminating=True)
    assert plan.plan_namespace(world, Namespace("org")) == (
        effect.SetFinalizer(
            namespace=Namespace("org"),
            uid=world.namespaces[Namespace("org")].uid,
            present=True,
            annotations={names.ANNOTATION_CHILDREN: None},
        ),
    )
    assert counted(world, "org") == "1"


def test_a_parent_is_gone_only_after_the_children_that_went_before_it() -> None:
    world, cluster = settled("top: cpu 9 > org > a: holds cpu 3")
    change(world, "a", terminating=True)
    cluster.settle()
    change(world, "org", terminating=True)
    cluster.settle()
    assert held_back(world, "org")
    assert world.ledger.forest.node(Namespace("top")).book(()).charge("cpu") == 3 * 10**9
    cluster.delete(Namespace("a"))
    cluster.settle()
    assert not held_back(world, "org")


def test_a_tightening_does_not_make_the_label_enforced_flicker() -> None:
    world, cluster = settled("org: cpu 5 > a")
    seen = world.managed[Namespace("a")]["quotatree"]
    tight = Resources.parse({"cpu": "2", "pods": "1E"})
    world.see_managed(replace(seen, resource_version=cluster.versions.next(), status_hard=tight))
    written = cluster.settle()
    assert [type(what) for what in written] == [effect.PatchManagedStatus]


def test_an_impostor_with_scopes_of_its_own_is_replaced() -> None:
    world, cluster = settled("org: cpu 5 > a")
    seen = world.managed[Namespace("a")]["quotatree"]
    world.lose_managed(seen)
    version = cluster.versions.next()
    world.see_managed(
        replace(seen, uid=names.Uid("other"), resource_version=version, scopes=BEST_EFFORT)
    )
    cluster.settle()
    assert world.managed[Namespace("a")]["quotatree"].scopes == ()


@pytest.mark.parametrize(("of_a_later_leader", "want"), [(False, 1), (True, 0)])
def test_a_quota_that_a_later_leader_wrote_is_not_deleted(of_a_later_leader, want) -> None:
    world, cluster = settled("org: cpu 5 > a")
    seen = world.managed[Namespace("a")]["quotatree"]
    unknown = replace(
        seen,
        name=QuotaName("quotatree-other"),
        uid=names.Uid("other"),
        resource_version=cluster.versions.next(),
        scopes=BEST_EFFORT,
        epoch=world.ledger.epoch + of_a_later_leader,
    )
    world.see_managed(unknown)
    planned = plan.plan_namespace(world, Namespace("a"))
    assert sum(isinstance(what, effect.DeleteManaged) for what in planned) == want


def test_a_namespace_that_left_its_tree_comes_back_without_old_numbers() -> None:
    world, cluster = settled("org: cpu 5 > a: holds cpu 5")
    change(world, "a", parent=None)
    cluster.settle()
    assert world.ledger.forest.node(Namespace("a")).book(()).charges() == {}


def test_what_a_terminating_namespace_holds_is_remembered_when_its_quota_goes() -> None:
    world, cluster = settled("org: pods 5 > a: holds pods 4")
    change(world, "a", terminating=True)
    assert plan.plan_namespace(world, Namespace("a")) == ()
    world.lose_managed(world.managed[Namespace("a")]["quotatree"])
    cluster.settle()
    remembered = world.namespaces[Namespace("a")]
    assert remembered.held == {(): Resources.parse({"pods": "4"})}
    after, _ = settled("org: pods 5 > b")
    after.see_namespace(replace(remembered, resource_version=10**13))
    assert after.ledger.forest.node(Namespace("org")).book(()).charge("pods") == 4 * 10**9


def test_a_terminating_namespace_is_fenced_so_that_its_tree_need_not_wait() -> None:
    world, cluster = settled("org: cpu 5 > a; org > b")
    change(world, "b", terminating=True)
    seen = world.managed[Namespace("b")]["quotatree"]
    version = cluster.versions.next()
    world.see_managed(replace(seen, epoch=0, resource_version=version))
    assert not world.ledger.fenced(Namespace("a"), ())
    (fence,) = plan.plan_namespace(world, Namespace("b"))
    assert isinstance(fence, effect.PatchManaged)
    assert fence.annotations == {names.ANNOTATION_EPOCH: "1"}
    world.lose_managed(world.managed[Namespace("b")]["quotatree"])
    assert world.ledger.fenced(Namespace("a"), ())


def test_a_scoped_count_does_not_outlive_its_quota_where_nothing_asks_for_it() -> None:
    world, cluster = settled("a > x; b")
    scoped = replace(words.quota("a", hard={"pods": "5"}, scopes=BEST_EFFORT), name="best-effort")
    world.see_quota(scoped)
    cluster.settle()
    held = words.managed(world, "x", used={"pods": "5"}, version=10**13, scopes=BEST_EFFORT)
    world.see_managed(held)
    change(world, "x", parent=Namespace("b"))
    cluster.versions.last = 10**13
    cluster.settle()
    assert world.ledger.account(Namespace("x"), BEST_EFFORT) is None
