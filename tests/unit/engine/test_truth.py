"""The account of real objects beside a counter: who is believed, and when."""

from dataclasses import replace
from itertools import count

import pytest

from quotatree.engine import admit, plan, recount
from quotatree.engine.account import Way
from quotatree.engine.truth import STEP
from quotatree.engine.world import World
from quotatree.model.charge import Charge
from quotatree.model.effect import PatchManagedStatus
from quotatree.model.names import Namespace, Uid
from quotatree.model.observed import ManagedQuota
from quotatree.model.review import UsageReview
from quotatree.model.scope import ScopeTerm, scope_set
from quotatree.model.sighting import Sighting
from quotatree.model.verdict import Admit, Deny, Tighten, TryLater, Verdict, Wait
from quotatree.testing import words
from quotatree.units.resources import Resources

NOW = 1000.0
A, B = Namespace("a"), Namespace("b")
POD = Charge(resource="pods", amounts=Resources.parse({"pods": "1", "count/pods": "1"}))
ENDED = Charge(resource="pods", amounts=Resources.parse({"count/pods": "1"}))
LATER = count(10**6)


def pod(name: str, number: object, **rest: object) -> Sighting:
    sighting = Sighting(
        uid=Uid(f"{name}-{number}"),
        namespace=Namespace(name),
        resource_version=next(LATER),
        charge=POD,
        created=NOW,
    )
    return replace(sighting, **rest)


def ground(text: str, **there: int) -> World:
    """Return a world in which native quota measures all, with so many pods in each namespace."""
    world = words.world(text)
    for name in list(world.managed):
        quota = world.managed[name]["quotatree"]
        wide = plan.wide(quota.spec_hard)
        world.see_managed(
            replace(quota, spec_hard=wide, status_hard=wide, resource_version=next(LATER))
        )
    pods = [pod(name, i) for name, number in there.items() for i in range(number)]
    world.ledger.truth.relist("pods", pods, next(LATER))
    return world


def quota(world: World, name: Namespace) -> ManagedQuota:
    return world.managed[name]["quotatree"]


def grown(world: World, name: Namespace, used: int, *, of: str = "pods") -> UsageReview:
    old = quota(world, name)
    amounts = {**old.used.nanos(), of: used * 10**9}
    new = replace(old, used=Resources.from_nano(amounts))
    return UsageReview(uid=Uid("r"), old=old, new=new, dry_run=False)


def ask(world: World, name: Namespace, used: int, *, late: float = 0.0) -> Verdict:
    review = grown(world, name, used)
    return admit.decide(world.ledger, review, now=NOW + late, arrived=NOW)


def commit(world: World, name: Namespace, used: int, **rest: object) -> None:
    amounts = {**quota(world, name).used.nanos(), "pods": used * 10**9}
    seen = replace(quota(world, name), used=Resources.from_nano(amounts), **rest)
    world.see_managed(replace(seen, resource_version=next(LATER)))


def held(world: World, name: Namespace) -> int:
    return world.ledger.forest.node(name).book(()).held.get("pods", 0) // 10**9


# -- a counter that is too low ----------------------------------------------------------------


def test_a_recount_says_what_is_there_whatever_it_has_counted():
    world = ground("org: pods 10 > a: holds pods 4", a=4)
    low, high = grown(world, A, 1), grown(world, A, 6)
    assert recount.correct(world.ledger, low).used.to_strings() == {"pods": "4"}
    assert recount.correct(world.ledger, high).used.to_strings() == {"pods": "4"}
    assert recount.correct(world.ledger, low).missed.to_strings() == {"pods": "4"}
    assert not recount.correct(world.ledger, high).missed


def test_a_recount_changes_nothing_while_a_growth_of_the_same_state_is_in_flight():
    """What changes nothing is no write, and the growth does not lose to it."""
    world = ground("org: pods 10 > a: holds pods 4", a=4)
    world.ledger.truth.lose("pods", pod("a", 0), next(LATER))
    assert recount.correct(world.ledger, grown(world, A, 2)).used.to_strings() == {"pods": "3"}
    assert isinstance(ask(world, A, 6), Admit)
    assert recount.correct(world.ledger, grown(world, A, 2)).used.to_strings() == {"pods": "4"}


