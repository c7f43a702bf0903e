"""Workloads against a world: who refuses, whether waiting helps, and what would help."""

from dataclasses import replace

import pytest

from quotatree.engine import fit
from quotatree.engine.survey import Observed
from quotatree.model.charge import Charge
from quotatree.model.fit import Consumer, Reason
from quotatree.model.names import Namespace
from quotatree.model.observed import ManagedQuota
from quotatree.model.quota import Mode
from quotatree.model.scope import UNSCOPED, ScopeTerm
from quotatree.model.workload import Part, Workload
from quotatree.testing import words
from quotatree.units.resources import Resources

ONE = 10**9
BEST_EFFORT = (ScopeTerm(scope="BestEffort"),)


def situation(text, *, own=(), **more):
    world = words.world(text)
    seen = Observed(
        namespaces=tuple(world.namespaces.values()),
        quotas=tuple(replace(q, granted=q.guaranteed) for q in world.limits.all()),
        managed=tuple(m for found in world.managed.values() for m in found.values()),
    )
    quotas = {"a": tuple(own)} if own else {}
    return fit.Situation(seen=seen, own=quotas, **more)


def observing(found):
    """Return the situation in which every TreeQuota only observes."""
    quotas = tuple(replace(q, mode=Mode.OBSERVE) for q in found.seen.quotas)
    return replace(found, seen=replace(found.seen, quotas=quotas))


def part(amounts, count=1, **more):
    every = Resources.parse({"pods": "1", "count/pods": "1", **amounts})
    charge = Charge(resource="pods", amounts=every, **more)
    return Part(role="worker", charge=charge, count=count, total=count)


def request(*parts, namespace="a", standing=None):
    workload = Workload(kind="Job", name="train", parts=parts)
    return fit.Request(namespace=Namespace(namespace), workload=workload, standing=standing)


def own(name, hard, used, scopes=UNSCOPED):
    return ManagedQuota(
        namespace=Namespace("a"),
        name=name,
        uid="u",
        resource_version=1,
        scopes=scopes,
        spec_hard=Resources.parse(hard),
        status_hard=Resources.parse(hard),
        used=Resources.parse(used),
    )


def said(obstacles):
    return [(o.reason.value, o.level, o.resource) for o in obstacles]


CASES = [
    ("it fits", "org: cpu 9 > a", {"cpu": "9"}, []),
    ("nothing of it is limited", "org: memory 1Gi > a", {"cpu": "9"}, []),
    (
        "others use it",
        "org: cpu 9 > a; org > b: holds cpu 7",
        {"cpu": "3"},
        [("limit-reached", "org", "cpu")],
    ),
    ("more than all", "org: cpu 9 > a", {"cpu": "10"}, [("larger-than-limit", "org", "cpu")]),
    (
        "others are promised it",
        "org: cpu 9 > a; org > b: keeps cpu 7",
        {"cpu": "3"},
        [("reserved-for-others", "org", "cpu")],
    ),
    (
        "others use their promise, and that alone is in the way",
        "org: cpu 9 > a; org > b: keeps cpu 7, holds cpu 7",
        {"cpu": "3"},
        [("reserved-for-others", "org", "cpu")],
    ),
    (
        "its own promise is there",
        "org: cpu 9 > a: keeps cpu 4; org > b: holds cpu 5",
        {"cpu": "4"},
        [],
    ),
    (
        "over already",
        "org: cpu 2 > a; org > b: holds cpu 3",
        {"cpu": "1"},
        [("limit-exceeded", "org", "cpu")],
    ),
    (
        "two levels refuse, the nearest first",
        "org: cpu 4 > team: cpu 3, memory 8Gi > a: holds cpu 3",
        {"cpu": "2"},
        [("limit-reached", "team", "cpu"), ("limit-reached", "org", "cpu")],
    ),
]


