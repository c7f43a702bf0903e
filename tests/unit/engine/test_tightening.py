"""Tightening a batch: when, to what, what is kept for its retry, and when it is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quotatree.engine import admit
from quotatree.engine.world import World
from quotatree.model.names import Namespace, Uid
from quotatree.model.review import UsageReview
from quotatree.model.scope import UNSCOPED
from quotatree.model.verdict import Admit, Deny, Tighten, TryLater, Verdict, Wait
from quotatree.testing import words
from quotatree.units.resources import Resources

NOW = 100.0
NEWER = 1000
"""A resourceVersion above all those that `words` gives out."""


def ask(world: World, name: str, now: float = NOW, **used: str) -> Verdict:
    old = world.managed[Namespace(name)]["quotatree"]
    wanted = Resources.parse({k.replace("_", "/"): v for k, v in used.items()})
    new = replace(old, used=old.used.maximum(wanted))
    review = UsageReview(uid=Uid("r"), old=old, new=new, dry_run=False)
    return admit.decide(world.ledger, review, now=now, arrived=NOW)


def land(world: World, name: str, version: int, **used: str) -> None:
    world.see_managed(words.managed(world, name, used=used, version=version))


def held(world: World, name: str) -> str:
    book = world.ledger.forest.node(Namespace(name)).book(UNSCOPED)
    return str(Resources.from_nano({r: a for r, a in book.held.items() if a}))


@pytest.mark.parametrize(
    ("tree", "want"),
    [
        pytest.param("org: cpu 10 > a; org > b", Wait, id="a part may fit once it is decided"),
        pytest.param("org: cpu 10 > a; org > b: holds cpu 9", Tighten, id="nothing can fit"),
    ],
)
def test_a_batch_waits_for_a_sibling_in_flight_where_there_is_room(
    tree: str, want: type[Verdict]
) -> None:
    world = words.world(tree)
    if want is Wait:
        assert isinstance(ask(world, "a", cpu="4"), Admit)
    else:
        assert isinstance(ask(world, "a", cpu="1"), Admit)
        land(world, "a", NEWER, cpu="1")
    assert isinstance(ask(world, "b", cpu="40"), want)


def test_a_tightening_whose_fate_nobody_knows_ends_when_its_request_must_have() -> None:
    world = words.world("org: cpu 10 > a; org > b: holds cpu 9")
    assert isinstance(ask(world, "a", cpu="40"), Tighten)
    lost = world.ledger.timing.lost_after
    assert world.ledger.loosen(NOW + lost - 1) == []
    world.ledger.expire(NOW + lost)
    assert world.ledger.loosen(NOW + lost) == ["a"]


def test_after_the_wait_a_batch_is_tightened_to_what_is_left() -> None:
    world = words.world("org: cpu 10 > a; org > b")
    ask(world, "a", cpu="4")
    land(world, "a", NEWER, cpu="4")
    verdict = ask(world, "b", cpu="40")
    assert isinstance(verdict, Tighten)
    assert str(verdict.hard) == "cpu=6"


def test_one_request_alone_waits_only_for_room_for_all_of_it() -> None:
    world = words.world("org: cpu 10, pods 9 > a; org > b")
    ask(world, "a", cpu="4", pods="1")
    assert isinstance(ask(world, "b", cpu="7", pods="1"), Wait)
    assert isinstance(ask(world, "b", cpu="11", pods="1"), Deny)


@pytest.mark.parametrize(
    ("tree", "asked", "want_held"),
    [
        pytest.param(
            "org: cpu 10, memory 1000 > a",
            {"cpu": "100", "memory": "100"},
            "cpu=10,memory=20",
            id="twice its share of what is not short",
        ),
        pytest.param(
            "org: cpu 10, memory 1000 > a",
            {"cpu": "11", "memory": "100"},
            "cpu=10,memory=100",
            id="never more than was asked for",
        ),
        pytest.param(
            "org: cpu 0, memory 1000 > a", {"cpu": "11", "memory": "100"}, "", id="nothing can fit"
        ),
        pytest.param(
            "org: cpu 50, requests.nvidia.com/gpu 0 > a",
            {"cpu": "11", "requests.nvidia.com_gpu": "4"},
            "cpu=11",
            id="pods without a device may all fit",
        ),
        pytest.param(
            "org: pods 3, memory 100 > a",
            {"pods": "20", "memory": "7"},
            "memory=3,pods=3",
            id="whole bytes and pods",
        ),
    ],
)
def test_what_the_retry_is_likely_to_take_is_kept_for_it(
    tree: str, asked: dict[str, str], want_held: str
) -> None:
    world = words.world(tree)
    assert isinstance(ask(world, "a", **asked), Tighten)
    assert held(world, "a") == want_held


def test_the_room_is_kept_no_longer_than_the_retry_needs() -> None:
    world = words.world("org: cpu 10 > a; org > b")
    ask(world, "a", cpu="12")
    world.ledger.hold_until((Namespace("a"), UNSCOPED), NOW + 0.1)
    world.ledger.hold_until((Namespace("a"), UNSCOPED), NOW + 0.3)
    assert isinstance(ask(world, "b", cpu="10"), Wait)
    world.ledger.expire(NOW + 0.1)
    assert isinstance(ask(world, "b", cpu="10"), Admit)


def test_a_tightening_ends_after_its_time() -> None:
    world = words.world("org: cpu 10 > a")
    ask(world, "a", cpu="12")
    land(world, "a", NEWER)
    world.ledger.expire(NOW + 0.5)
    assert world.ledger.loosen(NOW + 0.9) == []
    assert world.ledger.loosen(NOW + 1.0) == ["a"]


def test_a_tightening_is_not_over_before_its_write_is_decided() -> None:
    world = words.world("org: cpu 10 > a")
    ask(world, "a", cpu="12")
    world.ledger.expire(NOW + 9)
    assert world.ledger.loosen(NOW + 9) == []
    land(world, "a", NEWER)
    assert world.ledger.loosen(NOW + 9) == ["a"]


def hasty() -> World:
    """A tightening made while a sibling's grant was in flight, its own retry over."""
    world = words.world("org: cpu 10 > a; org > b")
    ask(world, "b", cpu="10")
    ask(world, "a", now=NOW + 1, cpu="12")
    verdict = ask(world, "a", now=NOW + 1, cpu="12")
    assert isinstance(verdict, Tighten)
    assert str(verdict.hard) == "cpu=0"
    land(world, "a", NEWER)
    world.ledger.hold_until((Namespace("a"), UNSCOPED), NOW + 1)
    world.ledger.expire(NOW + 1)
    return world