def test_a_recount_that_will_lose_is_left():
    world = ground("org: pods 10 > a: holds pods 4", a=4)
    low = grown(world, A, 1)
    commit(world, A, 4)
    assert recount.correct(world.ledger, low) == recount.Correction()


def test_what_was_granted_is_there_before_its_pod_is():
    world = ground("org: pods 10 > a: holds pods 4", a=4)
    assert isinstance(ask(world, A, 6), Admit)
    commit(world, A, 6)
    assert recount.correct(world.ledger, grown(world, A, 4)).used.to_strings() == {"pods": "6"}


def test_a_grant_that_lost_is_not_there():
    world = ground("org: pods 10 > a: holds pods 4", a=4)
    assert isinstance(ask(world, A, 6), Admit)
    commit(world, A, 4)
    assert not recount.correct(world.ledger, grown(world, A, 4)).used
    assert held(world, A) == 4


def test_a_counter_that_is_too_low_lets_nothing_in():
    world = ground("org: pods 5 > a: holds pods 4; org > b", a=4)
    commit(world, A, 1)
    assert held(world, A) == 4
    assert isinstance(ask(world, B, 1), Admit)
    assert isinstance(ask(world, A, 2, late=1.0), Deny)


def test_growth_of_a_counter_that_is_too_low_is_growth_of_what_is_there():
    world = ground("org: pods 9 > a: holds pods 4; org > b", a=4)
    commit(world, A, 1)
    assert isinstance(ask(world, A, 3), Admit)
    assert held(world, A) == 6


@pytest.mark.parametrize("first", ["pod", "counter"])
def test_in_whichever_order_a_pod_and_its_charge_are_seen_it_counts_once(first):
    world = ground("org: pods 10 > a: holds pods 1", a=1)
    assert isinstance(ask(world, A, 2), Admit)
    if first == "pod":
        world.ledger.truth.see("pods", pod("a", "new"))
        commit(world, A, 2)
    else:
        commit(world, A, 2)
        world.ledger.truth.see("pods", pod("a", "new"))
    assert held(world, A) == 2
    assert not world.ledger.account(A, ()).claims


def test_a_pod_that_took_from_a_grant_that_lost_takes_from_its_own():
    """Two grants on one base: the pod of the one that is committed is seen before its counter."""
    world = ground("org: pods 10 > a: holds pods 1", a=1)
    assert isinstance(ask(world, A, 3), Admit)
    assert isinstance(ask(world, A, 2), Admit)
    world.ledger.truth.see("pods", pod("a", "new"))
    commit(world, A, 2)
    assert held(world, A) == 2
    assert not world.ledger.account(A, ()).claims


# -- states that were never seen --------------------------------------------------------------


def state(world: World, name: Namespace, used: int, **rest: object) -> ManagedQuota:
    """Return a state after the one that is known, which is committed and not told yet."""
    amounts = {**quota(world, name).used.nanos(), "pods": used * 10**9}
    found = replace(quota(world, name), used=Resources.from_nano(amounts), **rest)
    return replace(found, resource_version=next(LATER))


def test_a_grant_whose_own_state_no_list_ever_shows_counts() -> None:
    """It was committed, and a recount that had not heard of its pods came before the list."""
    world = ground("org: pods 10 > a: holds pods 1", a=1)
    assert isinstance(ask(world, A, 8), Admit)
    state(world, A, 8)
    world.see_managed(state(world, A, 1), way=Way.LISTED)
    assert held(world, A) == 8
    world.see_managed(state(world, A, 1))  # what comes later does not tell of it
    assert held(world, A) == 8


@pytest.mark.parametrize(("between", "want"), [(8, 8), (1, 1)], ids=["it landed", "it lost"])
def test_a_grant_counts_until_the_watch_tells_what_a_write_of_ours_leapt_over(
    between: int, want: int
) -> None:
    world = ground("org: pods 10 > a: holds pods 1", a=1)
    assert isinstance(ask(world, A, 8), Admit)
    first = state(world, A, between)
    known = next(LATER)
    world.see_written(state(world, A, 1), replaced=known)
    assert held(world, A) == 8
    world.see_managed(first)
    assert held(world, A) == want


