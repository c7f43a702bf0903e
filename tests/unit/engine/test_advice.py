"""What is said of a refusal, and that the change which is named is enough and the least."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.unit.engine.test_fit import ONE, own, part, request, situation

from quotatree.engine import advice, fit, whatif
from quotatree.model.fit import Obstacle, Reason
from quotatree.units.resources import Resources


def asked(text, *parts, **more):
    place = fit.Place(situation(text, **more))
    obstacles = place.ask(request(*parts))
    changes = advice.raises(place.world, obstacles)
    return [(advice.message(g), advice.remedy(g, changes)) for g in advice.grouped(obstacles)]


CASES = [
    (
        "others use it",
        asked("org: cpu 9 > a; org > b: holds cpu 7", part({"cpu": "3"})),
        "org: cpu: requested 3, used 7, limited 9, available 2",
        (
            "wait until 1 cpu is given back, or raise cpu of treequota org/quota from 9 to 10; "
            "without a change it can have 2 cpu"
        ),
    ),
    (
        "more than all of it",
        asked("org: cpu 9 > a", part({"cpu": "12"})),
        "org: cpu: requested 12, used 0, limited 9, available 9",
        "raise cpu of treequota org/quota from 9 to 12; without a change it can have 9 cpu",
    ),
    (
        "others are promised it",
        asked("org: cpu 9 > a; org > b: keeps cpu 7, holds cpu 1", part({"cpu": "3"})),
        "org: cpu: requested 3, used 7, 6 of it kept for others, limited 9, available 2",
        (
            "raise cpu of treequota org/quota from 9 to 10, or lower a guarantee there; "
            "without a change it can have 2 cpu"
        ),
    ),
    (
        "the namespace's own quota",
        asked("org: cpu 9 > a", part({}), own=[own("mine", {"pods": "1"}, {"pods": "1"})]),
        "resourcequota a/mine: pods: requested 1, used 1, limited 1, available 0",
        (
            "wait until 1 pods is given back, or raise pods of resourcequota a/mine from 1 to 2; "
            "without a change it can have 0 pods"
        ),
    ),
    (
        "containers that say nothing",
        asked("org: cpu 9 > a", part({}, unspecified={"cpu": ("main",)})),
        "a measures what is not said: cpu for main",
        "set cpu in these containers, or give the namespace a LimitRange",
    ),
]


@pytest.mark.parametrize(
    ("found", "message", "remedy"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_a_refusal_names_the_level_the_numbers_and_the_next_step(found, message, remedy):
    assert found == [(message, remedy)]


def test_resources_of_one_level_and_reason_are_said_together():
    (found,) = asked("org: cpu 1, memory 1Gi > a", part({"cpu": "2", "memory": "2Gi"}))
    assert found[0].count("requested") == 2


def test_each_quota_of_a_namespace_is_told_its_own_change():
    mine = own("mine", {"cpu": "2"}, {"cpu": "0"})
    found = asked("org > a: cpu 1", part({"cpu": "4"}), own=[mine])
    assert [remedy for _, remedy in found] == [
        "raise cpu of treequota a/quota from 1 to 4; without a change it can have 1 cpu",
        "raise cpu of resourcequota a/mine from 2 to 4; without a change it can have 2 cpu",
    ]


def test_beside_what_no_limit_is_to_blame_for_what_can_be_had_is_a_whole_sentence():
    found = asked("org: cpu 4, memory 1Gi > a", part({"cpu": "9"}, unspecified={"memory": ("m",)}))
    assert found[1][1] == "without a change it can have 4 cpu"


def test_what_no_limit_is_to_blame_for_has_no_change_of_limits():
    missing = Obstacle(reason=Reason.NO_NAMESPACE, level="x")
    assert advice.raises(whatif.world(situation("org").seen), [missing]) == ()


LEVELS = st.integers(0, 6)


@st.composite
def cases(draw):
    text = (
        f"org: cpu {draw(LEVELS)}, pods {draw(LEVELS)} "
        f"> team: cpu {draw(LEVELS)}, keeps cpu {draw(LEVELS)} "
        f"> a: pods {draw(LEVELS)}, keeps cpu {draw(LEVELS)}, holds cpu {draw(LEVELS)}; "
        f"org > b: keeps cpu {draw(LEVELS)}, holds cpu {draw(LEVELS)}"
    )
    return text, draw(st.integers(1, 6)), draw(st.integers(1, 3))


@given(cases())
def test_the_change_that_is_named_is_enough_and_the_least(case):
    text, cpu, count = case
    ask = request(part({"cpu": str(cpu)}, count))
    before = situation(text)
    place = fit.Place(before)
    obstacles = place.ask(ask)
    assume(obstacles)
    changes = advice.raises(place.world, obstacles)
    assert fit.Place(_raised(before, changes)).ask(ask) == []
    for spared in range(len(changes)):
        fewer = changes[:spared] + changes[spared + 1 :]
        assert fit.Place(_raised(before, fewer)).ask(ask)
        less = _raised(before, changes, less=spared)
        assert fit.Place(less).ask(ask)


def _raised(before, changes, *, less=None):
    quotas = []
    for quota in before.seen.quotas:
        hard = dict(quota.hard.nanos())
        for index, change in enumerate(changes):
            if change.level == quota.namespace:
                hard[change.resource] = change.after - (index == less)
        quotas.append(_replace(quota, hard=Resources.from_nano(hard)))
    return _replace(before, seen=_replace(before.seen, quotas=tuple(quotas)))


def _replace(value, **fields):
    from dataclasses import replace

    return replace(value, **fields)


@given(cases())
def test_what_is_temporary_fits_an_empty_tree_and_nothing_else_does(case):
    text, cpu, count = case
    ask = request(part({"cpu": str(cpu)}, count))
    here = situation(text)
    obstacles = fit.Place(here).ask(ask)
    empty = fit.Place(_replace(here, seen=fit.emptied(here.seen)))
    never = {(o.level, o.resource) for o in obstacles if not o.reason.temporary}
    assert {(o.level, o.resource) for o in empty.ask(ask)} & {
        (o.level, o.resource) for o in obstacles
    } == never
    assert all(o.enough > o.hard and o.requested >= ONE for o in obstacles)