def test_a_hasty_tightening_ends_as_soon_as_the_sibling_in_flight_has_lost() -> None:
    world = hasty()
    assert world.ledger.loosen(NOW + 1.1) == []
    land(world, "b", NEWER + 1, cpu="0")
    assert world.ledger.loosen(NOW + 1.1) == ["a"]


def test_a_hasty_tightening_stays_when_the_sibling_in_flight_has_landed() -> None:
    world = hasty()
    land(world, "b", NEWER + 1, cpu="10")
    assert world.ledger.loosen(NOW + 1.1) == []
    assert world.ledger.loosen(NOW + 2.0) == ["a"]


def test_room_that_came_back_otherwise_waits_for_the_time_to_pass() -> None:
    world = words.world("org: cpu 10 > a; org > b: holds cpu 10")
    ask(world, "a", cpu="12")
    land(world, "a", NEWER)
    world.ledger.expire(NOW + 0.5)
    land(world, "b", NEWER + 1, cpu="0")
    assert world.ledger.loosen(NOW + 0.6) == []


def test_a_batch_that_has_waited_is_refused_once_before_it_is_tightened_in_haste() -> None:
    world = words.world("org: cpu 10 > a; org > b")
    ask(world, "b", cpu="4")
    late = NOW + world.ledger.timing.wait
    assert isinstance(ask(world, "a", now=late, cpu="12"), TryLater)
    verdict = ask(world, "a", now=late, cpu="12")
    assert isinstance(verdict, Tighten)
    assert str(verdict.hard) == "cpu=6"


def test_a_tightening_is_not_loosened_between_the_tries_of_a_refusal() -> None:
    world = words.world("org: cpu 10, pods 9 > a")
    ask(world, "a", cpu="12", pods="2")
    land(world, "a", NEWER)
    world.ledger.expire(NOW + 0.5)
    ask(world, "a", now=NOW + 0.95, cpu="12", pods="1")
    assert world.ledger.loosen(NOW + 1.0) == []
    assert world.ledger.loosen(NOW + 1.05) == ["a"]


def test_refusals_that_never_end_do_not_keep_a_tightening_for_ever() -> None:
    world = words.world("org: cpu 10, pods 9 > a")
    ask(world, "a", cpu="12", pods="2")
    land(world, "a", NEWER)
    world.ledger.expire(NOW + 0.5)
    ask(world, "a", now=NOW + 2, cpu="12", pods="1")
    assert world.ledger.loosen(NOW + 2) == ["a"]