def test_what_a_list_finds_ends_the_waiting_for_the_watch() -> None:
    world = ground("org: pods 10 > a: holds pods 1", a=1)
    assert isinstance(ask(world, A, 8), Admit)
    later = state(world, A, 1)
    world.see_managed(later, way=Way.AHEAD)
    world.see_managed(later, way=Way.LISTED)
    world.see_managed(state(world, A, 1))
    assert held(world, A) == 8


def test_growth_that_a_lost_grant_explained_was_somebody_elses() -> None:
    """Two writes on one base: ours lost, and the other grew within the slice."""
    world = ground("org: pods 10 > a: holds pods 1", a=1)
    commit(world, A, 1, slice=Resources.parse({"pods": "2"}))
    assert isinstance(ask(world, A, 3), Admit)
    other = state(world, A, 2)
    world.see_managed(state(world, A, 2), way=Way.AHEAD)
    world.see_managed(other)
    commit(world, A, 1, slice=Resources())
    assert held(world, A) == 2


def test_what_a_slice_may_have_let_pass_before_a_list_counts() -> None:
    world = ground("org: pods 10 > a: holds pods 1", a=1)
    commit(world, A, 1, slice=Resources.parse({"pods": "3"}))
    state(world, A, 3, slice=Resources.parse({"pods": "3"}))  # and a recount too low:
    world.see_managed(state(world, A, 1, slice=Resources()), way=Way.LISTED)
    assert held(world, A) == 3


# -- a counter that is too high ---------------------------------------------------------------


def lower(world: World, name: Namespace) -> PatchManagedStatus | None:
    found = [w for w in plan.plan_namespace(world, name) if isinstance(w, PatchManagedStatus)]
    return found[0] if found else None


def test_what_is_gone_is_written_down_when_native_quota_does_not():
    world = ground("org: pods 10 > a: holds pods 4", a=4)
    world.ledger.truth.lose("pods", pod("a", 0), next(LATER))
    after = world.ledger.timing.lower_after
    late = [bool(world.ledger.truth.pass_time(NOW + t)[0]) for t in (0, after - 0.1, after)]
    assert late == [False, False, True]
    what = lower(world, A)
    assert what is not None
    assert what.used.to_strings() == {"pods": "3"}


def test_a_sibling_that_asks_for_it_has_it_written_down_at_once_and_waits():
    world = ground("org: pods 5 > a: holds pods 4; org > b", a=4)
    world.ledger.truth.lose("pods", pod("a", 0), next(LATER))
    assert isinstance(ask(world, B, 2), Wait)
    assert world.ledger.truth.surplus.take_wanted() == [A]
    assert lower(world, A) is not None
    commit(world, A, 3)
    assert isinstance(ask(world, B, 2), Admit)


@pytest.mark.parametrize(
    ("used", "want"),
    [
        pytest.param(5, TryLater, id="there is room if that grant has come to nothing"),
        pytest.param(7, Tighten, id="a batch is judged one by one"),
    ],
)
def test_nobody_is_refused_for_good_by_a_grant_whose_fate_was_missed(
    used: int, want: type[Verdict]
) -> None:
    world = ground("org: pods 6 > a: holds pods 4; org > b", a=4)
    assert isinstance(ask(world, B, 2), Admit)
    seen = replace(quota(world, B), resource_version=next(LATER))
    world.see_managed(seen, way=Way.LISTED)
    late = world.ledger.timing.wait
    assert isinstance(ask(world, A, used, late=late), want)
    for claim in world.ledger.account(B, ()).claims:
        claim.missed = False
    assert isinstance(ask(world, A, 5, late=late), Deny)


# -- growth that says what is gone ------------------------------------------------------------