@pytest.mark.parametrize(
    ("tree", "amounts", "want"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_a_request_is_refused_for_a_reason(tree, amounts, want):
    assert said(fit.Place(situation(tree)).ask(request(part(amounts)))) == want


def test_a_limit_that_only_observes_refuses_nothing():
    full = situation("org: cpu 9 > a: cpu 1; org > b: holds cpu 9")
    assert said(fit.Place(observing(full)).ask(request(part({"cpu": "3"})))) == []


def test_a_refusal_carries_the_numbers_and_what_would_be_enough():
    place = fit.Place(situation("org: cpu 9 > a; org > b: holds cpu 5; org > c: keeps cpu 2"))
    (found,) = place.ask(request(part({"cpu": "3"})))
    assert (found.requested, found.used, found.hard) == (3 * ONE, 7 * ONE, 9 * ONE)
    assert (found.available, found.enough, found.reserved) == (2 * ONE, 10 * ONE, 2 * ONE)


def test_all_pods_of_a_workload_count_together():
    place = fit.Place(situation("org: pods 9, cpu 5 > a"))
    ask = request(part({"cpu": "1"}), part({"cpu": "2"}, 4))
    assert said(place.ask(ask)) == [("larger-than-limit", "org", "cpu")]
    assert place.fitting(ask) == 3


def test_what_is_placed_is_in_the_way_of_the_next():
    place = fit.Place(
        situation("org: cpu 5 > a; org > b", own=[own("mine", {"pods": "1"}, {"pods": "0"})])
    )
    place.hold(request(part({"cpu": "3"})))
    assert said(place.ask(request(part({"cpu": "3"}), namespace="b"))) == [
        ("limit-reached", "org", "cpu")
    ]
    assert said(place.ask(request(part({})))) == [("own-quota-reached", "a", "pods")]


def test_of_what_stands_already_only_the_growth_is_asked_for():
    place = fit.Place(situation("org: cpu 4 > a: holds cpu 3"))
    before = Workload(kind="Job", name="train", parts=(part({"cpu": "1"}, 3),))
    assert place.ask(request(part({"cpu": "1"}, 4), standing=before)) == []
    assert place.ask(request(part({"cpu": "1"}, 5), standing=before))


def test_the_namespaces_own_quotas_refuse_too():
    quotas = [own("mine", {"cpu": "4", "pods": "9"}, {"cpu": "3", "pods": "1"})]
    place = fit.Place(situation("org: cpu 99 > a", own=quotas))
    assert said(place.ask(request(part({"cpu": "2"})))) == [("own-quota-reached", "a", "cpu")]
    assert said(place.ask(request(part({"cpu": "5"})))) == [("larger-than-own-quota", "a", "cpu")]
    assert place.fitting(request(part({"cpu": "500m"}, 9))) == 2


def test_a_new_quota_of_the_namespace_fills_up_before_it_is_measured():
    new = replace(own("mine", {"cpu": "3"}, {}), status_hard=Resources.parse({}))
    place = fit.Place(situation("org: cpu 9 > a", own=[new]))
    ask = request(part({"cpu": "2"}))
    assert place.ask(ask) == []
    place.hold(ask)
    assert said(place.ask(ask)) == [("own-quota-reached", "a", "cpu")]


def test_a_scoped_quota_asks_only_what_it_counts():
    quotas = [own("few", {"pods": "0"}, {"pods": "0"}, BEST_EFFORT)]
    place = fit.Place(situation("org: cpu 99 > a", own=quotas))
    assert place.ask(request(part({"cpu": "1"}, traits=frozenset({"NotBestEffort"})))) == []
    assert place.ask(request(part({}, traits=frozenset({"BestEffort"}))))


def test_containers_that_do_not_say_an_amount_are_refused_whatever_is_free():
    silent = part({}, unspecified={"cpu": ("main", "side"), "limits.cpu": ("main",)})
    (found,) = fit.Place(situation("org: cpu 99 > a")).ask(request(silent))
    assert (found.reason, found.resource, found.containers) == (
        Reason.MISSING,
        "cpu",
        ("main", "side"),
    )
    assert fit.Place(situation("org: pods 9 > a")).ask(request(silent)) == []


def test_a_namespace_has_to_be_there_and_to_stay():
    place = fit.Place(situation("org: cpu 9 > a"))
    assert said(place.ask(request(part({}), namespace="x"))) == [("namespace-not-found", "x", "")]
    partial = fit.Place(situation("org: cpu 9 > a", complete=False))
    assert partial.ask(request(part({"cpu": "1"}), namespace="x")) == []
    found = situation("org: cpu 9 > a")
    going = tuple(replace(n, terminating=n.name == "a") for n in found.seen.namespaces)
    place = fit.Place(replace(found, seen=replace(found.seen, namespaces=going)))
    assert said(place.ask(request(part({})))) == [("namespace-terminating", "a", "")]


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_code_and_a_sentence(reason):
    from quotatree.model.fit import WORDS

    assert reason.value == reason.value.lower()
    assert WORDS[reason]


def test_the_levels_are_shown_up_to_the_root():
    place = fit.Place(situation("org: cpu 9 > team: keeps cpu 4 > a: cpu 5, holds cpu 1"))
    key = (Namespace("a"), UNSCOPED)
    found = fit.levels(place.world, key, Resources.parse({"cpu": "6"}))
    rows = [(x.level, x.requested // ONE, x.used // ONE, x.hard and x.hard // ONE) for x in found]
    assert rows == [("a", 6, 1, 5), ("team", 3, 4, None), ("org", 3, 4, 9)]
    assert [x.refuses for x in found] == [True, False, False]


def test_the_consumers_of_a_limit_add_up_to_what_it_is_charged():
    place = fit.Place(
        situation("org: cpu 99 > a: holds cpu 2; org > b: keeps cpu 5, holds cpu 1; org > c")
    )
    assert fit.consumers(place.world, (Namespace("org"), UNSCOPED), "cpu") == [
        Consumer(namespace="b", amount=4 * ONE, reserved=True),
        Consumer(namespace="a", amount=2 * ONE),
        Consumer(namespace="b", amount=1 * ONE),
    ]
