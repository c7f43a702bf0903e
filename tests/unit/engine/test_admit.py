"""Admission in one tree, by words: what fits, what waits, what is refused and by whom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quotatree.engine import admit
from quotatree.engine.account import AccountKey
from quotatree.engine.ledger import Ledger
from quotatree.engine.reservation import Reservation
from quotatree.engine.world import World
from quotatree.model.names import Namespace, Uid
from quotatree.model.review import UsageReview
from quotatree.model.scope import UNSCOPED
from quotatree.model.verdict import Admit, Deny, Open, Tighten, TryLater, Verdict, Wait
from quotatree.testing import words
from quotatree.units.resources import Resources

NOW = 100.0


def ask(world: World, name: str, now: float = NOW, **used: str) -> Verdict:
    old = world.managed[Namespace(name)]["quotatree"]
    new = replace(old, used=Resources.parse({k.replace("_", "/"): v for k, v in used.items()}))
    review = UsageReview(uid=Uid("r"), old=old, new=new, dry_run=False)
    return admit.decide(world.ledger, review, now=now, arrived=NOW)


def overdue(world: World, key: AccountKey) -> tuple[Reservation, ...]:
    account = world.ledger.account(*key)
    assert account is not None
    return account.overdue()


@pytest.mark.parametrize(
    ("tree", "used", "want_refused_by"),
    [
        pytest.param("org: cpu 10 > a", "10", None, id="exactly the limit fits"),
        pytest.param("org: cpu 10 > a", "11", "org", id="one more does not"),
        pytest.param("org: cpu 10 > a; org > b: holds cpu 6", "5", "org", id="a sibling counts"),
        pytest.param("org: cpu 10 > t: cpu 3 > a", "4", "t", id="the nearest level is named"),
        pytest.param(
            "org: cpu 10 > t > a; org > b: holds cpu 10", "1", "org", id="a gap in levels"
        ),
        pytest.param(
            "org: cpu 10 > a; org > b: keeps cpu 8", "3", "org", id="a guarantee is kept free"
        ),
        pytest.param(
            "org: cpu 10 > a: keeps cpu 4; org > b: holds cpu 6", "4", None, id="inside one's own"
        ),
        pytest.param(
            "org: cpu 5 > a: keeps cpu 4, holds cpu 1; org > b: holds cpu 6",
            "4",
            None,
            id="inside one's own though the ancestor is exceeded",
        ),
    ],
)
def test_growth_is_refused_by_the_nearest_level_without_room(
    tree: str, used: str, want_refused_by: str | None
) -> None:
    verdict = ask(words.world(tree), "a", cpu=used)
    if want_refused_by is None:
        assert isinstance(verdict, Admit)
    else:
        assert isinstance(verdict, Tighten)
        assert verdict.limits[0].ancestor == want_refused_by


def test_a_batch_is_tightened_to_the_room_that_there_is() -> None:
    world = words.world("org: cpu 10 > a: holds cpu 2; org > b: holds cpu 5")
    verdict = ask(world, "a", cpu="9")
    assert isinstance(verdict, Tighten)
    assert str(verdict.hard) == "cpu=5"


def test_one_request_alone_is_refused_plainly() -> None:
    world = words.world("org: cpu 10, pods 50 > a: holds cpu 2, holds pods 1")
    verdict = ask(world, "a", cpu="11", pods="2")
    assert isinstance(verdict, Deny)
    assert [limit.resource for limit in verdict.limits] == ["cpu"]


@pytest.mark.parametrize(
    ("blind", "cpu", "want"),
    [
        pytest.param(False, "11", Deny, id="everything is told"),
        pytest.param(True, "11", TryLater, id="some may be gone unseen"),
        pytest.param(True, "13", Deny, id="more than there ever is"),
        pytest.param(True, "3", Admit, id="there is room"),
    ],
)
def test_nobody_is_refused_for_good_by_what_may_be_gone_unseen(
    blind: bool, cpu: str, want: type[Verdict]
) -> None:
    world = words.world("org: cpu 10, pods 50 > a: holds cpu 2, holds pods 1")
    verdict = admit.in_sight(ask(world, "a", cpu=cpu, pods="2"), blind=blind)
    assert isinstance(verdict, want)


def test_the_room_of_a_tightening_is_kept_for_its_retry() -> None:
    world = words.world("org: cpu 10 > a; org > b")
    assert isinstance(ask(world, "a", cpu="12"), Tighten)
    assert isinstance(ask(world, "b", cpu="1"), Wait)
    assert isinstance(ask(world, "a", cpu="10"), Admit)


def test_a_hold_ends_and_gives_its_room_back() -> None:
    world = words.world("org: cpu 10 > a; org > b")
    ask(world, "a", cpu="12")
    world.ledger.expire(NOW + 0.5)
    assert isinstance(ask(world, "b", cpu="10", now=NOW + 0.5), Admit)


def test_a_limit_lowered_meanwhile_holds_for_the_retry_too() -> None:
    world = words.world("org: cpu 10 > a")
    ask(world, "a", cpu="12")
    world.see_quota(words.quota("org", hard={"cpu": "3"}, generation=2))
    assert isinstance(ask(world, "a", cpu="10"), Tighten)
    assert isinstance(ask(world, "a", cpu="3"), Admit)


def test_what_is_in_flight_counts_until_it_is_seen_to_lose() -> None:
    world = words.world("org: cpu 10 > a; org > b")
    assert isinstance(ask(world, "a", cpu="10"), Admit)
    assert isinstance(ask(world, "b", cpu="1"), Wait)
    world.see_managed(words.managed(world, "a", used={}, version=1000))
    assert isinstance(ask(world, "b", cpu="1"), Admit)


def test_one_request_that_cannot_fit_whatever_loses_is_not_waited_for() -> None:
    world = words.world("org: cpu 10, pods 50 > a; org > b: holds cpu 9")
    assert isinstance(ask(world, "a", cpu="1", pods="1"), Admit)
    assert isinstance(ask(world, "b", cpu="11", pods="1"), Deny)


def test_a_write_that_is_already_lost_passes_and_counts_nothing() -> None:
    world = words.world("org: cpu 10 > a")
    old = world.managed[Namespace("a")]["quotatree"]
    world.see_managed(words.managed(world, "a", used={"cpu": "3"}, version=1000))
    new = replace(old, used=Resources.parse({"cpu": "99"}))
    review = UsageReview(uid=Uid("r"), old=old, new=new, dry_run=False)
    verdict = admit.decide(world.ledger, review, now=NOW, arrived=NOW)
    assert verdict == Admit(reserved=False, behind=1000)
    assert not world.ledger.unsettled


@pytest.mark.parametrize(("base", "judged"), [(0, True), (1, False), (1000, True), (2000, False)])
def test_what_replaces_another_version_than_the_one_there_will_lose(base, judged) -> None:
    world = words.world("org: cpu 10 > a")
    old = replace(world.managed[Namespace("a")]["quotatree"], resource_version=1000)
    world.see_managed(old)
    new = replace(old, used=Resources.parse({"cpu": "3"}), resource_version=base)
    review = UsageReview(uid=Uid("r"), old=old, new=new, dry_run=False)
    verdict = admit.decide(world.ledger, review, now=NOW, arrived=NOW)
    assert verdict == (Admit(reserved=True) if judged else Admit(reserved=False, behind=1000))
    assert bool(world.ledger.unsettled) == judged


def test_a_tree_that_is_not_fenced_as_a_whole_is_waited_for() -> None:
    world = words.world("org: cpu 10 > a; org > b; other > c: cpu 9")
    seen = world.managed[Namespace("b")]["quotatree"]
    unfenced = replace(seen, epoch=0, resource_version=1000)
    world.see_managed(unfenced)
    assert isinstance(ask(world, "a", cpu="1"), Wait)
    assert isinstance(ask(world, "a", cpu="1", now=NOW + 0.7), TryLater)
    assert isinstance(ask(world, "c", cpu="1"), Admit)
    world.see_managed(replace(unfenced, epoch=1, resource_version=1001))
    assert isinstance(ask(world, "a", cpu="1"), Admit)


def test_a_closed_account_is_opened_before_anything_is_granted_on_it() -> None:
    world = words.world("org: cpu 10 > a; org > b")
    closed = replace(world.managed[Namespace("a")]["quotatree"], epoch=None, resource_version=1000)
    world.see_managed(closed)
    found = ask(world, "a", cpu="1")
    assert found == Open(
        namespace=Namespace("a"), quota="quotatree", resource_version=1000, epoch=1
    )
    assert not world.ledger.unsettled
    assert isinstance(ask(world, "b", cpu="1"), Admit), "nothing is in flight on a closed one"
    world.see_managed(replace(closed, epoch=1, resource_version=1001))
    assert ask(world, "a", cpu="1") == replace(found, resource_version=1001, epoch=None)
    opened = world.ledger.openings.unsure()
    world.ledger.openings.confirm(opened)
    assert isinstance(ask(world, "a", cpu="1"), Admit)


def test_on_a_closed_account_refusals_and_dry_runs_need_no_opening() -> None:
    world = words.world("org: cpu 1 > a")
    closed = replace(world.managed[Namespace("a")]["quotatree"], epoch=None, resource_version=1000)
    world.see_managed(closed)
    dry = UsageReview(
        uid=Uid("r"),
        old=closed,
        new=replace(closed, used=Resources.parse({"cpu": "1"})),
        dry_run=True,
    )
    assert admit.decide(world.ledger, dry, now=NOW, arrived=NOW) == Admit(reserved=False)
    too_much = replace(dry, new=replace(closed, used=Resources.parse({"cpu": "2"})))
    assert isinstance(admit.decide(world.ledger, too_much, now=NOW, arrived=NOW), Deny)


def test_what_has_not_grown_for_long_is_to_be_closed() -> None:
    world = words.world("org: cpu 10 > a; org > b")
    openings = world.ledger.openings
    assert isinstance(ask(world, "a", cpu="1"), Admit)
    assert openings.rest(epoch=1, since=NOW - 1) == ["org", "b"]
    assert openings.rest(epoch=1, since=NOW - 1) == []
    assert isinstance(ask(world, "b", cpu="1"), Admit)
    assert not openings.is_resting((Namespace("b"), UNSCOPED))


def test_a_write_that_our_fence_has_overtaken_passes_since_it_is_lost() -> None:
    world = words.world("org: cpu 10 > a")
    old = replace(world.managed[Namespace("a")]["quotatree"], epoch=0)
    world.see_managed(replace(old, epoch=1, resource_version=1000))
    new = replace(old, used=Resources.parse({"cpu": "3"}))
    review = UsageReview(uid=Uid("r"), old=old, new=new, dry_run=False)
    verdict = admit.decide(world.ledger, review, now=NOW, arrived=NOW)
    assert verdict == Admit(reserved=False, behind=1000)
    assert not world.ledger.unsettled


def test_whoever_waits_is_told_when_the_whole_tree_is_fenced_and_not_before() -> None:
    told: list[Namespace] = []
    world = World(Ledger(epoch=1, on_change=told.append))
    words.world("org: cpu 10 > a; org > b", into=world)
    open_ones = [
        replace(world.managed[Namespace(n)]["quotatree"], epoch=0, resource_version=1000)
        for n in "ab"
    ]
    for seen in open_ones:
        world.see_managed(seen)
    told.clear()
    for seen, want in zip(open_ones, ([], ["b"]), strict=True):
        world.see_managed(replace(seen, epoch=1, resource_version=1001))
        assert told == want


def test_a_forged_review_neither_lowers_the_ledger_nor_takes_room_for_ever() -> None:
    world = words.world("org: cpu 10 > a: holds cpu 9; org > b")
    seen = world.managed[Namespace("a")]["quotatree"]
    forged = replace(seen, resource_version=10**15, used=Resources.parse({"cpu": "0"}))
    grown = replace(forged, used=Resources.parse({"cpu": "10"}))
    review = UsageReview(uid=Uid("r"), old=forged, new=grown, dry_run=False)
    admit.decide(world.ledger, review, now=NOW, arrived=NOW)
    assert not isinstance(ask(world, "b", cpu="2", now=NOW + 0.7), Admit)
    touch, _ = world.ledger.expire(NOW + 1)
    (key,) = touch
    world.see_managed(words.managed(world, "a", used={"cpu": "9"}, version=5000))
    world.ledger.touched(key, 5000, asked=overdue(world, key))
    world.ledger.expire(NOW + 2)
    assert isinstance(ask(world, "b", cpu="1", now=NOW + 2), Admit)


def test_a_touch_settles_only_what_was_overdue_when_it_was_sent() -> None:
    """Its answer may be late, and what was granted on the touched state is still to land."""
    world = words.world("org: cpu 10 > a; org > b")
    key = (Namespace("a"), ())
    assert isinstance(ask(world, "a", cpu="1"), Admit)
    world.ledger.expire(NOW + 1)
    asked = overdue(world, key)
    world.see_managed(words.managed(world, "a", used={"cpu": "1"}, version=5000))
    assert isinstance(ask(world, "a", cpu="9", now=NOW + 1.1), Admit)
    world.ledger.expire(NOW + 2.2)
    world.ledger.touched(key, 5000, asked=asked)
    assert not isinstance(ask(world, "b", cpu="2", now=NOW + 2.3), Admit)


def test_a_dry_run_reserves_nothing() -> None:
    world = words.world("org: cpu 10 > a")
    old = world.managed[Namespace("a")]["quotatree"]
    new = replace(old, used=Resources.parse({"cpu": "9"}))
    review = UsageReview(uid=Uid("r"), old=old, new=new, dry_run=True)
    assert admit.decide(world.ledger, review, now=NOW, arrived=NOW) == Admit(reserved=False)
    assert not world.ledger.unsettled


@pytest.mark.parametrize(
    ("growth", "want_single"),
    [
        ({"pods": "1", "cpu": "4"}, True),
        ({"count/pods": "1", "requests.nvidia.com/gpu": "2"}, True),
        ({"pods": "2", "cpu": "4"}, False),
        ({"cpu": "4"}, False),
        ({"pods": "1", "persistentvolumeclaims": "1"}, False),
        ({"count/configmaps": "1"}, True),
        ({"persistentvolumeclaims": "1", "requests.storage": "5Gi"}, True),
    ],
)
def test_a_single_request_is_told_by_its_own_count(
    growth: dict[str, str], want_single: bool
) -> None:
    assert admit.is_single(Resources.parse(growth)) is want_single