def test_whoever_is_charged_for_what_is_gone_itself_has_it_put_right_by_its_growth():
    world = ground("org: pods 4 > a: holds pods 4", a=4)
    world.ledger.truth.lose("pods", pod("a", 0), next(LATER))
    assert ask(world, A, 5) == Admit(reserved=True, used=Resources.parse({"pods": "4"}))
    commit(world, A, 4)
    world.ledger.truth.see("pods", pod("a", "new"))
    assert isinstance(ask(world, A, 5), Deny)
    assert held(world, A) == 4


def test_a_batch_is_judged_by_what_is_there_and_tightened_to_it():
    world = ground("org: pods 4 > a: holds pods 4", a=4)
    world.ledger.truth.lose("pods", pod("a", 0), next(LATER))
    verdict = ask(world, A, 6)
    assert isinstance(verdict, Tighten)
    assert (str(verdict.used), str(verdict.hard)) == ("pods=3", "pods=4")
    commit(world, A, 3, status_hard=verdict.hard)
    assert isinstance(ask(world, A, 4), Admit)


def test_a_limit_lowered_meanwhile_holds_for_a_growth_that_says_what_is_gone():
    """By the figures it would not grow; there would be more objects all the same."""
    world = ground("org: pods 4 > a: holds pods 4", a=4)
    for number in (0, 1):
        world.ledger.truth.lose("pods", pod("a", number), next(LATER))
    world.ledger.set_limits(
        Namespace("org"), (), hard={"pods": 2 * 10**9, "count/pods": 2 * 10**9}, guaranteed={}
    )
    assert isinstance(ask(world, A, 5), Deny)


def test_a_dry_run_says_nothing_of_what_is_gone():
    world = ground("org: pods 4 > a: holds pods 4", a=4)
    world.ledger.truth.lose("pods", pod("a", 0), next(LATER))
    review = replace(grown(world, A, 5), dry_run=True)
    assert isinstance(admit.decide(world.ledger, review, now=NOW, arrived=NOW), Deny)


def test_who_asks_itself_just_now_is_not_written_to():
    world = ground("org: pods 5 > a: holds pods 3; org > b: holds pods 2", a=3, b=2)
    world.ledger.truth.lose("pods", pod("a", 0), next(LATER))
    ask(world, A, 5)  # a batch of two, and there is room for one
    assert isinstance(ask(world, B, 3), Wait)
    assert world.ledger.truth.surplus.take_wanted() == []
    assert isinstance(ask(world, B, 3, late=world.ledger.timing.retry), Wait)
    assert world.ledger.truth.surplus.take_wanted() == [A]


def test_whoever_asks_again_has_it_written_down_again():
    world = ground("org: pods 5 > a: holds pods 4; org > b", a=4)
    world.ledger.truth.lose("pods", pod("a", 0), next(LATER))
    wanted = []
    for _ in range(2):
        ask(world, B, 2)
        wanted.append(world.ledger.truth.surplus.take_wanted())
    assert wanted == [[A], [A]]


def test_a_grant_from_before_the_pods_were_listed_is_sure_too():
    world = ground("org: pods 10 > a: holds pods 1")
    fresh = words.world("org: pods 10 > a: holds pods 1; org > b")
    assert isinstance(ask(fresh, A, 8), Admit)
    fresh.ledger.truth.relist("pods", [pod("a", 0)], next(LATER))
    commit(fresh, A, 8)
    commit(fresh, A, 1)
    assert held(fresh, A) == 8
    assert held(world, A) == 1


def test_one_pod_that_changes_all_day_has_one_deadline():
    world = ground("org: pods 10 > a: holds pods 1", a=1)
    dying = {"until": NOW + 9.0, "after": ENDED}
    for _ in range(50):
        world.ledger.truth.see("pods", pod("a", 0, **dying))
    assert len(world.ledger.truth.census._deadlines) == 1


def test_nothing_is_written_down_while_a_growth_is_in_flight():
    world = ground("org: pods 10 > a: holds pods 4", a=4)
    assert isinstance(ask(world, A, 5), Admit)
    world.ledger.truth.lose("pods", pod("a", 0), next(LATER))
    world.ledger.truth.surplus.want((A, ()))
    assert lower(world, A) is None


def test_growth_that_nobody_granted_is_not_written_down_at_once():
    """It may be a grant of another leader whose pod is on its way."""
    world = ground("org: pods 10 > a: holds pods 4", a=4)
    commit(world, A, 6)
    world.ledger.truth.pass_time(NOW)
    assert not world.ledger.truth.pass_time(NOW + 30)[0]
    assert not recount.correct(world.ledger, grown(world, A, 4)).used


def test_what_a_recount_counts_too_much_is_written_down_without_waiting_for_objects():
    """Its cache had not heard of the deletions that we have."""
    world = ground("org: pods 10 > a: holds pods 4", a=4)
    late = grown(world, A, 6)
    world.ledger.account(A, ()).recounted = (late.old.resource_version, late.new.used.nanos())
    commit(world, A, 6)
    assert not world.ledger.account(A, ()).claims
    truth = world.ledger.truth
    truth.pass_time(NOW)
    assert truth.pass_time(NOW + world.ledger.timing.lower_after)[0] == [A]
    what = lower(world, A)
    assert what is not None
    assert what.used.to_strings() == {"pods": "4"}


def test_growth_inside_the_slice_was_never_asked_about_and_is_a_grant_all_the_same():
    world = ground("org: pods 10 > a: holds pods 4", a=4)
    commit(world, A, 4, slice=Resources.parse({"pods": "6"}))
    commit(world, A, 6)
    assert recount.correct(world.ledger, grown(world, A, 4)).used.to_strings() == {"pods": "6"}


# -- claims without an object -----------------------------------------------------------------


def test_a_charge_without_an_object_lapses_when_it_can_commit_no_more():
    world = ground("org: pods 5 > a: holds pods 4", a=4)
    truth = world.ledger.truth
    assert isinstance(ask(world, A, 5), Admit)
    commit(world, A, 5)
    after = world.ledger.timing.lost_after
    assert [bool(truth.pass_time(NOW + t)[1]) for t in (0, after - 1, after)] == [0, 0, 1]
    live = {"pods": {Uid(f"a-{i}"): 1 for i in range(4)}}
    assert not truth.old((A, ()), now=NOW + after - 1)
    claims = truth.old((A, ()), now=NOW + after)
    to_come = {"pods": {**live["pods"], Uid("on-its-way"): next(LATER)}}
    assert not truth.lapse((A, ()), claims, to_come)
    assert truth.lapse((A, ()), claims, live)
    assert (truth.drift.high, truth.drift.late) == (1, 0)
    truth.see("pods", pod("a", "late"))
    assert (truth.drift.high, truth.drift.late) == (1, 1)


def beats(world: World, begin: float) -> None:
    """Let the one API server carry out a whole run of heartbeats."""
    for i in range(6):
        sent = begin + 0.2 * i
        world.ledger.truth.progress.beat("x", sent=sent, answered=sent + 0.05)


def charged_for_nobody(tree: str) -> World:
    """Return a namespace with a charge whose pod never comes, seen to be committed at NOW + 1."""
    world = ground(tree, a=4)
    assert isinstance(ask(world, A, 5), Admit)
    commit(world, A, 5)
    world.ledger.truth.progress.expect("x")
    world.ledger.truth.pass_time(NOW + 1)
    return world


def test_a_charge_is_old_as_soon_as_every_api_server_is_past_it():
    world = charged_for_nobody("org: pods 5 > a: holds pods 4")
    beats(world, NOW + 1.1)
    assert world.ledger.truth.pass_time(NOW + 3)[1] == [(A, ())]
    assert len(world.ledger.truth.old((A, ()), now=NOW + 3)) == 1


def test_heartbeats_prove_nothing_of_a_charge_that_was_committed_after_they_began():
    """However long before that it was granted."""
    world = charged_for_nobody("org: pods 5 > a: holds pods 4")
    beats(world, NOW + 0.9)
    assert not world.ledger.truth.old((A, ()), now=NOW + 3)


def test_a_request_that_another_quota_of_the_namespace_may_hold_up_is_not_past():
    world = charged_for_nobody("org: pods 5 > a: holds pods 4")
    scopes = scope_set([ScopeTerm(scope="BestEffort")])
    world.see_managed(replace(quota(world, A), name="quotatree.besteffort", scopes=scopes))
    world.ledger.account(A, scopes).pressed_at = NOW + 2
    beats(world, NOW + 1.1)
    assert not world.ledger.truth.old((A, ()), now=NOW + 3)
    beats(world, NOW + 2.6)
    assert len(world.ledger.truth.old((A, ()), now=NOW + 9)) == 1


def test_heartbeats_are_asked_for_only_while_a_claim_waits_for_long():
    world = ground("org: pods 5 > a: holds pods 4", a=4)
    truth = world.ledger.truth
    truth.pass_time(NOW)
    assert not truth.waits(NOW + 9)
    ask(world, A, 5)
    commit(world, A, 5)
    truth.pass_time(NOW)
    assert [truth.waits(NOW + t) for t in (0.1, 0.2)] == [False, True]
    truth.see("pods", pod("a", "came"))
    assert not truth.waits(NOW + 9)


def test_where_pods_come_and_go_a_tightening_ends_as_soon_as_there_is_room():
    """Whoever comes a moment later would be refused by it, for up to a second."""
    world = ground("org: pods 6 > a: holds pods 3; org > b: holds pods 3", a=3, b=3)
    truth = world.ledger.truth
    assert isinstance(ask(world, A, 9), Tighten)
    assert not world.ledger.account(A, ()).tightening.hasty
    world.ledger.release_hold((A, ()))
    truth.lose("pods", pod("b", 0), next(LATER))
    ask(world, A, 9)
    verdict = ask(world, A, 9, late=1.0)
    assert isinstance(verdict, Tighten)
    assert world.ledger.account(A, ()).tightening.hasty
    truth.surplus.pass_time(NOW + 7)
    assert not truth.surplus.stirs((Namespace("org"), ()))


def stirring() -> World:
    """A tightening at a level where pods come and go, room for one below it."""
    world = ground("org: pods 6 > a: holds pods 3; org > b: holds pods 3", a=3, b=3)
    world.ledger.truth.lose("pods", pod("b", 0), next(LATER))
    ask(world, A, 9)
    verdict = ask(world, A, 9, late=1.0)
    assert isinstance(verdict, Tighten)
    commit(world, B, 2)
    commit(world, A, 3, status_hard=Resources.parse({"pods": "4", "count/pods": "4"}))
    return world


def test_where_pods_come_and_go_a_tightening_ends_with_the_growth_it_was_made_for():
    """Whoever it refused asks again at once, and is better held back here than refused natively."""
    world = stirring()
    verdict = ask(world, A, 4, late=1.0)
    assert isinstance(verdict, Admit)
    wide = quota(world, A).spec_hard
    assert verdict.hard == wide.mask(["pods", "count/pods"])
    commit(world, A, 4, status_hard=wide)
    assert world.ledger.account(A, ()).tightening is None
    assert world.ledger.recounts(NOW + 99) == []


def test_a_tightening_stands_when_that_growth_has_lost():
    world = stirring()
    assert isinstance(ask(world, A, 4, late=1.0), Admit)
    commit(world, A, 3)
    assert world.ledger.account(A, ()).tightening is not None


def test_pods_that_come_later_do_not_keep_a_phantom_young():
    """Each takes the claim that is nearest in time to its creation, not the oldest."""
    world = ground("org: pods 9 > a", a=0)
    truth = world.ledger.truth
    for i in range(4):
        then = NOW + 10 * i
        admit.decide(world.ledger, grown(world, A, i + 1), now=then, arrived=then)
        commit(world, A, i + 1)
        if i:
            truth.see("pods", pod("a", i, created=then))
    (claim,) = world.ledger.account(A, ()).claims
    assert claim.since == NOW


def test_what_an_earlier_leader_let_pass_counts_until_it_can_commit_no_more():
    world = ground("org: pods 5 > a: holds pods 5; org > b", a=3)
    truth = world.ledger.truth
    assert recount.correct(world.ledger, grown(world, A, 3)).used.to_strings() == {"pods": "5"}
    truth.pass_time(NOW)
    after = world.ledger.timing.lost_after
    assert truth.pass_time(NOW + after)[1] == [(A, ())]
    assert truth.lapse((A, ()), truth.old((A, ()), now=NOW + after), {"pods": {}})
    assert not recount.correct(world.ledger, grown(world, A, 3)).used


# -- objects ----------------------------------------------------------------------------------


def test_a_pod_whose_time_is_over_counts_no_more_though_it_is_there():
    world = ground("org: pods 9, count/pods 9 > a: holds pods 2, holds count/pods 2", a=1)
    leaving = pod("a", "leaving", until=NOW + 30, after=ENDED)
    world.ledger.truth.see("pods", leaving)
    floors = []
    for now in (NOW + 30, NOW + 30.1):
        world.ledger.truth.pass_time(now)
        account = world.ledger.account(A, ())
        floors.append({r: account.seen[r] // 10**9 for r in ("pods", "count/pods")})
    assert floors == [{"pods": 2, "count/pods": 2}, {"pods": 1, "count/pods": 2}]


def test_deletions_that_were_missed_show_in_the_next_list():
    world = ground("org: pods 9 > a: holds pods 3", a=3)
    world.ledger.truth.relist("pods", [pod("a", 1)], next(LATER))
    assert world.ledger.account(A, ()).seen["pods"] == 10**9


def test_a_name_is_known_when_all_are_watched_whose_objects_it_counts():
    truth = ground("org: pods 9 > a").ledger.truth
    names = ["pods", "requests.cpu", "requests.nvidia.com/gpu", "services", "no-such-name"]
    assert [truth.knows(name) for name in names] == [True, True, False, False, False]
    truth.relist("services", [], next(LATER))
    assert truth.knows("services")


# -- tightenings ------------------------------------------------------------------------------


def tightened() -> World:
    world = ground("org: pods 6 > a: holds pods 4", a=4)
    verdict = ask(world, A, 9)
    assert isinstance(verdict, Tighten)
    commit(world, A, 4, status_hard=verdict.hard)
    return world


def test_a_recount_leaves_a_tightening_as_tight_as_it_was():
    world = tightened()
    world.ledger.truth.lose("pods", pod("a", 0), next(LATER))
    old = quota(world, A)
    new = replace(old, used=Resources.parse({"pods": "3"}), status_hard=old.spec_hard)
    review = UsageReview(uid=Uid("r"), old=old, new=new, dry_run=False)
    assert recount.correct(world.ledger, review).hard.to_strings() == {"pods": "5"}
    world.ledger.expire(NOW + 9)
    world.ledger.loosen(NOW + 9)
    assert not recount.correct(world.ledger, review).hard


def test_what_is_written_down_below_a_tightening_makes_no_room_there():
    world = tightened()
    world.ledger.release_hold((A, ()))
    world.ledger.truth.lose("pods", pod("a", 0), next(LATER))
    world.ledger.truth.surplus.want((A, ()))
    what = lower(world, A)
    assert what is not None
    assert (str(what.used), str(what.hard)) == ("pods=3", "pods=5")


def test_a_long_list_is_taken_in_by_steps_and_counts_only_when_it_is_whole():
    truth = words.world("org: pods 9000 > a: holds pods 600").ledger.truth
    steps = truth.relisting("pods", [pod("a", i) for i in range(600)], next(LATER))
    assert [truth.knows("pods") for _ in steps] == [False, False]
    assert truth.knows("pods")
    assert truth.census.sums((A, ()))["pods"] == 600 * 10**9


def test_a_later_list_is_taken_in_by_steps_too():
    world = ground("org: pods 9000 > a: holds pods 600", a=600)
    truth = world.ledger.truth
    steps = truth.relisting("pods", [pod("a", i) for i in range(300, 1000)], next(LATER))
    assert len(list(steps)) == 300 // STEP + 700 // STEP
    assert truth.census.sums((A, ()))["pods"] == 700 * 10**9
